/**
 * Every kind of result says how far it can be trusted: samples, error, whether it is settled, method, evaluation set, and in
 * plain words. The table is by kind, so that a new kind without an entry does not compile.
 */
import assert from 'node:assert/strict';
import { Engine } from '../../../src/engine/engine.ts';
import type { Analyses, AnalysisKind, AnalysisResult } from '../../../src/protocol/analyses.ts';
import type { Scores } from '../../../src/protocol/results.ts';
import { everyKind, jobOf } from '../../fixtures/everyKind.ts';
import { holdRun, type HeldRun } from '../../fixtures/heldRun.ts';
import { makeWorkspace, type Workspace } from '../../fixtures/runs.ts';

interface Honesty<R> {
  /** Every standard error, residual or chance level that it states for what it estimates. */
  readonly errors: (result: R) => readonly (number | null | undefined)[];
  /** What it says of having ended: of what iterates or refines; once: computed in one go, with nothing to settle. */
  readonly settled: 'once' | ((result: R) => readonly (boolean | number)[]);
  /** The words, among its sentences, that name how it was come by or on what it rests. */
  readonly method: RegExp;
}

const ofScores = (scores: Scores): (number | null | undefined)[] => [
  scores.train.lossStandardError,
  scores.train.accuracyStandardError,
  scores.validation?.lossStandardError,
  scores.validation?.accuracyStandardError,
];

const trained: Honesty<Analyses['fge']['result'] | Analyses['snapshot-ensemble']['result']> = {
  errors: (r) => [
    ...ofScores(r.score),
    ...ofScores(r.baseline),
    ...r.members.flatMap((m) => ofScores(m.score)),
  ],
  settled: (r) => [r.complete, r.training.steps, r.training.samplesRead],
  method: /Trained on the script's own data .* distinct samples/,
};

const honesty: { readonly [K in AnalysisKind]: Honesty<Analyses[K]['result']> } = {
  contour: {
    errors: (r) => [r.standardError],
    settled: (r) => [r.complete, r.evaluated],
    method: /directions are random and filter-normalised/,
  },
  landscapes: {
    errors: (r) => r.landscapes.map(({ contour }) => contour!.standardError),
    settled: (r) => [r.complete, ...r.landscapes.map(({ contour }) => contour!.complete)],
    method: /All models are of one run, so there is one landscape/,
  },
  'curvature-map': {
    errors: (r) => [r.centre.residual, ...r.residual.flat()],
    settled: (r) => [r.complete, r.evaluated, r.products, r.notConverged === 0],
    method: /Both ends have converged to 1 % of the larger one at every point/,
  },
  line: { errors: (r) => r.standardError, settled: 'once', method: /straight line between its ends/ },
  sharpness: {
    errors: (r) => [r.standardError, ...r.residuals],
    settled: (r) => [r.converged, r.products],
    method: /Hessian-vector products are exact/,
  },
  spectrum: {
    errors: (r) =>
      r.blocks.flatMap((b) => [
        ...b.largest!.residuals,
        ...b.smallest!.residuals,
        b.trace!.standardError,
        ...b.density!.standardError,
      ]),
    settled: (r) =>
      r.blocks.flatMap((b) => [b.largest!.converged, b.smallest!.converged, b.trace!.converged]),
    method: /products with the Hessian, all exact/,
  },
  stability: {
    errors: (r) => r.points.map((p) => p.residual),
    settled: (r) => [...r.points.map((p) => p.converged), r.products],
    method: /Hessian-vector products are exact/,
  },
  flatness: {
    errors: (r) => r.measures.filter((m) => m.name === 'average-case').map((m) => m.standardError),
    settled: (r) =>
      r.measures.map((m) => m.evaluations.losses + m.evaluations.gradients + m.evaluations.products),
    method: /largest loss that was found/,
  },
  calibration: {
    errors: (r) => [r.standardError, ...(r.interval ?? []), r.ifCalibrated.percentile95],
    settled: 'once',
    method: /bins of equal width/,
  },
  margins: {
    errors: (r) => [r.train.output.standardError, r.train.input!.standardError, r.gap!.loss.standardError],
    settled: 'once',
    method: /to first order/,
  },
  measures: {
    // One run tells nothing, and that is the answer: what stands for an error is the least p that it could show.
    errors: (r) => [r.leastP, r.runs[0]!.gap!.standardError],
    settled: 'once',
    method: /Nothing can be told: one run has a known gap/,
  },
  layers: {
    // Norms and ratios are measured, not estimated: what stands for an error is in how many records they were.
    errors: (r) => r.parameters.map((p) => p.gradientNorm.count),
    settled: 'once',
    method: /records from step .* each of one batch/,
  },
  noise: {
    errors: (r) => [
      r.scale.trace.standardError,
      r.scale.gradient.standardError,
      r.hessian!.noise.standardError,
    ],
    settled: (r) => [r.rank.limit, r.hessian!.converged, r.hessian!.products],
    method: /jackknife.s over batches/,
  },
  trajectory: {
    errors: (r) => [r.sketch!.error, ...r.snapshots!.components.map((c) => c.randomWalk)],
    settled: 'once',
    method: /a random walk of as many/,
  },
  cycles: {
    // Too short a run has no epoch to look at; what then stands for an error is what was looked at.
    errors: (r) => [r.atEpoch?.shuffled.percentile95 ?? r.coordinates],
    settled: 'once',
    method: /From the weights' sketch/,
  },
  score: { errors: (r) => ofScores(r.score), settled: 'once', method: /Accuracy .* ± / },
  point: {
    errors: (r) => [...ofScores(r.score), ...ofScores(r.baseline), r.nearest!.distance],
    settled: 'once',
    method: /nearest snapshot, \d+, lies/,
  },
  average: {
    errors: (r) => [...ofScores(r.score), ...ofScores(r.baseline)],
    settled: 'once',
    method: /Average of \d+ snapshots/,
  },
  sweep: {
    errors: (r) => [
      ...r.windows.map((w) => w.gain!.standardError),
      ...r.windows.flatMap((w) => ofScores(w.score)),
      r.expectedGain!.standardError,
    ],
    settled: (r) => [r.windows.length],
    method: /judged on samples that had no part in choosing/,
  },
  swag: {
    errors: (r) => [...ofScores(r.score), ...ofScores(r.average), ...ofScores(r.baseline)],
    settled: (r) => [r.draws, r.rank],
    method: /another seed draws other weights/,
  },
  soup: {
    errors: (r) => [...ofScores(r.score), ...ofScores(r.baseline), r.expectedGain!.standardError],
    settled: 'once',
    method: /samples that had no part in choosing/,
  },
  ensemble: {
    errors: (r) => [...ofScores(r.score), ...r.memberScores.flatMap(ofScores)],
    settled: (r) => [r.forwardPasses],
    method: /forward passes per prediction/,
  },
  swa: {
    errors: (r) => [
      ...ofScores(r.score),
      ...ofScores(r.baseline),
      ...r.iterates.flatMap((i) => ofScores(i.score)),
    ],
    settled: (r) => [r.complete, r.training.steps, r.training.samplesRead],
    method: /Trained on the script's own data .* distinct samples/,
  },
  fge: trained,
  'snapshot-ensemble': trained,
};

describe('every kind of result', function () {
  this.timeout(60_000);
  let workspace: Workspace;
  let held: HeldRun;
  let engine: Engine;
  before(async () => {
    workspace = await makeWorkspace();
    held = await holdRun(workspace.store, { sketch: true, batchSize: 10 });
    engine = new Engine({ root: workspace.root, dist: '', version: '0.0.0' });
  });
  after(async () => {
    await engine.dispose();
    await held.server.stop();
    await workspace.remove();
  });

  for (const kind of everyKind) {
    it(`${kind} says how far it can be trusted`, async () => {
      const result = (await engine.run(jobOf(kind))) as AnalysisResult;
      const { errors, settled, method } = honesty[kind] as unknown as Honesty<AnalysisResult>;

      const stated = errors(result);
      assert.ok(stated.length > 0);
      for (const error of stated) assert.ok(typeof error === 'number' && error >= 0, `an error is ${error}`);
      if (settled !== 'once')
        for (const said of settled(result))
          assert.ok(said === true || (typeof said === 'number' && said > 0), `it says ${said}`);

      const { trust, data, provenance } = result;
      // Plain: whole sentences with a full stop, no number that is none, and no identifier out of the code.
      for (const sentence of trust) {
        assert.match(sentence, /^[\p{Lu}λ\d].*[.]$/u);
        assert.doesNotMatch(sentence, /NaN(?! or)|undefined|null|Infinity|\b[a-z]+[A-Z][a-z]+\b/, sentence);
      }
      assert.ok(
        trust.some((sentence) => method.test(sentence)),
        trust.join('\n'),
      );
      if (data === null) {
        assert.deepEqual(
          [provenance.evaluator, provenance.mode, provenance.backend],
          ['none', null, null],
          'nothing was evaluated',
        );
      } else {
        assert.equal(data.samples, data.split === 'train' ? 60 : 40);
        const words = `Evaluated on ${data.samples} ${data.split === 'train' ? 'training' : 'validation'} samples, in inference mode`;
        assert.ok(trust.some((sentence) => sentence.startsWith(words)));
        assert.deepEqual([provenance.evaluator, provenance.mode], ['held', 'inference']);
      }
      assert.equal((provenance.job as { kind: string }).kind, kind);
      assert.ok(provenance.seconds >= 0);
    });
  }
});
