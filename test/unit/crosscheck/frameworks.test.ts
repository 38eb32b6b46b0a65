/**
 * One network, its weights and its data in TF.js and in PyTorch, each recorded and questioned by its own probe: two
 * independent implementations of everything between the script and the result, which keep each other honest.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { LiveNoiseScaleMeter } from '../../../src/analysis/liveNoiseScale.ts';
import { Engine } from '../../../src/engine/engine.ts';
import { openEvaluator, type OpenEvaluator } from '../../../src/evaluators/openEvaluator.ts';
import { installedProbes } from '../../../src/evaluators/probes.ts';
import type { CurvatureMapResult } from '../../../src/protocol/curvatureMap.ts';
import type { Job } from '../../../src/protocol/engine.ts';
import type { HowToEvaluate } from '../../../src/protocol/evaluator.ts';
import type {
  AverageResult,
  ContourResult,
  EnsembleResult,
  LineResult,
  Score,
  SharpnessResult,
} from '../../../src/protocol/results.ts';
import type { RunManifest } from '../../../src/protocol/run.ts';
import type { Run } from '../../../src/runs/run.ts';
import { readFloat32 } from '../../../src/runs/safetensorsFile.ts';
import { CommandLine } from '../../fixtures/commandLine.ts';
import { makeWorkspace, type Workspace } from '../../fixtures/runs.ts';
import { HELD_OUT, trainSamples, twinProblem } from '../../fixtures/twinProblem.ts';
import { needs, testPython } from '../../harness/requires.ts';

const repository = path.resolve(import.meta.dirname, '../../..');
const script = (name: string): string => path.join(repository, 'test/fixtures/scripts', name);
const dist = path.join(repository, 'dist');
const STEPS = 16;

function close(a: number | null | undefined, b: number | null | undefined, tolerance: number, what: string) {
  assert.ok(typeof a === 'number' && typeof b === 'number', `${what}: ${a} and ${b}`);
  const scale = Math.max(Math.abs(a), Math.abs(b));
  assert.ok(
    Math.abs(a - b) <= tolerance * scale,
    `${what}: ${a} and ${b} differ by ${Math.abs(a - b) / scale}`,
  );
}

describe('TF.js and PyTorch agree', function () {
  this.timeout(180_000);

  for (const kind of ['mlp', 'conv'] as const) {
    describe(kind === 'mlp' ? 'on dense layers' : 'on a convolution with batch norm', () => {
      let workspace: Workspace;
      let engine: Engine;
      let runs: readonly [Run, Run];
      let manifests: readonly [RunManifest, RunManifest];
      const mode = kind === 'mlp' ? 'inference' : 'as-trained';
      const batch = String(trainSamples[kind] / (STEPS / 2));

      before(async function () {
        needs(this, 'bundles');
        needs(this, 'torch');
        workspace = await makeWorkspace();
        await writeFile(path.join(workspace.root, `${kind}.json`), JSON.stringify(twinProblem(kind)));
        const basin = new CommandLine(workspace.root, { OMP_NUM_THREADS: '1' });
        const record = async (...command: string[]): Promise<Run> => {
          const { code, stderr } = await basin.run('train', '--every', '4', '--every-step', '--', ...command);
          assert.equal(code, 0, stderr);
          return workspace.store.open('last');
        };
        runs = [
          await record(process.execPath, script('twin.mjs'), workspace.root, kind, batch),
          await record(testPython(), script('twin.py'), workspace.root, kind, batch),
        ];
        manifests = [await runs[0].readManifest(), await runs[1].readManifest()];
        engine = new Engine({ root: workspace.root, dist, version: '0.0.0' });
      });
      after(async () => {
        await engine?.dispose();
        await workspace?.remove();
      });

      const both = async <R>(job: Omit<Job, 'run'> & Record<string, unknown>): Promise<[R, R]> => {
        const one = (run: Run) => engine.run({ mode, ...job, run: run.id } as unknown as Job);
        return [(await one(runs[0])) as R, (await one(runs[1])) as R];
      };
      const sameScore = (a: Score | null, b: Score | null, tolerance: number, what: string): void => {
        assert.equal(a?.samples, b?.samples, what);
        close(a?.loss, b?.loss, tolerance, `${what}: loss`);
        assert.equal(a?.accuracy, b?.accuracy, `${what}: accuracy`);
      };

      it('on what they recorded', async () => {
        assert.deepEqual(
          manifests.map((m) => m.framework),
          ['tfjs', 'torch'],
        );
        const [a, b] = [await runs[0].readSteps(), await runs[1].readSteps()];
        assert.equal(a.length, STEPS);
        assert.equal(b.length, STEPS);
        a.forEach((step, i) => {
          const other = b[i];
          close(Number(step.loss), Number(other?.loss), 1e-5, `loss of step ${i}`);
          close(Number(step.gradientNorm), Number(other?.gradientNorm), 1e-4, `gradient norm of step ${i}`);
          close(Number(step.distance), Number(other?.distance), i === 0 ? 0 : 1e-4, `distance at step ${i}`);
        });
        assert.equal(manifests[0].objectives[0]?.parameterCount, manifests[1].objectives[0]?.parameterCount);
        for (const { objectives } of manifests) assert.ok(objectives[0]?.replay?.exact);
        assert.equal(manifests[0].evaluationSet?.train.samples, manifests[1].evaluationSet?.train.samples);
        assert.equal(manifests[1].evaluationSet?.validation?.samples, HELD_OUT);
      });

      it('on the extreme eigenvalues over a plane, and their ratio', async () => {
        // A product through convolutions takes long without compiled kernels: a coarse map of them.
        const [size, tolerance] = [5, kind === 'mlp' ? 0.01 : 0.05];
        const [a, b] = await both<CurvatureMapResult>({
          kind: 'curvature-map',
          plane: [0, 8, STEPS],
          size,
          tolerance,
        });
        const scale = Math.max(...a.largest.flat().map(Number));
        // A residual of so much is one to an eigenvalue: the outermost may lie a little further out.
        const near = (tolerance + 0.04) * scale;
        const apart = { largest: near, smallest: near, loss: 1e-3 };
        for (const field of ['largest', 'smallest', 'loss'] as const) {
          assert.equal(a[field].flat().length, size * size);
          a[field].flat().forEach((value, k) => {
            const other = b[field].flat()[k] ?? NaN;
            assert.ok(
              Math.abs((value ?? NaN) - other) < apart[field],
              `${field} ${k}: ${value} and ${other}`,
            );
          });
        }
        for (const { ratio, largest, smallest } of [a, b]) {
          ratio.flat().forEach((value, k) => {
            const [low, high] = [Number(smallest.flat()[k]), Number(largest.flat()[k])];
            assert.ok(Math.abs(Number(value) - Math.abs(low / high)) < 1e-9, `${value}: ${low} and ${high}`);
          });
        }
        assert.deepEqual([a.notConverged, b.notConverged], [0, 0]);
      }).timeout(400_000);

      it('on losses along a line, train and held out', async () => {
        const [a, b] = await both<LineResult>({ kind: 'line', from: 0, to: STEPS, points: 9 });
        a.loss.forEach((loss, i) => close(loss, b.loss[i], 1e-5, `loss at ${a.t[i]}`));
        close(a.length, b.length, 1e-4, 'length');
        if (kind === 'mlp') {
          assert.deepEqual(a.accuracy, b.accuracy);
          a.validation?.loss.forEach((loss, i) => close(loss, b.validation?.loss[i], 1e-5, 'held-out loss'));
        }
      });

      it('on a contour over the same plane', async () => {
        const [a, b] = await both<ContourResult>({
          kind: 'contour',
          plane: [0, 8, STEPS],
          size: kind === 'mlp' ? 11 : 5,
        });
        a.x.forEach((x, i) => close(x, b.x[i], 1e-4, 'x'));
        a.loss.forEach((row, j) =>
          row.forEach((loss, i) => close(loss, b.loss[j]?.[i], 1e-4, `loss at row ${j}, column ${i}`)),
        );
      });

      it('on λ₁ and the curvature below it', async () => {
        const [a, b] = await both<SharpnessResult>({ kind: 'sharpness', top: 3 });
        assert.deepEqual([a.method, b.method], ['exact', 'exact']);
        a.eigenvalues.forEach((value, i) => close(value, b.eigenvalues[i], 1e-3, `eigenvalue ${i + 1}`));
        close(a.stabilityBound, b.stabilityBound, 1e-9, 'bound');
        assert.equal(a.verdict, b.verdict);
      });

      it('on the scores of an average and an ensemble', async function () {
        // The frameworks keep different batch-norm variances (of the sample, of the population).
        if (kind === 'conv') return;
        const [a, b] = await both<AverageResult>({ kind: 'average', from: 8 });
        assert.deepEqual(a.members, b.members);
        sameScore(a.score.train, b.score.train, 1e-5, 'average, train');
        sameScore(a.score.validation, b.score.validation, 1e-5, 'average, held out');
        const [c, d] = await both<EnsembleResult>({ kind: 'ensemble', last: 3 });
        sameScore(c.score.train, d.score.train, 1e-5, 'ensemble, train');
        sameScore(c.score.validation, d.score.validation, 1e-5, 'ensemble, held out');
        const [e, f] = await both<EnsembleResult>({
          kind: 'ensemble',
          members: [4, 8, 16],
          combine: 'logit',
        });
        sameScore(e.score.validation, f.score.validation, 1e-5, 'ensemble by logits');
        assert.ok(Math.abs((e.score.validation?.loss ?? 0) - (c.score.validation?.loss ?? 0)) > 1e-4);
        for (const [one, other] of [
          [c, d],
          [e, f],
        ] as const) {
          one.diversity?.pairs.forEach((pair, i) => {
            const there = other.diversity?.pairs[i];
            close(pair.distance, there?.distance, 1e-4, `distance of ${pair.a} and ${pair.b}`);
            assert.equal(pair.disagreement, there?.disagreement);
          });
          one.byCount?.forEach((size, i) =>
            close(size.loss, other.byCount?.[i]?.loss, 1e-5, `ensemble of the first ${size.members}`),
          );
          // What the page is told of the whole ensemble is its score by the script's own loss.
          close(one.byCount?.at(-1)?.loss, one.score.validation?.loss, 1e-5, 'the first of all');
          const members = one.memberScores.map((s) => s.validation?.loss ?? NaN);
          if (one.combine === 'probability') {
            const mean = members.reduce((s, l) => s + l, 0) / members.length;
            assert.ok((one.score.validation?.loss ?? NaN) <= mean, 'Jensen');
          }
        }
        const [g, h] = await both<EnsembleResult>({ kind: 'ensemble', select: 3 });
        assert.deepEqual(g.selection?.taken[0]?.member, h.selection?.taken[0]?.member);
        const gains = [g, h].map((r) => r.selection?.expectedGain?.value ?? NaN);
        assert.ok(Math.abs(gains[0]! - gains[1]!) < 1e-5, `gains by selecting: ${gains.join(' and ')}`);
      });

      it('on the gradient noise scale as it is measured live, which is that of single samples by torch.func', async function () {
        if (kind === 'conv') return;
        const initial = (await runs[1].snapshots(0))[0]?.file ?? '';
        const { stdout } = await promisify(execFile)(testPython(), [
          path.join(repository, 'test/torch/reference_noise.py'),
          ...[path.join(workspace.root, 'mlp.json'), initial, '32'],
        ]);
        interface Parts {
          readonly signal: number;
          readonly trace: number;
        }
        const exact = JSON.parse(stdout) as Parts & { readonly batches: Parts };
        for (const [i, run] of runs.entries()) {
          const opened = await openEvaluator(run, manifests[i] as RunManifest, 0, {
            probes: installedProbes(dist),
          });
          try {
            const meter = new LiveNoiseScaleMeter({ data: { split: 'train' }, mode });
            const context = { signal: new AbortController().signal, progress: () => undefined };
            const found = await meter.measure(opened.evaluator, { batches: 16, batchSize: 32 }, context);
            assert.deepEqual([found.batches, found.samples, found.step], [8, 256, 0]);
            // The same estimate from the same batches, in both frameworks' float32; and the truth within its error.
            close(Number(found.signal), exact.batches.signal, 1e-4, 'signal');
            close(Number(found.noise), exact.batches.trace, 1e-4, 'noise');
            const off = (value: unknown, error: unknown, truth: number): number =>
              Math.abs(Number(value) - truth) / Number(error);
            assert.ok(off(found.noise, found.noiseStandardError, exact.trace) < 4);
            assert.ok(off(found.signal, found.signalStandardError, exact.signal) < 4);
            const [low, high] = found.interval.map(Number) as [number, number];
            assert.ok(low < exact.trace / exact.signal && exact.trace / exact.signal < high);
          } finally {
            await opened.close();
          }
        }
      });

      it('on every number of a gradient and of a Hessian-vector product', async () => {
        const opened: OpenEvaluator[] = [];
        try {
          const found: Map<string, Float64Array>[] = [];
          for (const [i, run] of runs.entries()) {
            const manifest = manifests[i] as RunManifest;
            const options = { probes: installedProbes(dist) };
            const one = await openEvaluator(run, manifest, 0, options);
            opened.push(one);
            const { evaluator } = one;
            const how: HowToEvaluate = { data: { split: 'train' }, mode, refresh: false };
            const file = (await run.snapshots(0)).find((s) => s.step === 8)?.file ?? '';
            await evaluator.load({ into: 'at', from: { file } });
            await evaluator.gradient({ at: 'at', into: 'gradient', how });
            const { method } = await evaluator.hvp({
              at: 'at',
              vector: 'at',
              into: 'product',
              how,
              method: 'exact',
            });
            assert.equal(method, 'exact');
            for (const vector of ['gradient', 'product']) {
              const target = path.join(workspace.root, `${i}-${vector}.safetensors`);
              await evaluator.save({ vector, file: target, metadata: {} });
              const values = new Map<string, Float64Array>();
              for (const p of manifest.objectives[0]?.parameters ?? []) {
                values.set(p.name, await inTfjsOrder(target, p.name, p.shape, i === 1));
              }
              found.push(values);
            }
          }
          const [gradientA, productA, gradientB, productB] = found.map((m) => [...m.values()]);
          compare(gradientA, gradientB, 1e-4, 'gradient');
          compare(productA, productB, 1e-4, 'product');
        } finally {
          for (const one of opened) await one.close();
        }
      });
    });
  }
});

/** A parameter's values in TF.js's layout: (out, in) and (out, in, height, width) are turned round. */
async function inTfjsOrder(
  file: string,
  name: string,
  shape: readonly number[],
  torch: boolean,
): Promise<Float64Array> {
  const values = Float64Array.from(await readFloat32(file, name));
  if (!torch || shape.length < 2) return values;
  const [out = 1, into = 1, height = 1, width = 1] = shape;
  const turned = new Float64Array(values.length);
  let k = 0;
  for (let h = 0; h < height; h++)
    for (let w = 0; w < width; w++)
      for (let i = 0; i < into; i++)
        for (let o = 0; o < out; o++) turned[k++] = values[((o * into + i) * height + h) * width + w] ?? NaN;
  return turned;
}

function compare(a: Float64Array[] = [], b: Float64Array[] = [], tolerance: number, what: string): void {
  assert.equal(a.length, b.length);
  assert.ok(a.length > 0);
  const norm = Math.sqrt(a.reduce((s, v) => s + v.reduce((t, x) => t + x * x, 0), 0));
  a.forEach((v, p) => {
    assert.equal(v.length, b[p]?.length, `${what}: parameter ${p}`);
    const off = Math.sqrt(v.reduce((s, x, i) => s + (x - (b[p]?.[i] ?? NaN)) ** 2, 0));
    assert.ok(off <= tolerance * norm, `${what}: parameter ${p} is off by ${off / norm}`);
  });
}
