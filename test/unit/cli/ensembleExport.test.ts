/**
 * Exported ensembles, loaded by the file beside them in their own framework, predict to the last bit what was scored:
 * the members alone, and all of them by every combination.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFile, readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import * as tf from '@tensorflow/tfjs';
import { openEvaluator } from '../../../src/evaluators/openEvaluator.ts';
import { installedProbes } from '../../../src/evaluators/probes.ts';
import type { EnsembleManifest } from '../../../src/engine/exportEnsemble.ts';
import type { EnsembleResult, ExportResult } from '../../../src/protocol/results.ts';
import type { Run } from '../../../src/runs/run.ts';
import { CommandLine } from '../../fixtures/commandLine.ts';
import { makeWorkspace, type Workspace } from '../../fixtures/runs.ts';
import { needs, testPython } from '../../harness/requires.ts';

const repository = path.resolve(import.meta.dirname, '../../..');
const combinations = ['probability', 'logit'] as const;

/** Validation losses, sample for sample, of each member alone and of all by each combination. */
async function scored(run: Run, members: readonly number[]): Promise<number[][]> {
  const options = { probes: installedProbes(path.join(repository, 'dist')) };
  const opened = await openEvaluator(run, await run.readManifest(), 0, options);
  try {
    const { evaluator } = opened;
    const names: string[] = [];
    for (const step of members) {
      await evaluator.load({ into: `m${step}`, from: { file: run.snapshotPath(step) } });
      names.push(`m${step}`);
    }
    const how = { data: { split: 'validation' }, mode: 'inference', refresh: false } as const;
    const ask = async (more: { members: string[]; combine?: 'probability' | 'logit' }): Promise<number[]> => [
      ...((await evaluator.samples({ how, inputGradient: false, ...more })).loss ?? []),
    ];
    return [
      ...(await Promise.all(names.map((name) => ask({ members: [name] })))),
      await ask({ members: names, combine: 'probability' }),
      await ask({ members: names, combine: 'logit' }),
    ];
  } finally {
    await opened.close();
  }
}

describe('exported ensembles', function () {
  this.timeout(240_000);
  let workspace: Workspace;
  before(async function () {
    needs(this, 'bundles');
    workspace = await makeWorkspace();
  });
  after(() => workspace?.remove());

  /** Builds and exports the ensemble by each combination. @returns the folders */
  async function exported(basin: CommandLine, members: readonly number[], format: string): Promise<string[]> {
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

  it('in TensorFlow.js', async () => {
    const basin = new CommandLine(workspace.root, { EPOCHS: '4' });
    await copyFile(
      path.join(repository, 'test', 'fixtures', 'scripts', 'clouds.mjs'),
      path.join(workspace.root, 'clouds.mjs'),
    );
    await symlink(path.join(repository, 'node_modules'), path.join(workspace.root, 'node_modules'));
    const { code, stderr } = await basin.run('train', '--every', '6', '--', process.execPath, 'clouds.mjs');
    assert.equal(code, 0, stderr);
    const members = [12, 18, 24];
    const expected = await scored(await workspace.store.open('last'), members);
    const folders = await exported(basin, members, 'tfjs');

    await tf.setBackend('cpu');
    // The script's own held-out data.
    const labels = tf.tensor1d(
      Array.from({ length: 96 }, (_, i) => i % 3),
      'int32',
    );
    const y = tf.oneHot(labels, 3).toFloat();
    const centres = tf.pad(y, [
      [0, 0],
      [0, 1],
    ]);
    const x = tf.add(centres, tf.randomNormal([96, 4], 0, 0.6, 'float32', 12));
    const losses = (p: tf.Tensor): number[] =>
      Array.from(tf.metrics.categoricalCrossentropy(y, p).dataSync());
    const found: number[][] = [];
    for (const [i, folder] of folders.entries()) {
      const loader = (await import(pathToFileURL(path.join(folder, 'load-ensemble.mjs')).href)) as {
        loadEnsemble(library: typeof tf): Promise<{
          manifest: EnsembleManifest;
          members: tf.LayersModel[];
          predict(input: tf.Tensor): tf.Tensor;
          dispose(): void;
        }>;
      };
      const ensemble = await loader.loadEnsemble(tf);
      assert.equal(ensemble.manifest.output, 'probabilities');
      if (i === 0) for (const member of ensemble.members) found.push(losses(member.predict(x) as tf.Tensor));
      found.push(losses(ensemble.predict(x)));
      ensemble.dispose();
    }
    found.forEach((each, i) => assert.deepEqual(each, expected[i], `prediction ${i}`));
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
    assert.deepEqual(copied.files, [
      'ensemble.json',
      ...[1, 2, 3].map((n) => `member-${n}/model.safetensors`),
    ]);
  });

  it('in PyTorch', async function () {
    needs(this, 'torch');
    const python = testPython();
    const basin = new CommandLine(workspace.root, { OMP_NUM_THREADS: '1' });
    const script = path.join(workspace.root, 'train.py');
    await copyFile(path.join(repository, 'test', 'torch', 'scripts', 'cross_entropy_module.py'), script);
    const { code, stderr } = await basin.run('train', '--', python, 'train.py');
    assert.equal(code, 0, stderr);
    const members = [12, 14, 16];
    const expected = await scored(await workspace.store.open('last'), members);
    const folders = await exported(basin, members, 'pt');
    const check = path.join(workspace.root, 'check.py');
    await writeFile(
      check,
      [
        'import json, sys, torch',
        'sys.path.insert(0, sys.argv[2])',
        'import train',
        'from load_ensemble import Ensemble',
        'torch.manual_seed(0); x = torch.randn(640, 20)',
        '_, held = train.random_split(train.TensorDataset(x, x[:, :5].argmax(1)), [512, 128])',
        'ensemble = Ensemble(train.Net)',
        "assert ensemble.manifest['output'] == 'logits'",
        'def losses(model):',
        '    with torch.no_grad():',
        '        batches = [torch.nn.functional.cross_entropy(model(a), b, reduction="none").double() for a, b in train.DataLoader(held, batch_size=64)]',
        '    return torch.cat(batches).tolist()',
        'print(json.dumps([losses(m) for m in [*ensemble.members, ensemble]]))',
      ].join('\n'),
    );
    for (const [i, folder] of folders.entries()) {
      const { stdout } = await promisify(execFile)(python, [check, script, folder], {
        cwd: workspace.root,
        env: { ...process.env, OMP_NUM_THREADS: '1' },
      });
      const found = JSON.parse(stdout) as number[][];
      assert.deepEqual(found.slice(0, 3), expected.slice(0, 3), 'members');
      assert.deepEqual(found[3], expected[3 + i], combinations[i]);
    }
  });
});
