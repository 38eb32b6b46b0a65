/** A shape of ECharts' for many polylines at once, from numbers: path data would be written as text and read again. */
import { graphic } from 'echarts/core';
import type { RenderApi } from './layer.ts';
import type { Polyline } from './contourGeometry.ts';

/** What a custom series' element has as its type. */
export const polylines = 'basin-polylines';

interface Shape {
  readonly lines: readonly Polyline[];
  /** Rings: for filling. */
  readonly closed: boolean;
}

graphic.registerShape(
  polylines,
  graphic.extendShape({
    shape: { lines: [], closed: false },
    buildPath(path: Pick<CanvasPath, 'moveTo' | 'lineTo' | 'closePath'>, { lines, closed }: Shape) {
      for (const line of lines) {
        path.moveTo(line[0] ?? 0, line[1] ?? 0);
        for (let k = 2; k < line.length; k += 2) path.lineTo(line[k] ?? 0, line[k + 1] ?? 0);
        if (closed) path.closePath();
      }
    },
  }),
);

/** To a tenth of a pixel: more would only make files of pictures larger. */
const round = (pixels: number): number => Math.round(10 * pixels) / 10;

/** Lines in a plot's coordinates, as pixels. Both of its axes are linear. */
export function inPixels(lines: readonly Polyline[], api: RenderApi): Polyline[] {
  const [x0 = 0, y0 = 0] = api.coord([0, 0]);
  const [x1 = 0, y1 = 0] = api.coord([1, 1]);
  const [width, height] = [x1 - x0, y1 - y0];
  return lines.map((line) => {
    const pixels = new Float64Array(line.length);
    for (let k = 0; k < line.length; k += 2) {
      pixels[k] = round(x0 + (line[k] ?? 0) * width);
      pixels[k + 1] = round(y0 + (line[k + 1] ?? 0) * height);
    }
    return pixels;
  });
}
