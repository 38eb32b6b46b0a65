/**
 * Redrawing a contour of 101 × 101 points: what Basin's own code takes of the main thread (isobands, isolines, scale, the
 * option), over what ECharts takes to draw them.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RunView } from '../../src/protocol/page.ts';
import type { ContourResult } from '../../src/protocol/results.ts';
import { contourDrawing, contourPicture } from '../../webview/contourChart.ts';
import { bilinear } from '../../webview/contourGeometry.ts';
import { init } from '../../webview/echarts.ts';
import { chartTheme, readTheme } from '../../webview/theme.ts';
import { report, sideBySide } from './measure.ts';

const SIZE = 101;
const ROUNDS = 15;
/** A sixtieth of a second, two of them. */
const TWO_FRAMES_MS = 2000 / 60;

const view = JSON.parse(
  readFileSync(join(import.meta.dirname, '../fixtures/digits-view.json'), 'utf8'),
) as RunView;
const recorded = view.results.find((result): result is ContourResult => result.kind === 'contour');
if (recorded === undefined) throw new Error('the recorded run has no contour');
const along = (axis: readonly number[]): number[] => {
  const [from = 0, to = 1] = [axis[0], axis.at(-1)];
  return Array.from({ length: SIZE }, (_, i) => from + ((to - from) * i) / (SIZE - 1));
};
const [x, y] = [along(recorded.x), along(recorded.y)];
const fine: ContourResult = {
  ...recorded,
  x,
  y,
  // Between the recorded points, so that the isolines are those of a real landscape.
  loss: y.map((b) => x.map((a) => bilinear(recorded, [a, b]))),
  evaluated: SIZE * SIZE,
};
const theme = readTheme({ variable: () => '', hasClass: () => false, matches: () => false });
const size = { width: 900, height: 640 };
const draw = () => {
  const picture = contourPicture(fine, 'log');
  if (picture === null) throw new Error('there is nothing to draw');
  return contourDrawing(picture, theme, size, null);
};

console.log(`Contour of ${SIZE} × ${SIZE} points:`);
const { option } = draw();
const own = async (): Promise<number> => {
  const began = performance.now();
  draw();
  return Promise.resolve(performance.now() - began);
};
const theirs = async (): Promise<number> => {
  const began = performance.now();
  const chart = init(null, chartTheme(theme), { renderer: 'svg', ssr: true, ...size });
  chart.setOption({ ...option, animation: false });
  chart.renderToSVGString();
  chart.dispose();
  return Promise.resolve(performance.now() - began);
};
for (let k = 0; k < 3; k++) {
  await own();
  await theirs();
}
const [mine, echarts] = await sideBySide(ROUNDS, own, theirs);
report(
  "Basin's own work over ECharts' drawing of it",
  mine.map((ms, i) => ms / (echarts[i] ?? NaN)),
  { atMost: 1 },
);
report(
  "Basin's own work in frames of a sixtieth of a second",
  mine.map((ms) => ms / (TWO_FRAMES_MS / 2)),
  { atMost: 2 },
);
