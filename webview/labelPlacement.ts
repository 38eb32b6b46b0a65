/** Where the numbers on isolines go: along the line, level enough to read, clear of each other and of the path. */
import type { Point, Polyline } from './contourGeometry.ts';

export interface PlacedLabel {
  readonly text: string;
  readonly x: number;
  readonly y: number;
  /** As zrender has it: radians, counter-clockwise. */
  readonly rotation: number;
}

interface Frame {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export type Side = 'top' | 'bottom' | 'right' | 'left';

/** Between a mark and its name, in pixels. */
const BESIDE = 6;

/**
 * The side of a mark on which its name covers least of a path; of equal ones the first.
 * @param at of the mark, in pixels, as the path is
 * @param frame names outside of it would be cut off
 */
export function sideClearOf(
  path: readonly Point[],
  [x, y]: Point,
  text: string,
  { fontSize, radius, frame }: { readonly fontSize: number; readonly radius: number; readonly frame: Frame },
  sides: readonly Side[] = ['top', 'bottom', 'right', 'left'],
): Side {
  const [width, height] = [0.6 * fontSize * text.length + 4, fontSize + 4];
  const away = radius + BESIDE;
  const corner: Readonly<Record<Side, Point>> = {
    top: [x - width / 2, y - away - height],
    bottom: [x - width / 2, y + away],
    right: [x + away, y - height / 2],
    left: [x - away - width, y - height / 2],
  };
  const cost = (side: Side): number => {
    const [left, top] = corner[side];
    const outside =
      left < frame.x ||
      top < frame.y ||
      left + width > frame.x + frame.width ||
      top + height > frame.y + frame.height;
    return (outside ? Infinity : 0) + lengthInside(path, { x: left, y: top, width, height });
  };
  return sides.reduce((best, side) => (cost(side) < cost(best) ? side : best));
}

/** How much of a path lies in a box, in pixels. */
function lengthInside(path: readonly Point[], box: Frame): number {
  let inside = 0;
  for (let k = 1; k < path.length; k++) {
    const [[ax = 0, ay = 0] = [], [bx = 0, by = 0] = []] = [path[k - 1], path[k]];
    const length = Math.hypot(bx - ax, by - ay);
    // A pixel at a time, or the whole of a step that is shorter.
    const pieces = Math.max(1, Math.ceil(length));
    for (let i = 0; i < pieces; i++) {
      const t = (i + 0.5) / pieces;
      const [x, y] = [ax + t * (bx - ax), ay + t * (by - ay)];
      if (x >= box.x && x <= box.x + box.width && y >= box.y && y <= box.y + box.height)
        inside += length / pieces;
    }
  }
  return inside;
}

/** Points tried along each line. */
const CANDIDATES = 24;

/**
 * At most one label per level, two on very long lines; none where no place is good enough.
 * @param levels isolines in pixels
 * @param avoid points in pixels that labels keep clear of
 */
export function placeLabels(
  levels: readonly { readonly text: string; readonly lines: readonly Polyline[] }[],
  frame: Frame,
  avoid: readonly Point[],
  fontSize: number,
): PlacedLabel[] {
  const placed: (PlacedLabel & { reach: number })[] = [];
  for (const { text, lines } of levels) {
    const reach = (text.length * fontSize * 0.6) / 2 + 4;
    const measured = lines.map(lengthsOf);
    const total = Math.max(0, ...measured.map((lengths) => lengths.at(-1) ?? 0));
    if (total < 5 * reach) continue;
    const which = measured.findIndex((lengths) => lengths.at(-1) === total);
    const [longest, lengths] = [lines[which], measured[which]];
    if (longest === undefined || lengths === undefined) continue;
    const along = (length: number): Point => pointAt(longest, lengths, length);
    let best: { label: PlacedLabel; merit: number } | null = null;
    for (let k = 1; k < CANDIDATES; k++) {
      const middle = (k / CANDIDATES) * total;
      const at = along(middle);
      const border = Math.min(
        at[0] - frame.x,
        frame.x + frame.width - at[0],
        at[1] - frame.y,
        frame.y + frame.height - at[1],
      );
      if (border < reach + 2) continue;
      const near = Math.min(
        Infinity,
        ...placed.map((other) => distance(at, [other.x, other.y]) - other.reach - reach),
      );
      if (near < 6) continue;
      const clear = Math.min(Infinity, ...avoid.map((point) => distance(at, point)));
      if (clear < reach + 4) continue;
      const [before, after] = [along(middle - reach), along(middle + reach)];
      const chord = distance(before, after);
      // A line that turns within the label's length cannot carry it.
      const bend = 1 - chord / (2 * reach);
      let angle = Math.atan2(after[1] - before[1], after[0] - before[0]);
      if (angle > Math.PI / 2) angle -= Math.PI;
      if (angle < -Math.PI / 2) angle += Math.PI;
      const merit = -Math.abs(angle) - 6 * bend + Math.min(near, 60) / 120 + Math.min(clear, 60) / 120;
      if (best === null || merit > best.merit) {
        best = { label: { text, x: at[0], y: at[1], rotation: -angle }, merit };
      }
    }
    if (best !== null && best.merit > -1.6) placed.push({ ...best.label, reach });
  }
  return placed.map(({ text, x, y, rotation }) => ({ text, x, y, rotation }));
}

const distance = (a: Point, b: Point): number => Math.hypot(a[0] - b[0], a[1] - b[1]);

/** How long a line is up to each of its points. */
function lengthsOf(line: Polyline): Float64Array {
  const lengths = new Float64Array(line.length / 2);
  for (let k = 1; k < lengths.length; k++) {
    const dx = (line[2 * k] ?? 0) - (line[2 * k - 2] ?? 0);
    const dy = (line[2 * k + 1] ?? 0) - (line[2 * k - 1] ?? 0);
    lengths[k] = (lengths[k - 1] ?? 0) + Math.hypot(dx, dy);
  }
  return lengths;
}

/** The point at a length of a line, its ends beyond them. @param lengths up to each of its points */
function pointAt(line: Polyline, lengths: Float64Array, length: number): Point {
  let [low, high] = [0, lengths.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((lengths[middle] ?? 0) <= length) low = middle;
    else high = middle;
  }
  const piece = (lengths[high] ?? 0) - (lengths[low] ?? 0);
  const share = piece > 0 ? Math.min(1, Math.max(0, (length - (lengths[low] ?? 0)) / piece)) : 0;
  const between = (a = 0, b = 0): number => a + share * (b - a);
  return [between(line[2 * low], line[2 * high]), between(line[2 * low + 1], line[2 * high + 1])];
}
