/** Where the numbers on isolines go: along the line, level enough to read, clear of each other and of the path. */
import type { Point } from './contourGeometry.ts';

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
  levels: readonly { readonly text: string; readonly lines: readonly (readonly Point[])[] }[],
  frame: Frame,
  avoid: readonly Point[],
  fontSize: number,
): PlacedLabel[] {
  const placed: (PlacedLabel & { reach: number })[] = [];
  for (const { text, lines } of levels) {
    const reach = (text.length * fontSize * 0.6) / 2 + 4;
    const longest = [...lines].sort((a, b) => lengthOf(b) - lengthOf(a))[0];
    if (longest === undefined || lengthOf(longest) < 5 * reach) continue;
    let best: { label: PlacedLabel; merit: number } | null = null;
    for (let k = 1; k < CANDIDATES; k++) {
      const at = along(longest, k / CANDIDATES);
      const before = along(longest, k / CANDIDATES, -reach);
      const after = along(longest, k / CANDIDATES, reach);
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

function lengthOf(line: readonly Point[]): number {
  let total = 0;
  for (let k = 1; k < line.length; k++) total += distance(line[k - 1] ?? [0, 0], line[k] ?? [0, 0]);
  return total;
}

/** The point at a share of a line's length, moved on by an offset in pixels. */
function along(line: readonly Point[], share: number, offset = 0): Point {
  const total = lengthOf(line);
  let rest: number = Math.min(total, Math.max(0, share * total + offset));
  for (let k = 1; k < line.length; k++) {
    const a: Point = line[k - 1] ?? [0, 0];
    const b: Point = line[k] ?? [0, 0];
    const piece = distance(a, b);
    if (rest <= piece && piece > 0) {
      return [a[0] + ((b[0] - a[0]) * rest) / piece, a[1] + ((b[1] - a[1]) * rest) / piece];
    }
    rest -= piece;
  }
  return line.at(-1) ?? [0, 0];
}
