import assert from 'node:assert/strict';
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { BasinError } from '../../../src/protocol/errors.ts';
import { trainCommand, type TrainOptions } from '../../../src/surface/trainCommand.ts';

describe('the command that trains a file', () => {
  let root: string;
  beforeEach(async () => {
    root = await realpath(await mkdtemp(path.join(tmpdir(), 'basin train ')));
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  const options = (script: string, more: Partial<TrainOptions> = {}): TrainOptions => ({
    script: path.join(root, script),
    scriptArguments: [],
    root,
    nodePath: process.execPath,
    cli: '/basin/cli.cjs',
    snapshotEvery: 0,
    holdSeconds: 0,
    ...more,
  });
  const failsWith = (code: string, cure: RegExp) => (error: unknown) => {
    assert.ok(error instanceof BasinError);
    assert.equal(error.code, code);
    assert.match(error.cure ?? '', cure);
    return true;
  };

  it('records a JavaScript file by node', async () => {
    const command = await trainCommand(options('a b.mjs'));
    assert.equal(command.program, process.execPath);
    assert.equal(command.cwd, root);
    assert.deepEqual(command.arguments, [
      ...['/basin/cli.cjs', 'train', '--root', root, '--', process.execPath, path.join(root, 'a b.mjs')],
    ]);
  });

  it('passes arguments and recording options on, each to its own program', async () => {
    const { arguments: all } = await trainCommand(
      options('a.js', { scriptArguments: ['--every', '3'], snapshotEvery: 10, holdSeconds: 60 }),
    );
    assert.deepEqual(all.slice(4, 9), ['--every', '10', '--hold', '60', '--']);
    assert.deepEqual(all.slice(-2), ['--every', '3']);
  });

  it('runs in the script’s package, but never outside of the workspace folder', async () => {
    const nested = path.join(root, 'packages', 'one', 'src');
    await mkdir(nested, { recursive: true });
    assert.equal((await trainCommand(options('packages/one/src/a.js'))).cwd, root);
    await writeFile(path.join(root, 'packages', 'one', 'package.json'), '{}');
    assert.equal(
      (await trainCommand(options('packages/one/src/a.js'))).cwd,
      path.join(root, 'packages', 'one'),
    );
  });

  it('runs TypeScript by tsx where it is installed, and says how to get it elsewhere', async () => {
    await assert.rejects(trainCommand(options('a.ts')), failsWith('not-found', /npm install --save-dev tsx/));
    await mkdir(path.join(root, 'node_modules', 'tsx'), { recursive: true });
    await writeFile(path.join(root, 'node_modules', 'tsx', 'package.json'), '{}');
    const { arguments: all } = await trainCommand(options('a.ts'));
    assert.deepEqual(all.slice(-3), ['--import', 'tsx', path.join(root, 'a.ts')]);
  });

  it('refuses what Node cannot run', async () => {
    await assert.rejects(trainCommand(options('a.py')), failsWith('unsupported', /\.mjs/));
  });

  it('finds node on the PATH, or says what to do', async () => {
    const found = await trainCommand(options('a.js', { nodePath: '' }), {
      PATH: path.dirname(process.execPath),
    });
    assert.equal(found.program, process.execPath);
    await assert.rejects(
      trainCommand(options('a.js', { nodePath: '' }), { PATH: root }),
      failsWith('not-found', /basin\.nodePath/),
    );
    await assert.rejects(
      trainCommand(options('a.js', { nodePath: 'no/such' })),
      failsWith('not-found', /basin\.nodePath/),
    );
  });
});
