/** What paths through weight space have in common, however their points were come by. */
import type { Path, PathPoint } from '../protocol/trajectory.ts';
import { median } from './moments.ts';

/**
 * The angle in degrees, 0 to 180; null where one way has no length.
 * @param product of the two ways
 * @param first squared length of one
 * @param second of the other
 */
export function degreesBetween(product: number, first: number, second: number): number | null {
  const lengths = Math.sqrt(first) * Math.sqrt(second);
  if (!(lengths > 0)) return null;
  return (180 / Math.PI) * Math.acos(Math.max(-1, Math.min(1, product / lengths)));
}

/**
 * @param points every measured one
 * @param shares of the variance along the components, as many as there are; at least two are asked of `randomWalk`
 * @param count components that are told
 */
export function describePath(
  points: readonly PathPoint[],
  shares: readonly number[],
  randomWalk: readonly number[],
  count: number,
): Path {
  const [first = 0, second = 0] = shares;
  const [walkFirst = 0, walkSecond = 0] = randomWalk;
  let [left, right] = [Infinity, -Infinity];
  let farthest = { step: points[0]?.step ?? 0, distance: 0 };
  for (const { step, x, distance } of points) {
    left = Math.min(left, x);
    right = Math.max(right, x);
    if (distance > farthest.distance) farthest = { step, distance };
  }
  return {
    components: shares.slice(0, count).map((share, k) => ({ share, randomWalk: randomWalk[k] ?? 0 })),
    plane: { share: first + second, randomWalk: walkFirst + walkSecond, width: right - left, farthest },
    measured: points.length,
    turning: median(points.flatMap(({ turning }) => (turning === null ? [] : [turning]))),
    points,
  };
}

/**
 * At most `most` of the points, evenly spread, first and last among them. Speed and turning become means over the
 * points since the one before, so that nothing between is lost to them.
 */
export function thinPath(points: readonly PathPoint[], most: number): readonly PathPoint[] {
  if (points.length <= most) return points;
  let before = -1;
  return Array.from({ length: most }, (_, k) => {
    const at = Math.round((k * (points.length - 1)) / (most - 1));
    const since = points.slice(before + 1, at + 1);
    before = at;
    const over = (of: 'speed' | 'turning'): number | null => {
      const known = since.flatMap((point) => (point[of] === null ? [] : [point[of]]));
      return known.length === 0 ? null : known.reduce((s, value) => s + value, 0) / known.length;
    };
    return { ...(points[at] as PathPoint), speed: over('speed'), turning: over('turning') };
  });
}
