import assert from 'node:assert/strict';
import { prefersLog, scaledAxis } from '../../../webview/axes.ts';
import { csv } from '../../../webview/dataTable.ts';
import {
  formatAccuracy,
  formatDuration,
  formatNumber,
  formatPower,
  formatPercent,
  formatWithError,
} from '../../../webview/format.ts';
import { placeLabels, sideClearOf } from '../../../webview/labelPlacement.ts';
import { smoothingWindow, trailingMeans } from '../../../webview/lossChart.ts';
import { linearLevels, logLevels, lossScale } from '../../../webview/lossScale.ts';
import { boundFormula, verdictOf } from '../../../src/protocol/stability.ts';
import { rampColor } from '../../../webview/ramp.ts';
import { NOT_KNOWN } from '../../../src/protocol/page.ts';
import type { StepRecord } from '../../../src/protocol/run.ts';
import { thinSteps } from '../../../src/runs/runView.ts';
import { packSteps } from '../../../src/runs/stepColumns.ts';
import { compare } from '../../../webview/scoreTable.ts';
import { sparklinePaths } from '../../../webview/sparkline.ts';
import { lossText } from '../../../webview/stepLoss.ts';

describe('numbers on a page', () => {
  it('shows few digits and says what is no number', () => {
    assert.equal(formatNumber(0.123456), '0.1235');
    assert.equal(formatNumber(-12.5), '−12.5');
    assert.equal(formatNumber(1.5e-7), '1.5e−7');
    assert.equal(formatPower(0.003), '3e−3');
    assert.equal(formatPower(1250, 2), '1.3e3');
    assert.equal(formatPower(-0.0001), '−1e−4');
    assert.equal(formatNumber(2e6), '2e6');
    assert.equal(formatNumber(null), '–');
    assert.equal(formatNumber(Infinity), '∞');
    assert.equal(formatNumber(NaN), 'NaN');
    assert.equal(formatPercent(0.7134), '71\u00a0%');
    assert.equal(formatDuration(75), '1\u00a0min 15\u00a0s');
  });

  it('tells a loss that is not known from one that is not finite and from any that there is', () => {
    const step = (k: number, loss: StepRecord['loss']): StepRecord => ({
      ...{ step: k, objective: 0, epoch: null, loss, learningRate: 0.1, gradientNorm: null },
      ...{ updateNorm: null, distance: null, time: k, samples: null },
    });
    assert.deepEqual(
      [null, 'NaN' as const, -1, 0].map((loss) => lossText(step(0, loss))),
      ['loss not known', 'loss NaN', 'loss −1', 'loss 0'],
    );
    const columns = packSteps([null, 'NaN' as const, -1, 0].map((loss, k) => step(k, loss)));
    assert.deepEqual([...columns.loss], [NOT_KNOWN, NaN, -1, 0]);
    // A long log is thinned to what is drawn: of losses that are not known, none is a peak.
    const many = Array.from({ length: 10_000 }, (_, k) => step(k, k === 5003 ? 7 : k % 2 === 0 ? 1 : null));
    assert.ok(thinSteps(many, 200).some(({ loss }) => loss === 7));
  });

  it('gives an uncertainty two digits and the value as many decimals', () => {
    assert.equal(formatWithError(0.31234, 0.0042), '0.3123 ± 0.0042');
    assert.equal(formatWithError(41.234, 1.3), '41.2 ± 1.3');
    assert.equal(formatWithError(0.5, null), '0.5');
    assert.equal(formatAccuracy(0.974, 0.008), '97.4 ± 0.8\u00a0%');
  });

  it('scales losses monotonically and back again', () => {
    for (const kind of ['log', 'linear'] as const) {
      const scale = lossScale([0.1, null, 2.3, 0.7], kind);
      assert.ok(scale);
      assert.deepEqual([scale.min, scale.max, scale.toUnit(0.1), scale.toUnit(2.3)], [0.1, 2.3, 0, 1]);
      assert.ok(Math.abs(scale.fromUnit(scale.toUnit(0.7)) - 0.7) < 1e-12);
      assert.ok(scale.levels.length >= 4 && scale.levels.every((level) => level > 0.1 && level < 2.3));
    }
    assert.equal(lossScale([null, null], 'log'), null);
    assert.equal(lossScale([-1, 2], 'log')?.kind, 'linear', 'no logarithm of a negative loss');
    assert.equal(lossScale([3, 3], 'log')?.toUnit(3), 0.5);
  });

  it('chooses round levels', () => {
    assert.deepEqual(logLevels(0.08, 2.2, 9), [0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2]);
    assert.deepEqual(linearLevels(0, 1, 5), [0.2, 0.4, 0.6, 0.8]);
    assert.deepEqual(linearLevels(1, 1, 5), []);
  });

  it('labels a log axis of less than two decades', () => {
    const values = [0.2, 1, 2.4];
    assert.ok(prefersLog(values));
    const axis = scaledAxis(values, 'log', 5);
    const { axisTick } = axis.option as { axisTick: { customValues: number[] } };
    assert.ok(axisTick.customValues.length >= 3);
    assert.equal(axis.to(1), 0);
    assert.equal(axis.to(null), null);
    assert.equal(axis.to(-1), null);
  });

  it('has one ramp from dark to bright', () => {
    assert.equal(rampColor(-1), rampColor(0));
    assert.equal(rampColor(NaN), rampColor(1));
    assert.notEqual(rampColor(0), rampColor(1));
  });

  it('judges λ₁ by the bound of the optimizer', () => {
    assert.equal(boundFormula({ name: 'SGD', config: { learningRate: 0.1 } }), '2/η');
    assert.equal(boundFormula({ name: 'Momentum', config: { momentum: 0.9 } }), '(2+2β)/η');
    assert.equal(boundFormula({ name: 'Adam', config: {} }), 'bound');
    assert.deepEqual(
      [10, 19, 21, 23].map((lambda1) => verdictOf(lambda1, 20)),
      ['below', 'edge', 'edge', 'above'],
    );
    assert.equal(verdictOf(10, null), 'unknown');
  });

  it('only calls a score better when it is by two standard errors', () => {
    assert.equal(compare(0.5, 0.01, 0.6, 0.01, true), 'better');
    assert.equal(compare(0.7, 0.01, 0.6, 0.01, true), 'worse');
    assert.equal(compare(0.59, 0.01, 0.6, 0.01, true), 'same');
    assert.equal(compare(0.5, null, 0.6, 0.01, true), 'same');
  });

  it('smooths whole logs only, and skips what is not finite', () => {
    const steps = Array.from({ length: 500 }, (_, k) => k);
    assert.equal(smoothingWindow(steps), 10);
    assert.equal(smoothingWindow(steps.filter((k) => k % 2 === 0)), 1, 'a thinned log keeps extremes');
    assert.deepEqual(trailingMeans([1, 3, null, NaN, 5], 2), [1, 2, 3, null, 5]);
  });

  it('breaks a sparkline at missing values and leaves out a bound far away', () => {
    const { line } = sparklinePaths({ values: [1, null, 2, 3] });
    assert.equal(line.match(/M/g)?.length, 2);
    assert.equal(sparklinePaths({ values: [1, 2], reference: [100] }).reference, '');
    assert.notEqual(sparklinePaths({ values: [1, 2], reference: [3] }).reference, '');
    assert.equal(sparklinePaths({ values: [] }).line, '');
  });

  it('places isoline labels inside the frame and clear of each other', () => {
    const frame = { x: 0, y: 0, width: 400, height: 300 };
    const levels = [100, 104, 200].map((y) => ({
      text: '0.5',
      lines: [Float64Array.of(0, y, 400, y)],
    }));
    const placed = placeLabels(levels, frame, [], 11);
    assert.equal(placed.length, 3);
    for (const [i, a] of placed.entries()) {
      assert.equal(a.rotation, -0);
      for (const b of placed.slice(i + 1)) assert.ok(Math.hypot(a.x - b.x, a.y - b.y) > 20);
    }
  });

  it('has the name of a mark on the side where no path runs', () => {
    const frame = { x: 0, y: 0, width: 400, height: 300 };
    const to = (...path: [number, number][]): string =>
      sideClearOf(path, [200, 150], 'last', { fontSize: 11, radius: 6, frame });
    assert.equal(to([200, 290], [200, 150]), 'top', 'the first side where it is free');
    assert.equal(to([200, 10], [200, 150]), 'bottom', 'from above: below');
    assert.equal(to([200, 10], [200, 290], [200, 150]), 'right', 'up and down: beside');
    assert.equal(to([200, 10], [200, 290], [200, 150], [390, 150]), 'left');
    const corner = sideClearOf([[200, 150]], [398, 20], 'last', { fontSize: 11, radius: 6, frame });
    assert.equal(corner, 'left', 'nothing is cut off');
  });

  it('quotes what CSV needs quoted', () => {
    assert.equal(csv(['a', 'b'], [['x,"y"', null]]), 'a,b\r\n"x,""y""",\r\n');
  });
});
