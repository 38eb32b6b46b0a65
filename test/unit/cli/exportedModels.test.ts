/**
 * Exported averages and ensembles, loaded in their own framework by a process that has nothing of Basin, predict to the last
 * bit what was scored, in every format.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFile, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import type { EnsembleManifest } from '../../../src/engine/exportEnsemble.ts';
import type { AverageResult, EnsembleResult, ExportResult } from '../../../src/protocol/results.ts';
import { CommandLine } from '../../fixtures/commandLine.ts';
import { makeWorkspace, type Workspace } from '../../fixtures/runs.ts';
import { scoredLosses } from '../../fixtures/scoredLosses.ts';
import { needs, testPython } from '../../harness/requires.ts';

const repository = path.resolve(import.meta.dirname, '../../..');
const scripts = path.join(repository, 'test', 'fixtures', 'scripts');
const combinations = ['probability', 'logit'] as const;

/** The JSON that a program prints. */
async function printed<T>(cwd: string, program: string, ...args: string[]): Promise<T> {
  const env = { ...process.env, OMP_NUM_THREADS: '1' };
  const { stdout } = await promisify(execFile)(program, args, { cwd, env, maxBuffer: 1e8 });
  return JSON.parse(stdout) as T;
}

/** Of a single value no bit would be told wrong. */
function requireDistinct(losses: readonly (readonly number[])[]): void {
  for (const values of losses) assert.ok(new Set(values).size > values.length / 2);
}

describe('exported averages and ensembles', function () {
  this.timeout(240_000);
  let workspace: Workspace;
  before(async function () {
    needs(this, 'bundles');
    workspace = await makeWorkspace();
  });
  after(() => workspace?.remove());

  /** Builds and exports the ensemble by each combination. @returns the folders */
  async function ensembles(
    basin: CommandLine,
    members: readonly number[],
    format: string,
  ): Promise<string[]> {
    const folders: string[] = [];
    for (const combine of combinations) {
      const named = ['--members', members.join(',')];
      const { model } = await basin.ask<EnsembleResult>('ensemble', ...named, '--combine', combine);
      const to = path.join(workspace.root, `${format} ${combine}`);
      const result = await basin.ask<ExportResult>('export', 'last', model, '--format', format, '--to', to);
      assert.ok(result.files.includes('ensemble.json'));
      const manifest = JSON.parse(await readFile(path.join(to, 'ensemble.json'), 'utf8')) as EnsembleManifest;
      assert.equal(manifest.combine, combine);
      assert.deepEqual(
        manifest.members.map((m) => m.model),
        members.map(String),
      );
      folders.push(to);
    }
    return folders;
  }

  /** Builds averages, equal and moving, and exports each in every format. @returns their ids, and files by format */
  async function averages(
    basin: CommandLine,
    formats: readonly string[],
  ): Promise<{ models: string[]; files: string[][] }> {
    const models: string[] = [];
    const files: string[][] = formats.map(() => []);
    for (const how of [[], ['--ema', '0.5']]) {
      const { model, trust } = await basin.ask<AverageResult>('average', 'last', ...how);
      assert.match(trust.join(' '), /computed anew/);
      models.push(model);
      for (const [i, format] of formats.entries()) {
        const to = path.join(workspace.root, `${model} ${format}`);
        const result = await basin.ask<ExportResult>('export', 'last', model, '--format', format, '--to', to);
        files[i]!.push(path.join(to, result.files.find((name) => !name.endsWith('.bin')) ?? ''));
      }
    }
    return { models, files };
  }

  it('in TensorFlow.js', async () => {
    const basin = new CommandLine(workspace.root, { EPOCHS: '4' });
    for (const name of ['clouds.mjs', 'cloudsExported.mjs'])
      await copyFile(path.join(scripts, name), path.join(workspace.root, name));
    await symlink(path.join(repository, 'node_modules'), path.join(workspace.root, 'node_modules'));
    const { code, stderr } = await basin.run('train', '--every', '6', '--', process.execPath, 'clouds.mjs');
    assert.equal(code, 0, stderr);
    const run = await workspace.store.open('last');
    const losses = (...what: string[]): Promise<number[][]> =>
      printed(workspace.root, process.execPath, 'cloudsExported.mjs', ...what);

    const { models, files } = await averages(basin, ['tfjs', 'safetensors']);
    const ofAverages = await scoredLosses(
      run,
      models.map((model) => run.modelPath(model)),
    );
    requireDistinct(ofAverages);
    assert.notDeepEqual(ofAverages[0], ofAverages[1]);
    const [json = [], safetensors = []] = files;
    assert.deepEqual(await losses(...json), ofAverages);
    assert.deepEqual((await losses(json[0]!, ...safetensors)).slice(1), ofAverages);

    const members = [12, 18, 24];
    const ofMembers = members.map((step) => run.snapshotPath(step));
    const [a, b, c, probability, logit] = await scoredLosses(run, ofMembers, combinations);
    const folders = await ensembles(basin, members, 'tfjs');
    assert.deepEqual(await losses(...folders), [a, b, c, probability, a, b, c, logit]);

    const again = await basin.run('export', 'last', 'ensemble-1', '--format', 'tfjs', '--to', folders[0]!);
    assert.equal(again.code, 0, again.stderr);
    await writeFile(path.join(folders[0]!, 'ensemble.json'), '{}');
    const over = await basin.run('export', 'last', 'ensemble-1', '--format', 'tfjs', '--to', folders[0]!);
    assert.equal(over.code, 1);
    assert.match(over.stderr, /Basin did not write it/);
    const plain = path.join(workspace.root, 'plain');
    const copied = await basin.ask<ExportResult>(
      ...['export', 'last', 'ensemble-2', '--format', 'safetensors', '--to', plain],
    );
    const alone = [1, 2, 3].map((n) => `member-${n}/model.safetensors`);
    assert.deepEqual(copied.files, ['ensemble.json', 'load-ensemble.mjs', ...alone]);
    const read = await losses(json[0]!, ...alone.map((name) => path.join(plain, name)));
    assert.deepEqual(read.slice(1), [a, b, c]);
    const [first = '', second = ''] = await ensembles(basin, members, 'safetensors');
    assert.deepEqual(await losses(first), [a, b, c, probability]);
    assert.deepEqual(await losses(second), [a, b, c, logit]);

    const counted = path.join(first, 'ensemble.json');
    const said = JSON.parse(await readFile(counted, 'utf8')) as EnsembleManifest;
    await writeFile(counted, JSON.stringify({ ...said, output: null }));
    await assert.rejects(losses(first), /It is not known what the members predict: set "output"/);
    await copyFile(files[1]![0]!, path.join(second, said.members[0]!.file)); // still one of this architecture
    await losses(second);
    await writeFile(path.join(second, said.members[0]!.file), Buffer.from('\x02\0\0\0\0\0\0\0{}', 'latin1'));
    await assert.rejects(
      losses(second),
      /model\.safetensors has no "[^"]+" of shape \[[\d,]+\]\. Give the layers the names .* export the ensemble as tfjs/,
    );

    for (const spoiled of [first, second]) await rm(spoiled, { recursive: true });

    const taken = path.join(workspace.root, 'taken');
    await writeFile(taken, '');
    const refused = await basin.run('export', 'last', 'ensemble-1', '--format', 'tfjs', '--to', taken);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /taken cannot be a directory: it is a file/);
    assert.match(refused.stderr, /Name another directory/);
  });

  it('in PyTorch', async function () {
    needs(this, 'torch');
    const python = testPython();
    const basin = new CommandLine(workspace.root, { OMP_NUM_THREADS: '1' });
    for (const name of ['clouds.py', 'clouds_exported.py'])
      await copyFile(path.join(scripts, name), path.join(workspace.root, name));
    const { code, stderr } = await basin.run('train', '--every', '6', '--', python, 'clouds.py');
    assert.equal(code, 0, stderr);
    const run = await workspace.store.open('last');
    const losses = (...what: string[]): Promise<number[][]> =>
      printed(workspace.root, python, 'clouds_exported.py', ...what);

    const { models, files } = await averages(basin, ['pt', 'safetensors']);
    const ofAverages = await scoredLosses(
      run,
      models.map((model) => run.modelPath(model)),
    );
    requireDistinct(ofAverages);
    assert.notDeepEqual(ofAverages[0], ofAverages[1]);
    for (const written of files) assert.deepEqual(await losses(...written), ofAverages);

    const members = [12, 18, 24];
    const ofMembers = members.map((step) => run.snapshotPath(step));
    const [a, b, c, probability, logit] = await scoredLosses(run, ofMembers, combinations);
    for (const format of ['pt', 'safetensors']) {
      const [first = '', second = ''] = await ensembles(basin, members, format);
      assert.deepEqual(await losses(first), [a, b, c, probability], format);
      assert.deepEqual(await losses(second), [a, b, c, logit], format);
      const file = path.join(first, 'ensemble.json');
      const said = JSON.parse(await readFile(file, 'utf8')) as EnsembleManifest;
      assert.deepEqual(said.path, [], 'the loss takes what the model gives');
      if (format !== 'pt') continue;
      await writeFile(file, JSON.stringify({ ...said, path: null }));
      await assert.rejects(
        losses(first),
        /The script's loss takes logits, which it makes .*name how, as in Ensemble/,
      );
      await writeFile(file, JSON.stringify({ ...said, path: [['attribute', 'T']] }));
      await assert.rejects(losses(first), /Expected input batch_size/);
    }
  });
});
