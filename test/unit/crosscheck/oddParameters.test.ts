/** Shared, single, frozen and unused parameters, on many samples and on one, in both real probes: closed forms. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Matrix } from 'ml-matrix';
import { eigenSymmetric } from '../../../src/analysis/eigen.ts';
import { Engine } from '../../../src/engine/engine.ts';
import type { AnalysisKind, AnalysisResult } from '../../../src/protocol/analyses.ts';
import type { SpectrumResult } from '../../../src/protocol/curvature.ts';
import { BasinError, type ErrorCode } from '../../../src/protocol/errors.ts';
import type { FlatnessResult } from '../../../src/protocol/flatness.ts';
import { CommandLine } from '../../fixtures/commandLine.ts';
import { everyKind, jobOf } from '../../fixtures/everyKind.ts';
import { gaussianRows } from '../../fixtures/gaussian.ts';
import { makeWorkspace, type Workspace } from '../../fixtures/runs.ts';
import { needs, testPython } from '../../harness/requires.ts';

const repository = path.resolve(import.meta.dirname, '../../..');
const script = (name: string): string => path.join(repository, 'test/fixtures/scripts', name);

/** What is refused, and how: six steps on one batch, a loss without classes and without held-out samples. */
const numbers: Partial<Record<AnalysisKind, ErrorCode>> = {
  calibration: 'unsupported',
  margins: 'unsupported',
  noise: 'unsupported',
  soup: 'unsupported',
  cycles: 'bad-input',
};
const refused: Readonly<Record<'torch' | 'tfjs', typeof numbers>> = {
  torch: numbers,
  // A loop by hand shows no predictions in TF.js, which ensembles combine.
  tfjs: {
    ...numbers,
    swag: 'unsupported',
    ensemble: 'unsupported',
    fge: 'unsupported',
    'snapshot-ensemble': 'unsupported',
  },
};

describe('odd parameters', function () {
  this.timeout(240_000);
  let workspace: Workspace;
  let basin: CommandLine;
  beforeEach(async function () {
    needs(this, 'bundles');
    workspace = await makeWorkspace();
    basin = new CommandLine(workspace.root, { OMP_NUM_THREADS: '1' });
  });
  afterEach(() => workspace?.remove());

  const record = async (framework: 'torch' | 'tfjs', samples: number, ...options: string[]) => {
    const [first, second] = [gaussianRows(samples, 3, 4), gaussianRows(samples, 3, 5)];
    const data = path.join(workspace.root, 'data.json');
    await writeFile(data, JSON.stringify({ first, second, y: gaussianRows(samples, 1, 6) }));
    const command =
      framework === 'torch' ? [testPython(), script('odd.py')] : [process.execPath, script('odd.mjs')];
    const trained = await basin.run('train', ...options, '--', ...command, data);
    assert.equal(trained.code, 0, trained.stderr);
    return [first, second] as const;
  };

  for (const framework of ['torch', 'tfjs'] as const) {
    it(`get an answer or a clear error from every kind of analysis, in a ${framework} script`, async function () {
      if (framework === 'torch') needs(this, 'torch');
      await record(framework, 24, '--every', '1');
      const engine = new Engine({
        root: workspace.root,
        dist: path.join(repository, 'dist'),
        version: '0.0.0',
      });
      const found: Partial<Record<AnalysisKind, string>> = {};
      try {
        for (const kind of everyKind) {
          const members = { soup: [2, 'last'], landscapes: [0, 2, 'last'] }[String(kind)];
          const job = members === undefined ? jobOf(kind) : { ...jobOf(kind), members };
          try {
            const { trust } = (await engine.run(job)) as AnalysisResult;
            assert.ok(trust.length > 0);
            for (const sentence of trust) assert.doesNotMatch(sentence, /NaN(?! or)|undefined|null|Infinity/);
          } catch (error) {
            assert.ok(error instanceof BasinError, `${kind}: ${String(error)}`);
            assert.match(error.message, /^[A-Z].*\.$/);
            assert.match(error.cure ?? '', /^[A-Z].*\.$/);
            found[kind] = error.code;
          }
        }
      } finally {
        await engine.dispose();
      }
      assert.deepEqual(found, refused[framework]);
    });

    for (const samples of [24, 1]) {
      it(`have the curvature of the loss in a ${framework} script, on ${samples} sample${samples > 1 ? 's' : ''}`, async function () {
        if (framework === 'torch') needs(this, 'torch');
        const [first, second] = await record(framework, samples);
        // H = (2/N)·ZᵀZ: the shared weight sees the sum of its two inputs, the single one sees 1.
        const rows = new Matrix(first.map((row, i) => [...row.map((v, j) => v + second[i]![j]!), 1]));
        const hessian = rows
          .transpose()
          .mmul(rows)
          .mul(2 / samples);
        // PyTorch's optimizer holds the unused one too, in which the loss is flat; TF.js gives it no gradient.
        const flat = framework === 'torch' ? [0, 0] : [];
        const values = [...eigenSymmetric(hessian).values, ...flat];
        const found = await basin.ask<SpectrumResult>(
          'spectrum',
          '--top',
          '4',
          '--bottom',
          '1',
          '--per-layer',
        );
        const [whole, ...layers] = found.blocks;
        assert.equal(found.data.samples, samples);
        // The frozen one is no parameter of the objective, and the shared one is one.
        assert.equal(whole!.dimension, values.length);
        assert.equal(
          layers.reduce((n, block) => n + block.dimension, 0),
          values.length,
        );
        const largest = values[0]!;
        whole!.largest!.values.forEach((value, k) =>
          assert.ok(
            Math.abs(value - values[k]!) <= 1e-4 * largest,
            `λ${k + 1} is ${value}, not ${values[k]}`,
          ),
        );
        assert.ok(Math.abs(whole!.smallest!.values[0]! - values.at(-1)!) <= 1e-4 * largest);
        assert.ok(Math.abs(whole!.trace!.value - hessian.trace()) <= 1e-4 * hessian.trace());
        const alone = layers.find((block) => block.dimension === 1)!;
        assert.ok(Math.abs(alone.largest!.values[0]! - 2) < 1e-4, 'the single one has curvature 2');
        const { loss, measures } = await basin.ask<FlatnessResult>('flatness', '--measures', 'sam');
        assert.ok(loss > 0 && measures[0]!.value! > 0);
      });
    }
  }
});
