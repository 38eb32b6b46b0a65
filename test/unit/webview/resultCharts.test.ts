/** What the pictures of recorded real results show: drawn from each result alone, the same numbers in picture, table and file. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { StabilityResult } from '../../../src/protocol/curvature.ts';
import type { RunView } from '../../../src/protocol/page.ts';
import { reliabilityCsv, reliabilityDrawing, reliabilityTable } from '../../../webview/calibrationChart.ts';
import type { Drawing } from '../../../webview/chart.ts';
import {
  autocorrelationCsv,
  autocorrelationDrawing,
  autocorrelationTable,
  powerDrawing,
  powerTable,
} from '../../../webview/cyclesChart.ts';
import { flatnessCsv, flatnessDrawing, flatnessTable } from '../../../webview/flatnessChart.ts';
import { formatNumber } from '../../../webview/format.ts';
import { lineDrawing, monotoneText } from '../../../webview/lineChart.ts';
import { layersCsv, layersHeat, layersTable } from '../../../webview/layersChart.ts';
import {
  alongCurvatureDrawing,
  liveNoiseCsv,
  liveNoiseDrawing,
  liveNoiseTable,
  noiseCsv,
  noiseDrawing,
} from '../../../webview/noiseChart.ts';
import { byCountDrawing, diversityDrawing, ensembleTables } from '../../../webview/ensembleChart.ts';
import { repeatsDrawing, repeatsTable } from '../../../webview/seedsDrawing.ts';
import { soupModels } from '../../../webview/soupModels.ts';
import { uncertaintyDrawing, uncertaintyTables } from '../../../webview/uncertaintyChart.ts';
import { marginsCsv, marginsDrawing, marginsTables, shares } from '../../../webview/marginsChart.ts';
import { resultsOf } from '../../../webview/panelState.ts';
import { beside, stacked } from '../../../webview/plots.ts';
import { scoresCsv, scoresDrawing, scoresTable } from '../../../webview/scoresChart.ts';
import {
  blockCsv,
  blockTable,
  densityCsv,
  densityDrawing,
  densityTable,
  eigenvalueTable,
  layersDrawing,
  oneEigenvalue,
  wholeOf,
} from '../../../webview/spectrumChart.ts';
import { stabilityCsv, stabilityDrawing, stabilityTable } from '../../../webview/stabilityChart.ts';
import { readTheme } from '../../../webview/theme.ts';
import {
  alongDrawing,
  componentTable,
  pathCsv,
  pathOf,
  pathTable,
  planeDrawing,
  structureDrawing,
} from '../../../webview/trajectoryChart.ts';
import type { CurvatureMapResult } from '../../../src/protocol/curvatureMap.ts';
import { curvatureMapDrawing, curvatureMapSpec } from '../../../webview/curvatureMapChart.ts';

const recorded = <T>(name: string): T =>
  JSON.parse(readFileSync(new URL(`../../fixtures/${name}`, import.meta.url), 'utf8')) as T;
const view = recorded<RunView>('engine-view.json');
const theme = readTheme({ variable: () => '', hasClass: () => false, matches: () => false });
const sizes = [
  { width: 1000, height: 420 },
  { width: 320, height: 300 },
];
const lines = (csv: string): string[] => csv.trim().split('\r\n');

/** Every series lies in a plot that is there, and no number in it is NaN. */
function sound(drawing: Drawing | null): void {
  assert.ok(drawing !== null);
  const { option, description } = drawing;
  assert.ok(description.length > 20 && !/NaN|undefined/.test(description), description);
  const grids = [option.grid].flat();
  const series = [option.series].flat();
  assert.ok(series.length > 0);
  assert.equal(new Set(series.map((one) => one?.id)).size, series.length);
  for (const one of series) {
    const { data, xAxisIndex = 0 } = one as { data?: unknown[][]; xAxisIndex?: number };
    assert.ok(xAxisIndex < grids.length);
    for (const value of (data ?? []).flat()) assert.ok(!Number.isNaN(value), String(one?.id));
  }
}

describe('pictures of what is newer', () => {
  const [noise] = resultsOf(view, 'noise');
  const [layers] = resultsOf(view, 'layers');
  const [ensemble] = resultsOf(view, 'ensemble');
  const [soup] = resultsOf(view, 'soup');
  const [line] = resultsOf(view, 'line');
  const [swag] = resultsOf(view, 'swag');
  const typical = resultsOf(view, 'contour').find(({ repeats }) => repeats != null);
  const live = recorded<NonNullable<RunView['noise']>>('live-noise.json');

  it('draw at any width', () => {
    for (const size of sizes) {
      sound(noiseDrawing(noise!, theme, size));
      sound(alongCurvatureDrawing(noise!, theme, size));
      sound(liveNoiseDrawing(live, theme, size));
      for (const quantity of ['updateRatio', 'gradientNorm', 'alignment', 'dead'] as const)
        sound(layersHeat(layers!, quantity, theme, size));
      sound(byCountDrawing(ensemble!, theme, size));
      sound(diversityDrawing(ensemble!, theme, size));
      sound(scoresDrawing(soupModels(soup!), theme, size));
      sound(uncertaintyDrawing(swag!.uncertainty, theme, size));
      sound(repeatsDrawing(typical!.repeats!, theme, size));
    }
  });

  it('have the same numbers in tables and files', () => {
    assert.equal(
      lines(noiseCsv(noise!)).length,
      1 + noise!.rank.growth.length + noise!.rank.eigenvalues.length,
    );
    assert.equal(liveNoiseTable(live).rows.length, live.length);
    assert.equal(lines(liveNoiseCsv(live)).length, 1 + live.length);
    assert.equal(layersTable(layers!).rows.length, layers!.parameters.length);
    assert.equal(
      lines(layersCsv(layers!)).length,
      1 + layers!.series!.steps.length * layers!.parameters.length,
    );
    const [counts, pairs] = ensembleTables(ensemble!);
    assert.equal(counts!.rows.length, ensemble!.byCount!.length);
    assert.equal(pairs!.rows.length, ensemble!.diversity!.pairs.length);
    assert.equal(pairs!.rows.length, (ensemble!.members.length * (ensemble!.members.length - 1)) / 2);
    assert.equal(soupModels(soup!).length, 2 + soup!.candidates.length);
    assert.equal(uncertaintyTables(swag!.uncertainty)[0]!.rows.length, swag!.uncertainty!.measures.length);
    assert.equal(repeatsTable(typical!.repeats!).rows.length, typical!.repeats!.rises.length + 2);
  });

  it('leave out what older results do not have', () => {
    const { series: _, ...old } = layers!;
    assert.equal(layersHeat(old, 'updateRatio', theme, sizes[0]!), null);
    assert.equal(byCountDrawing({ ...ensemble!, byCount: null }, theme, sizes[0]!), null);
    assert.equal(diversityDrawing({ ...ensemble!, diversity: null }, theme, sizes[0]!), null);
    assert.equal(alongCurvatureDrawing({ ...noise!, hessian: null }, theme, sizes[0]!), null);
    assert.equal(uncertaintyDrawing(null, theme, sizes[0]!), null);
    assert.equal(liveNoiseDrawing([], theme, sizes[0]!), null);
  });

  it('mark a barrier at its top, and where the loss rises on the way down', () => {
    const ids = (result: typeof line): unknown[] =>
      [lineDrawing(result!, null, theme, sizes[0]!).option.series].flat().map((one) => one?.id);
    assert.ok(!ids(line).includes('barrier-top'));
    const hill = {
      ...line!,
      loss: line!.t.map((t) => 1 + 0.5 * Math.sin(Math.PI * t)),
      barrier: 0.5,
      monotone: {
        downhill: 'forward',
        largestIncrease: 0.5,
        between: [0, 0.5],
        standardError: 0.01,
        verdict: 'rises',
      },
    } as const;
    const drawing = lineDrawing(hill, null, theme, sizes[0]!);
    const top = [drawing.option.series].flat().find((one) => one?.id === 'barrier-top') as {
      data: number[][];
    };
    assert.equal(top.data[0]![0], 0.5);
    assert.ok(ids(hill).includes('rise'));
    assert.match(monotoneText(hill)!, /rises by 0\.500 ± 0\.010 .*0 to 0\.5/);
    assert.match(drawing.description, /rises by/);
  });
});

describe('pictures of results', () => {
  const [spectrum] = resultsOf(view, 'spectrum').filter(({ blocks }) => blocks.length > 1);
  const [gaussNewton] = resultsOf(view, 'spectrum').filter(({ matrix }) => matrix === 'gauss-newton');
  const [trajectory] = resultsOf(view, 'trajectory');
  const [cycles] = resultsOf(view, 'cycles');
  const [margins] = resultsOf(view, 'margins');
  const [calibration] = resultsOf(view, 'calibration');
  const [flatness] = resultsOf(view, 'flatness');
  const [stability] = resultsOf(view, 'stability');
  const [swag] = resultsOf(view, 'swag');

  it('draw a map of curvature with a hole where it is not finite, and its numbers', () => {
    const along = [-1, 0, 1];
    const field = (of: (x: number, y: number) => number | null) =>
      along.map((y) => along.map((x) => of(x, y)));
    const map = {
      kind: 'curvature-map',
      x: along,
      y: along,
      largest: field(() => 2),
      smallest: field((x, y) => (x === 1 && y === 1 ? null : -Math.abs(x) - 0.12345678)),
      ratio: field((x, y) => (x === 1 && y === 1 ? null : Math.abs(x) / 2)),
      residual: field(() => 0.01),
      plane: { directions: [{ name: 'PC 1' }, { name: 'PC 2' }] },
      trajectory: [{ step: 0, x: 0.5, y: 0.5 }],
      trust: ['At the centre λ runs from 0 to 2.'],
    } as unknown as CurvatureMapResult;
    for (const size of sizes) sound(curvatureMapDrawing(map, theme, size));
    const [cells] = [curvatureMapDrawing(map, theme, sizes[0]!)!.option.series].flat();
    assert.equal((cells as { data: unknown[] }).data.length, 8);
    const [part] = curvatureMapSpec.parts;
    const lines = part!.csv(map).trim().split('\r\n');
    assert.equal(lines[0], 'x,y,largest,smallest,ratio,residual');
    assert.deepEqual(
      lines.slice(1).map((line) => line.split(',').map((cell) => (cell === '' ? null : Number(cell)))),
      along.flatMap((y, j) =>
        along.map((x, i) => [
          x,
          y,
          ...[map.largest, map.smallest, map.ratio, map.residual].map((f) => f[j]![i]),
        ]),
      ),
    );
    assert.equal(part!.has!({ ...map, ratio: field(() => null) }), false);
  });

  it('name the ends of a path where the path does not run', () => {
    const at = (x: number, y: number, step: number) => ({
      ...trajectory!.snapshots!.points[0]!,
      x,
      y,
      step,
    });
    // It comes down from above and turns back at its end: above and below the last point is path.
    const path = {
      ...trajectory!.snapshots!,
      points: [at(0, -10, 0), at(4, 10, 1), at(4, -10, 2), at(4, 0, 3)],
    };
    const { series } = planeDrawing(path, 3, theme, sizes[0]!).option;
    const last = [series].flat().find((one) => one?.id === 'last') as { label: { position: string } };
    assert.equal(last.label.position, 'right');
  });

  it('draw at any width', () => {
    for (const size of sizes) {
      sound(densityDrawing(spectrum!, gaussNewton!, theme, size));
      sound(layersDrawing(spectrum!, theme, size));
      for (const choice of ['snapshots', 'sketch'] as const) {
        const path = pathOf(trajectory!, choice)!;
        for (const place of [0, 30, path.points.length - 1]) {
          sound(planeDrawing(path, place, theme, size));
          sound(alongDrawing(path, place, theme, size));
        }
        sound(structureDrawing(trajectory!, choice, theme, size));
      }
      sound(autocorrelationDrawing(cycles!, theme, size));
      sound(powerDrawing(cycles!, theme, size));
      sound(reliabilityDrawing(calibration!, theme, size));
      sound(marginsDrawing(margins!, theme, size));
      sound(flatnessDrawing(flatness!, theme, size));
      sound(stabilityDrawing(stability!, theme, size));
      sound(stabilityDrawing(recorded<StabilityResult>('adam-stability.json'), theme, size));
      const models = [{ ...swag!.score, name: 'SWAG' }];
      sound(scoresDrawing(models, theme, size));
    }
  });

  it('leave out what a result does not have', () => {
    const blocks = spectrum!.blocks.slice(0, 1).map((block) => ({ ...block, density: null, trace: null }));
    assert.equal(densityDrawing({ ...spectrum!, blocks }, null, theme, sizes[0]!), null);
    assert.equal(layersDrawing({ ...spectrum!, blocks }, theme, sizes[0]!), null);
    assert.equal(lines(blockCsv({ ...spectrum!, blocks })).length, 1 + 5 + 2);
    const bare = { ...trajectory!, snapshots: null, sketch: null };
    assert.equal(pathOf(bare, 'sketch'), null);
    assert.equal(structureDrawing(bare, 'sketch', theme, sizes[0]!), null);
    assert.equal(pathOf({ ...trajectory!, sketch: null }, 'sketch'), trajectory!.snapshots);
    sound(marginsDrawing({ ...margins!, validation: null, gap: null }, theme, sizes[0]!));
    sound(autocorrelationDrawing({ ...cycles!, epoch: null, atEpoch: null }, theme, sizes[0]!));
  });

  it('hold a density to a tenth of what one eigenvalue would show', () => {
    const whole = wholeOf(spectrum!)!;
    const density = whole.density!;
    // The peak of a Gaussian of that bandwidth, shared among all eigenvalues.
    const peak = oneEigenvalue(density, whole.dimension);
    assert.ok(Math.abs(peak * whole.dimension * density.bandwidth - 0.39894228) < 1e-6);
    const area = density.x.slice(1).reduce((sum, x, k) => sum + (x - density.x[k]!) * density.density[k]!, 0);
    assert.ok(Math.abs(area - 1) < 0.03, String(area));
  });

  it('have the same numbers in tables and files', () => {
    const whole = wholeOf(spectrum!)!;
    assert.deepEqual(
      eigenvalueTable(spectrum!).rows.map((row) => row[1]),
      [...whole.largest!.values, ...whole.smallest!.values].map((value) => formatNumber(value, 5)),
    );
    assert.equal(blockTable(spectrum!).rows.length, spectrum!.blocks.length);
    assert.equal(densityTable(whole.density!).rows.length, whole.density!.x.length);
    assert.equal(lines(densityCsv(spectrum!)).length, 1 + whole.density!.x.length);
    const path = trajectory!.snapshots!;
    assert.equal(pathTable(path, '').rows.length, path.points.length);
    assert.equal(lines(pathCsv(path)).length, 1 + path.points.length);
    assert.equal(componentTable(path).rows.length, path.components.length);
    assert.equal(autocorrelationTable(cycles!).rows.length, cycles!.autocorrelation.length);
    assert.equal(lines(autocorrelationCsv(cycles!)).length, 1 + cycles!.autocorrelation.length);
    assert.equal(powerTable(cycles!).rows.length, cycles!.spectrum.power.length);
    assert.deepEqual(
      reliabilityTable(calibration!).rows.map((row) => row[1]),
      calibration!.bins.map(({ samples }) => String(samples)),
    );
    assert.equal(lines(reliabilityCsv(calibration!)).length, 1 + calibration!.bins.length);
    assert.equal(
      lines(marginsCsv(margins!)).length,
      1 + margins!.train.output.counts.length + margins!.train.input!.counts.length,
    );
    assert.equal(marginsTables(margins!).length, 3);
    assert.equal(lines(flatnessCsv(flatness!)).length, 1 + flatness!.measures.length);
    const verdicts = flatnessTable(flatness!, '').rows.map((row) => row[4]);
    assert.deepEqual(
      verdicts,
      flatness!.measures.map(
        ({ twin }) => ({ changed: 'changes', unchanged: 'unchanged' })[twin!.verdict as 'changed'],
      ),
    );
    const models = [{ ...swag!.average, name: 'average' }];
    assert.equal(scoresTable(models, '').rows.length, 1);
    assert.equal(lines(scoresCsv(models)).length, 3);
  });

  it('tell an adaptive optimizer’s preconditioned λ₁ beside the bound that it has', () => {
    const adam = recorded<StabilityResult>('adam-stability.json');
    assert.equal(stabilityTable(adam).rows.length, adam.points.length + 1);
    assert.match(lines(stabilityCsv(adam)).at(-1)!, /^600,yes,/);
    assert.match(stabilityDrawing(adam, theme, sizes[0]!).description, /\(2\+2β₁\)\/\(\(1−β₁\)η\) = /);
  });

  it('compare splits of different sizes by their shares', () => {
    const all = shares(margins!.train.output);
    assert.ok(Math.abs(all.reduce((a, b) => a + b, 0) - 1) < 1e-12);
    assert.ok(Math.abs(all[0]! * margins!.train.samples - margins!.train.output.counts[0]!) < 1e-9);
  });

  it('place plots inside of the chart, below each other where it is narrow', () => {
    const room = { left: 60, right: 20, top: 30, bottom: 40, gap: 20 };
    const [upper, lower] = stacked({ width: 500, height: 400 }, [2, 1], room);
    assert.ok(Math.abs(upper!.height - 2 * lower!.height) < 1e-9);
    assert.ok(Math.abs(lower!.top + lower!.height - 360) < 1e-9);
    const wide = beside({ width: 1000, height: 400 }, 2, room);
    assert.equal(wide[0]!.top, wide[1]!.top);
    assert.ok(wide[1]!.left + wide[1]!.width <= 980);
    const narrow = beside({ width: 400, height: 400 }, 2, room);
    assert.ok(narrow[1]!.top > narrow[0]!.top);
  });
});
