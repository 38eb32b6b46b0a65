/**
 * Curvature as a user asks for it (probe, engine, analysis, on a real script), beside three libraries that share
 * nothing with Basin and beside torch's own dense Hessian: all of them in float64, on the same weights and data.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { Engine } from '../../../src/engine/engine.ts';
import type { CurvatureMatrix, SpectrumResult } from '../../../src/protocol/curvature.ts';
import type { SharpnessResult } from '../../../src/protocol/results.ts';
import type { Run } from '../../../src/runs/run.ts';
import { CommandLine } from '../../fixtures/commandLine.ts';
import { makeWorkspace, type Workspace } from '../../fixtures/runs.ts';
import { TRAIN, twinProblem } from '../../fixtures/twinProblem.ts';
import { needs, referencesPath, testPython } from '../../harness/requires.ts';

const repository = path.resolve(import.meta.dirname, '../../..');
const script = (name: string): string => path.join(repository, 'test/fixtures/scripts', name);
const reference = path.join(repository, 'test/torch/reference_curvature.py');

interface Library {
  readonly top: readonly number[];
  readonly trace: number;
  readonly traceError: number;
  /** Gauss nodes and weights of each probe's Lanczos quadrature. */
  readonly nodes: readonly (readonly number[])[];
  readonly weights: readonly (readonly number[])[];
}
interface Reference {
  /** Every eigenvalue, largest first. */
  readonly exact: readonly number[];
  readonly libraries: Readonly<Record<string, Library>>;
}

const gauss = (t: number, centre: number, width: number): number =>
  Math.exp(-0.5 * ((t - centre) / width) ** 2) / (width * Math.sqrt(2 * Math.PI));
const sum = (values: readonly number[]): number => values.reduce((s, x) => s + x, 0);

describe('curvature agrees with independent libraries', function () {
  this.timeout(300_000);
  let workspace: Workspace;
  let engine: Engine;
  let basin: CommandLine;

  before(async function () {
    needs(this, 'bundles');
    needs(this, 'torch');
    needs(this, 'references');
    workspace = await makeWorkspace();
    await writeFile(path.join(workspace.root, 'mlp.json'), JSON.stringify(twinProblem('mlp')));
    basin = new CommandLine(workspace.root, { OMP_NUM_THREADS: '1' });
    engine = new Engine({ root: workspace.root, dist: path.join(repository, 'dist'), version: '0.0.0' });
  });
  after(async () => {
    await engine?.dispose();
    await workspace?.remove();
  });

  async function record(framework: 'tfjs' | 'torch', batch: number): Promise<Run> {
    const command =
      framework === 'tfjs' ? [process.execPath, script('twin.mjs')] : [testPython(), script('twin.py')];
    const { code, stderr } = await basin.run('train', '--', ...command, workspace.root, 'mlp', String(batch));
    assert.equal(code, 0, stderr);
    return workspace.store.open('last');
  }

  async function askReference(
    framework: 'tfjs' | 'torch',
    run: Run,
    matrix: CurvatureMatrix,
  ): Promise<Reference> {
    const last = (await run.snapshots(0)).at(-1);
    const args = [reference, path.join(workspace.root, 'mlp.json'), last?.file ?? '', framework, matrix];
    const env = { ...process.env, OMP_NUM_THREADS: '1', PYTHONPATH: referencesPath() };
    const { stdout } = await promisify(execFile)(testPython(), args, { env, maxBuffer: 2 ** 26 });
    return JSON.parse(stdout) as Reference;
  }

  for (const framework of ['torch', 'tfjs'] as const) {
    for (const [batch, matrix, density] of [
      [TRAIN, 'hessian', true],
      [TRAIN, 'gauss-newton', true],
      // The last batch is smaller. A density is four hundred products, each over every batch: once is enough.
      [100, 'hessian', false],
      [32, 'hessian', false],
    ] as const) {
      it(`on the ${matrix} of a ${framework} script with batches of ${batch}`, async () => {
        const run = await record(framework, batch);
        const result = (await engine.run({
          kind: 'spectrum',
          run: run.id,
          top: 5,
          // Gauss–Newton's smallest is a zero of many dimensions, which no residual tells from its neighbours.
          bottom: matrix === 'hessian' ? 1 : 0,
          trace: true,
          density,
          matrix,
        })) as SpectrumResult;
        const { exact, libraries } = await askReference(framework, run, matrix);
        const block = result.blocks[0]!;
        assert.equal(result.method, 'exact');
        assert.equal(result.data.samples, TRAIN);
        assert.equal(block.dimension, exact.length);
        assert.ok(block.largest!.converged && (block.smallest?.converged ?? true));

        // float32 against a float64 reference: the eigenvalue lies within the residual, and within half a percent.
        const size = Math.max(...exact.map(Math.abs));
        block.largest!.values.forEach((value, k) => {
          const off = Math.abs(value - exact[k]!);
          assert.ok(off <= 0.005 * exact[k]!, `λ${k + 1} is ${value}, not ${exact[k]}`);
          assert.ok(
            off <= block.largest!.residuals[k]!,
            `λ${k + 1} is off by ${off}: more than its residual`,
          );
        });
        const [lowest = NaN] = block.smallest?.values ?? [];
        if (block.smallest !== null)
          assert.ok(Math.abs(lowest - exact.at(-1)!) <= block.smallest.residuals[0]! + 1e-6 * size);
        for (const [name, { top }] of Object.entries(libraries)) {
          const ours = [...block.largest!.values];
          // PyHessian's are the largest by magnitude, among which the negative one may be.
          if (name === 'PyHessian') {
            ours.push(lowest);
            ours.sort((a, b) => Math.abs(b) - Math.abs(a));
          }
          assert.equal(top.length, 5);
          top.forEach((value, k) =>
            assert.ok(
              Math.abs(value - ours[k]!) <= 0.005 * Math.abs(value),
              `λ${k + 1}: ${ours[k]}, by ${name} ${value}`,
            ),
          );
        }
        if (matrix === 'hessian') {
          const sharpness = (await engine.run({ kind: 'sharpness', run: run.id, top: 1 })) as SharpnessResult;
          assert.ok(Math.abs(sharpness.eigenvalues[0]! - exact[0]!) <= 0.005 * exact[0]!);
        }

        const trace = block.trace!;
        const truth = sum(exact);
        assert.ok(trace.converged);
        assert.ok(
          trace.interval[0] <= truth && truth <= trace.interval[1],
          `${truth} is not in the interval`,
        );
        for (const [name, library] of Object.entries(libraries)) {
          const both = Math.hypot(trace.standardError, library.traceError);
          assert.ok(
            Math.abs(trace.value - library.trace) <= 3 * both,
            `trace ${trace.value}, by ${name} ${library.trace}, standard error of both ${both}`,
          );
        }

        if (block.density === null) return;
        // Each curve smoothed by Basin's own bandwidth at Basin's own points.
        const { x, density: ours, interval, standardError, bandwidth } = block.density;
        const exactly = x.map((t) => sum(exact.map((l) => gauss(t, l, bandwidth))) / exact.length);
        const peak = Math.max(...exactly);
        // What quadrature of so many steps leaves at a place without eigenvalues is no statistical error.
        const floor = 1e-3 * peak;
        const share = (holds: (i: number) => boolean): number =>
          x.filter((_, i) => holds(i)).length / x.length;
        const { low, high } = interval!;
        const inside = share((i) => low[i]! - floor <= exactly[i]! && exactly[i]! <= high[i]! + floor);
        assert.ok(inside >= 0.9, `${inside} of the exact density lies within its interval`);
        const off = (other: readonly number[], errors: readonly number[], times: number) => (i: number) =>
          Math.abs(ours[i]! - other[i]!) > times * errors[i]! + floor;
        assert.equal(share(off(exactly, standardError, 4)), 0, 'no point is four standard errors off');
        for (const [name, { nodes, weights }] of Object.entries(libraries)) {
          if (nodes.length === 0) continue;
          const curves = nodes.map((probe, p) =>
            x.map((t) => sum(probe.map((l, k) => weights[p]![k]! * gauss(t, l, bandwidth)))),
          );
          const mean = x.map((_, i) => sum(curves.map((c) => c[i]!)) / curves.length);
          const error = x.map((_, i) => {
            const variance = sum(curves.map((c) => (c[i]! - mean[i]!) ** 2)) / (curves.length - 1);
            return Math.hypot(Math.sqrt(variance / curves.length), standardError[i]!);
          });
          assert.ok(share(off(mean, error, 2)) <= 0.1, `${name}: ${share(off(mean, error, 2))} are off`);
          assert.equal(share(off(mean, error, 4)), 0, `${name}: no point is four standard errors off`);
        }
      });
    }
  }
});
