/** A small line without axes, for the sidebar: plain SVG, cheap enough for ten updates a second. */
import { fill, svg } from './dom.ts';

export interface Sparkline {
  readonly values: readonly (number | null)[];
  /** A level to compare with, drawn dashed, such as the stability bound; one per value or one for all. */
  readonly reference?: readonly (number | null)[];
  readonly log?: boolean;
}

const WIDTH = 200;
const HEIGHT = 36;

export function sparkline(label: string): SVGSVGElement {
  return svg('svg', {
    class: 'sparkline',
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    preserveAspectRatio: 'none',
    role: 'img',
    'aria-label': label,
  });
}

export function drawSparkline(element: SVGSVGElement, data: Sparkline): void {
  const { line, reference, end } = sparklinePaths(data);
  fill(
    element,
    reference === '' ? null : svg('path', { class: 'reference', d: reference }),
    svg('path', { class: 'line', d: line }),
    end === null ? null : svg('path', { class: 'end', d: `M${end[0]} ${end[1]}h.01` }),
  );
}

/** Paths in a box of 200 × 36; `reference` is empty when it lies so far off that it would flatten the line. */
export function sparklinePaths({ values, reference, log }: Sparkline): {
  line: string;
  reference: string;
  end: readonly [number, number] | null;
} {
  const forward = (value: number | null | undefined): number | null => {
    if (value === null || value === undefined || !Number.isFinite(value)) return null;
    return log ? (value > 0 ? Math.log10(value) : null) : value;
  };
  const points = values.map(forward);
  const known = points.filter((v) => v !== null);
  if (known.length === 0) return { line: '', reference: '', end: null };
  let low = known.reduce((a, b) => Math.min(a, b));
  let high = known.reduce((a, b) => Math.max(a, b));
  const against = (reference ?? []).map(forward);
  const levels = against.filter((v) => v !== null);
  const top = levels.reduce((a, b) => Math.max(a, b), -Infinity);
  const useful = levels.length > 0 && (log || top < 6 * Math.max(high, 1e-300));
  if (useful) [low, high] = [Math.min(low, ...levels), Math.max(high, top)];
  if (!log && low > 0 && reference) low = 0;
  const span = high - low || 1;
  const place = (series: readonly (number | null)[]): readonly (readonly [number, number] | null)[] =>
    series.map((value, k) =>
      value === null
        ? null
        : [
            round(3 + (k * (WIDTH - 6)) / Math.max(1, series.length - 1)),
            round(HEIGHT - 3 - ((value - low) / span) * (HEIGHT - 6)),
          ],
    );
  const placed = place(points);
  return {
    line: path(placed),
    reference: useful
      ? path(place(against.length === 1 ? [against[0] ?? null, against[0] ?? null] : against))
      : '',
    end: placed.filter((p) => p !== null).at(-1) ?? null,
  };
}

const round = (x: number): number => Math.round(10 * x) / 10;

/** Pieces between missing values; a lone point becomes a dot. */
function path(points: readonly (readonly [number, number] | null)[]): string {
  let d = '';
  let pen = false;
  for (const point of points) {
    if (point !== null) d += `${pen ? 'L' : 'M'}${point[0]} ${point[1]}`;
    pen = point !== null;
  }
  return d;
}
