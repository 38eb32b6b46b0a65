/**
 * Drawing a contour of 101 × 101 points: what Basin's own code takes of the main thread, over what ECharts takes to draw
 * it. Its own are isobands, isolines and scale, which are made once for a result, the option, and what ECharts calls back
 * for: shapes in pixels and where labels go.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RunView } from '../../src/protocol/page.ts';
import type { ContourResult } from '../../src/protocol/results.ts';
import type { CustomSeriesOption } from 'echarts/charts';
import { contourDrawing, contourPicture, type ContourPicture } from '../../webview/contourChart.ts';
import { bilinear } from '../../webview/contourGeometry.ts';
import { init } from '../../webview/echarts.ts';
import { chartTheme, readTheme } from '../../webview/theme.ts';
import { report, sideBySide } from './measure.ts';

const SIZE = 101;
const ROUNDS = 15;
const FRAME_MS = 1000 / 60;

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
const picture = contourPicture(fine, 'log');
if (picture === null) throw new Error('there is nothing to draw');

interface Spent {
  /** Basin's own code: the geometry where it is to be made, the option, and what the option's series run. */
  readonly own: number;
  /** ECharts without that. */
  readonly echarts: number;
}

/** Milliseconds of one drawing. @param kept the geometry; null: it is made */
function spend(kept: ContourPicture | null): Spent {
  let own = 0;
  const timed = <T>(work: () => T): T => {
    const began = performance.now();
    const made = work();
    own += performance.now() - began;
    return made;
  };
  const { option } = timed(() => {
    const drawn = kept ?? contourPicture(fine, 'log');
    if (drawn === null) throw new Error('there is nothing to draw');
    return contourDrawing(drawn, theme, size, null);
  });
  const series = [option.series ?? []].flat().map((one) => {
    const { renderItem } = one as CustomSeriesOption;
    if (renderItem === undefined) return one;
    const within: typeof renderItem = (params, api) => timed(() => renderItem(params, api));
    return { ...one, renderItem: within };
  });
  const began = performance.now();
  const before = own;
  const chart = init(null, chartTheme(theme), { renderer: 'svg', ssr: true, ...size });
  chart.setOption({ ...option, series, animation: false });
  chart.renderToSVGString();
  chart.dispose();
  return { own, echarts: performance.now() - began - (own - before) };
}

console.log(`Contour of ${SIZE} × ${SIZE} points:`);
const first = async (): Promise<Spent> => Promise.resolve(spend(null));
const again = async (): Promise<Spent> => Promise.resolve(spend(picture));
for (let k = 0; k < 3; k++) {
  await first();
  await again();
}
const ways = await sideBySide(ROUNDS, first, again);
(['drawn for the first time', 'drawn again (theme, size, scrubber, zoom)'] as const).forEach((what, k) => {
  const spent = ways[k] ?? [];
  console.log(` ${what}`);
  report(
    "Basin's own work over ECharts' drawing of it",
    spent.map(({ own, echarts }) => own / echarts),
    { atMost: 1 },
  );
  report(
    "Basin's own work in frames of a sixtieth of a second",
    spent.map(({ own }) => own / FRAME_MS),
    { atMost: 2 },
  );
});
