import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { RunView } from '../../../src/protocol/page.ts';
import {
  addSteps,
  cancelling,
  initialState,
  jobDone,
  jobPartial,
  jobProgress,
  resultsOf,
  runningOf,
  showRun,
  startJob,
} from '../../../webview/panelState.ts';
import type { CalibrationResult } from '../../../src/protocol/generalisation.ts';
import { commandLine } from '../../../webview/provenance.ts';
import { axisNames, contourLayout, contourPicture } from '../../../webview/contourChart.ts';

const digits = JSON.parse(
  readFileSync(path.join(import.meta.dirname, '../../fixtures/digits-view.json'), 'utf8'),
) as RunView;
const job = { kind: 'contour', run: digits.run.id, plane: 'pca', size: 41 } as const;

describe('panel state', () => {
  it('takes a job from its start over partial results to its end, told twice', () => {
    const contour = resultsOf(digits, 'contour')[0]!;
    let state = startJob(showRun(initialState, { ...digits, results: [] }), 1, job, 'starting');
    state = jobProgress(state, { number: 1, job, progress: { fraction: 0.5, message: 'half' } });
    state = jobPartial(state, { number: 1, result: { ...contour, complete: false } });
    assert.equal(runningOf(state, ['contour'])?.progress.message, 'half');
    assert.equal(runningOf(state, ['contour'])?.partial?.complete, false);
    const done = { number: 1, result: contour, error: null };
    state = jobDone(jobDone(state, done), done);
    assert.equal(runningOf(state, ['contour']), null);
    assert.deepEqual(
      state.view?.results.map(({ id }) => id),
      [contour.id],
    );
  });

  it('shows jobs that the host started', () => {
    const state = jobProgress(showRun(initialState, digits), {
      number: -3,
      job,
      progress: { fraction: null, message: 'waiting' },
    });
    assert.equal(runningOf(state, ['contour'])?.number, -3);
  });

  it('keeps a failure in place until the job is asked for again, and no word of a cancelled one', () => {
    const error = { code: 'timeout', message: 'It took too long.', cure: 'Try again.' } as const;
    const started = startJob(showRun(initialState, digits), 1, job, '');
    const failed = jobDone(started, { number: 1, result: null, error });
    assert.equal(failed.failures.get('contour')?.message, error.message);
    assert.equal(startJob(failed, 2, job, '').failures.size, 0);
    const cancelled = jobDone(cancelling(started, 1), {
      number: 1,
      result: null,
      error: { code: 'cancelled', message: '' },
    });
    assert.equal(cancelled.failures.size, 0);
  });

  it('draws no step twice', () => {
    const state = showRun(initialState, digits);
    const last = digits.steps.at(-1)!;
    const added = addSteps(state, {
      steps: [last, { ...last, step: last.step + 1 }],
      live: [],
      run: digits.run,
    });
    assert.equal(added.view?.steps.length, digits.steps.length + 1);
  });
});

describe('results on a page', () => {
  it('give the command line that computes them again', () => {
    const [pca, random] = resultsOf(digits, 'contour');
    assert.match(
      commandLine(pca!),
      /^basin contour \S+ --plane pca --size 41 --at last --seed 1 --full --data train$/,
    );
    assert.match(commandLine(random!), /--plane random/);
    const job = { kind: 'calibration', bins: 15, binning: 'width', seed: 1 };
    const calibration = { ...pca!, kind: 'calibration', provenance: { ...pca!.provenance, job } };
    assert.match(
      commandLine(calibration as unknown as CalibrationResult),
      /^basin calibration \S+ --bins 15 --binning width --seed 1 --data train$/,
    );
    const odd = { ...pca!, run: "it's" };
    assert.match(commandLine(odd), /^basin contour 'it'\\''s' /);
  });

  it('say what their axes are', () => {
    const [pca, random] = resultsOf(digits, 'contour');
    assert.match(axisNames(pca!)[0], /^PC\u00a01 \(\d+\u00a0% of variance\)$/);
    assert.equal(axisNames(random!)[1], 'filter-normalised direction 2');
  });

  it('are drawn with one scale for both axes', () => {
    const pca = resultsOf(digits, 'contour').find((one) => one.plane.kind === 'pca')!;
    const { plot, equal } = contourLayout(pca, { width: 900, height: 700 });
    assert.ok(equal);
    const perUnit = [plot.width / (pca.x.at(-1)! - pca.x[0]!), plot.height / (pca.y.at(-1)! - pca.y[0]!)];
    // The recorded directions' norms are rounded.
    assert.ok(Math.abs(perUnit[0]! / perUnit[1]! - 1) < 1e-3);
  });

  it('say where a loss is not finite once all is computed, and nothing of it before', () => {
    const result = resultsOf(digits, 'contour')[0]!;
    const loss = result.loss.map((row, j) => row.map((value, i) => (i === 3 && j === 5 ? null : value)));
    assert.equal(contourPicture({ ...result, loss }, 'log')?.holes.length, 1);
    const partial = contourPicture({ ...result, loss, complete: false }, 'log');
    assert.equal(partial?.holes.length, 0);
    assert.deepEqual(partial.resolution, [21, 21]);
  });
});
