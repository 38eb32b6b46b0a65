/** Every kind of analysis on Hessians, data and weights as awkward as they come: a right answer or a clear error. */
import assert from 'node:assert/strict';
import { Engine } from '../../../src/engine/engine.ts';
import type { AnalysisKind, AnalysisResult } from '../../../src/protocol/analyses.ts';
import { BasinError, type ErrorCode } from '../../../src/protocol/errors.ts';
import { everyKind, jobOf } from '../../fixtures/everyKind.ts';
import { holdRun, type HeldOptions, type HeldRun } from '../../fixtures/heldRun.ts';
import { classifier, diagonalQuadratic, linearRegression, type Problem } from '../../fixtures/problems.ts';
import { makeWorkspace, type Workspace } from '../../fixtures/runs.ts';

interface Odd extends HeldOptions {
  /** What is refused, and how; everything else answers. */
  readonly refused: Partial<Record<AnalysisKind, ErrorCode>>;
  /** The Hessian's eigenvalues, largest first, where they are known. */
  readonly eigenvalues?: readonly number[];
}

/** A loss without classes, predictions or held-out samples. */
const plain = {
  calibration: 'unsupported',
  margins: 'unsupported',
  noise: 'unsupported',
  swag: 'unsupported',
  soup: 'unsupported',
  ensemble: 'unsupported',
  fge: 'unsupported',
  'snapshot-ensemble': 'unsupported',
} as const;
const ofEigenvalues = (eigenvalues: number[], start: number[], refused: Odd['refused'] = {}): Odd => ({
  problem: diagonalQuadratic(eigenvalues),
  start,
  refused: { ...plain, ...refused },
  eigenvalues: [...eigenvalues].sort((a, b) => b - a),
});
const one = { x: [[0.5, -1, 2]], labels: [1] };
const single: Problem = linearRegression([[1], [2], [-1], [0.5]], [1, 2, 3, 4]);
const standing = { trajectory: 'bad-input', landscapes: 'bad-input' } as const;

const odd: Readonly<Record<string, Odd>> = {
  'an ill-conditioned Hessian': ofEigenvalues([1e-6, 1e-3, 1, 5], [1, 1, 1, 1]),
  'a negative definite Hessian': ofEigenvalues([-1, -0.5, -2], [0.1, 0.1, 0.1]),
  'a Hessian of rank one, and parameters that the loss does not use': ofEigenvalues(
    [0, 3, 0, 0],
    [1, 1, 1, 1],
    // Its path is a straight line, which spans no plane.
    { landscapes: 'bad-input' },
  ),
  'a Hessian that is zero': ofEigenvalues([0, 0, 0], [1, 2, 3], standing),
  'weights that are zero': ofEigenvalues([1, 2, 3], [0, 0, 0], {
    ...standing,
    contour: 'unsupported',
    'curvature-map': 'unsupported',
    point: 'unsupported',
  }),
  'a single parameter': {
    problem: single,
    start: [0.3],
    // It shows predictions, of numbers and not of classes.
    refused: {
      calibration: 'unsupported',
      margins: 'unsupported',
      noise: 'unsupported',
      soup: 'unsupported',
      landscapes: 'bad-input',
      contour: 'unsupported',
      'curvature-map': 'unsupported',
      point: 'unsupported',
    },
    // (2/4)·(1 + 4 + 1 + ¼)
    eigenvalues: [3.125],
  },
  'one sample': {
    problem: classifier({ units: [3, 2], activation: 'tanh', bias: true, train: one, validation: one }),
    refused: { calibration: 'unsupported', noise: 'unsupported', landscapes: 'bad-input' },
  },
  'weights that became NaN': {
    end: Array<number>(12).fill(NaN),
    refused: {
      contour: 'non-finite',
      landscapes: 'non-finite',
      'curvature-map': 'non-finite',
      point: 'non-finite',
      line: 'non-finite',
      sharpness: 'non-finite',
      spectrum: 'non-finite',
      flatness: 'non-finite',
      calibration: 'non-finite',
      margins: 'non-finite',
      noise: 'non-finite',
      cycles: 'non-finite',
      average: 'non-finite',
      swag: 'non-finite',
      ensemble: 'non-finite',
      swa: 'non-finite',
      fge: 'non-finite',
      'snapshot-ensemble': 'non-finite',
    },
  },
};

/** Numbers of a result that its own trust has to explain where they are missing. */
function check(result: AnalysisResult, eigenvalues: readonly number[] | undefined): void {
  assert.ok(result.trust.length > 0);
  for (const sentence of result.trust)
    assert.doesNotMatch(sentence, /NaN(?! or)|(?<!or )infinite|undefined|null|Infinity/, sentence);
  if (eigenvalues === undefined) return;
  const size = Math.max(...eigenvalues.map(Math.abs));
  const near = (a: number | null | undefined, b: number): void =>
    assert.ok(typeof a === 'number' && Math.abs(a - b) <= 1e-3 * size, `${a} is not ${b}`);
  if (result.kind === 'sharpness') {
    assert.ok(result.converged);
    result.eigenvalues.forEach((value, k) => near(value, eigenvalues[k]!));
  }
  if (result.kind === 'curvature-map') {
    assert.equal(result.notConverged, 0);
    // These losses are quadratic: the Hessian is the same wherever one looks.
    for (const value of result.largest.flat()) near(value, eigenvalues[0]!);
    for (const value of result.smallest.flat()) near(value, eigenvalues.at(-1)!);
  }
  if (result.kind === 'stability') for (const point of result.points) near(point.lambda1, eigenvalues[0]!);
  if (result.kind === 'spectrum') {
    const [block] = result.blocks;
    assert.ok(block!.largest!.converged && block!.smallest!.converged);
    block!.largest!.values.forEach((value, k) => near(value, eigenvalues[k]!));
    block!.smallest!.values.forEach((value, k) => near(value, eigenvalues.at(-1 - k)!));
    near(
      block!.trace!.value,
      eigenvalues.reduce((s, x) => s + x, 0),
    );
    const { x, density } = block!.density!;
    const mass = density.reduce((s, d) => s + d * (x[1]! - x[0]!), 0);
    assert.ok(Math.abs(mass - 1) < 1e-3, `the density holds ${mass}`);
  }
}

describe('every kind of analysis on', function () {
  this.timeout(60_000);
  for (const [name, { refused, eigenvalues, ...options }] of Object.entries(odd)) {
    describe(name, () => {
      let workspace: Workspace;
      let held: HeldRun;
      let engine: Engine;
      before(async () => {
        workspace = await makeWorkspace();
        held = await holdRun(workspace.store, { ...options, sketch: true });
        engine = new Engine({ root: workspace.root, dist: '', version: '0.0.0' });
      });
      after(async () => {
        await engine.dispose();
        await held.server.stop();
        await workspace.remove();
      });

      for (const kind of everyKind) {
        const code = refused[kind];
        it(`${kind}: ${code === undefined ? 'answers' : `is refused as ${code}`}`, async () => {
          const asked = engine.run(jobOf(kind));
          if (code === undefined) check((await asked) as AnalysisResult, eigenvalues);
          else
            await assert.rejects(asked, (error) => {
              assert.ok(error instanceof BasinError, String(error));
              assert.equal(error.code, code, error.message);
              // What is wrong and what to do, each in a sentence of its own.
              assert.match(error.message, /^[A-Z].*\.$/);
              assert.match(error.cure ?? '', /^[A-Z].*\.$/);
              return true;
            });
          assert.deepEqual(held.reference.held, [], 'every vector is released');
        });
      }
    });
  }
});
