import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Engine } from '../../../src/engine/engine.ts';
import { jsonForScript, REPORT_DATA_ID, renderReport } from '../../../src/engine/report.ts';
import { BasinError } from '../../../src/protocol/errors.ts';
import type { LandscapesResult } from '../../../src/protocol/landscapes.ts';
import { shareableView } from '../../../src/engine/shareableView.ts';
import { buildRunView } from '../../../src/runs/runView.ts';
import { makeFinishedRun, makeWorkspace, type Workspace } from '../../fixtures/runs.ts';

describe('report', () => {
  let workspace: Workspace;
  beforeEach(async () => (workspace = await makeWorkspace()));
  afterEach(() => workspace.remove());

  const dataOf = (html: string): unknown => {
    const begin = html.indexOf('>', html.indexOf(`id="${REPORT_DATA_ID}"`)) + 1;
    return JSON.parse(html.slice(begin, html.indexOf('</script>', begin)));
  };

  it('holds the run as it is, whatever its names contain', async () => {
    const name = '</script><script>alert(1)</script><!-- \u2028 "quoted" & ünï';
    const run = await makeFinishedRun(workspace.store, 3, { name });
    const view = await buildRunView(run);
    const html = renderReport(view, 'void "</script>" + "<!--";', 'a::after { content: "</style>" }');
    assert.deepEqual(dataOf(html), JSON.parse(JSON.stringify(view)));
    assert.equal(html.match(/<script/g)?.length, 2);
    assert.equal(html.match(/<\/script>/g)?.length, 2);
    assert.equal(html.match(/<\/style>/g)?.length, 1);
    assert.ok(!html.includes('<!--'));
    assert.ok(html.includes('&lt;/script&gt;'));
    assert.ok(html.includes('<html lang="en">'));
    assert.ok(renderReport(view, '', '', 'de').includes('<html lang="de">'));
    assert.ok(!renderReport(view, '', '', '"><script>').includes('"><script>'));
  });

  it('escapes JSON so that it stays JSON', () => {
    const value = { a: '<\u2028\u2029&', b: [1, null] };
    assert.ok(!/[<\u2028\u2029]/.test(jsonForScript(value)));
    assert.deepEqual(JSON.parse(jsonForScript(value)), value);
  });

  it('is written whole by the engine, without a process', async () => {
    const run = await makeFinishedRun(workspace.store, 3);
    const dist = path.join(workspace.root, 'dist');
    const engine = new Engine({ root: workspace.root, dist, version: '0.0.0' });
    const to = path.join(workspace.root, 'repört.html');
    await assert.rejects(
      engine.run({ kind: 'report', run: 'last', to }),
      (error: unknown) => error instanceof BasinError && /npm run build/.test(error.cure ?? ''),
    );
    await mkdir(path.join(dist, 'webview'), { recursive: true });
    await writeFile(path.join(dist, 'webview', 'report.js'), 'document.title');
    const result = await engine.run({ kind: 'report', run: 'last', to });
    assert.deepEqual(result, { kind: 'report', run: run.id, file: to });
    assert.equal((dataOf(await readFile(to, 'utf8')) as { run: { id: string } }).run.id, run.id);
  });

  it('says nothing of the folders it was made in', async () => {
    const run = await makeFinishedRun(workspace.store, 3);
    const view = await buildRunView(run);
    const cwd = path.join(workspace.root, 'vision models');
    const script = path.join(cwd, 'train.mjs');
    const [objective] = view.run.objectives;
    assert.ok(objective !== undefined);
    // What another run, of another folder, gave in place of its landscape.
    const { landscapes, ...result } = JSON.parse(
      await readFile(path.join(import.meta.dirname, '../../fixtures/landscapes.json'), 'utf8'),
    ) as LandscapesResult;
    const [landscape] = landscapes;
    assert.ok(landscape !== undefined);
    const error = {
      code: 'process-ended',
      message: `The script ended (/srv/other run/.venv/bin/python -u /srv/other/train.py): see https://example.org/a/b, 2/η and train/validation.`,
      cure: `Mend ${script} or '/opt/data set/x.csv'.`,
    } as const;
    const refused: LandscapesResult = { ...result, landscapes: [{ ...landscape, contour: null, error }] };
    const told = {
      ...view,
      run: {
        ...view.run,
        cwd,
        script,
        command: [
          '/opt/tools/bin/node',
          '--import',
          'tsx',
          script,
          '--data=/srv/private/digits',
          '--rate',
          '0.1',
        ],
        stateReason: `The script ${script} ended with exit code 1.`,
        process: { pid: 1, startTime: null, exitCode: 1 },
        objectives: [{ ...objective, callSite: { file: script, line: 3, column: 1 } }],
        sources: { [script]: 'a digest' },
      },
      results: [refused],
    };
    const shared = shareableView(told, workspace.root);
    assert.deepEqual(shared.run.command, [
      'node',
      '--import',
      'tsx',
      path.join('vision models', 'train.mjs'),
      '--data=digits',
      '--rate',
      '0.1',
    ]);
    assert.equal(shared.run.objectives[0]?.callSite?.file, path.join('vision models', 'train.mjs'));
    assert.equal(shared.run.process, null);
    const text = JSON.stringify(shared);
    assert.ok(text.includes('see https://example.org/a/b, 2/η and train/validation.'), text);
    assert.ok(text.includes(`Mend ${path.join('vision models', 'train.mjs')} or `), text);
    for (const folder of [workspace.root, '/opt/', '/srv/']) assert.ok(!text.includes(folder), folder);
  });
});
