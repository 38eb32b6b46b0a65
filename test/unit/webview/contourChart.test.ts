import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { RunView } from '../../../src/protocol/page.ts';
import type { ContourResult } from '../../../src/protocol/results.ts';
import { contourDrawing, contourPicture } from '../../../webview/contourChart.ts';
import { init } from '../../../webview/echarts.ts';
import { chartTheme, readTheme } from '../../../webview/theme.ts';

const view = JSON.parse(
  readFileSync(new URL('../../fixtures/digits-view.json', import.meta.url), 'utf8'),
) as RunView;
const result = view.results.find((one): one is ContourResult => one.kind === 'contour')!;
const theme = readTheme({ variable: () => '', hasClass: () => false, matches: () => false });

/** The words of a drawing. */
function wordsAt(width: number, height: number): string[] {
  const chart = init(null, chartTheme(theme), { renderer: 'svg', ssr: true, width, height });
  const picture = contourPicture(result, 'log')!;
  chart.setOption({ ...contourDrawing(picture, theme, { width, height }, null).option, animation: false });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return [...svg.matchAll(/<text[^>]*>([^<]*)</g)].map(([, text]) => text ?? '');
}

describe('contour drawing', () => {
  it('has the numbers of snapshots along the path, as many as have room, and none in the side bar', () => {
    const steps = result.trajectory.slice(1, -1).map(({ step }) => String(step));
    const shown = wordsAt(900, 640).filter((text) => steps.includes(text));
    assert.ok(shown.length >= 5 && shown.length < steps.length / 2, shown.join());
    assert.deepEqual(
      shown,
      [...new Set(shown)].sort((a, b) => Number(a) - Number(b)),
    );
    assert.deepEqual(
      wordsAt(300, 240).filter((text) => steps.includes(text)),
      [],
    );
  });
});
