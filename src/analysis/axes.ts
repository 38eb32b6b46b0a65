/** The axes of a grid over a plane: equally spaced values with 0, the origin, among them. */

/** The shorter axis shows at least this share of the longer one's extent, so that a straight path gets a picture. */
const SHORTEST_AXIS = 0.25;

/** Axes around all points and the origin, of `size` values each; null where everything lies at the origin. */
export function axesAround(
  points: readonly { readonly x: number; readonly y: number }[],
  size: number,
  margin: number,
): [number[], number[]] | null {
  const range = (values: number[]): [number, number] => [Math.min(0, ...values), Math.max(0, ...values)];
  const x = range(points.map((p) => p.x));
  const y = range(points.map((p) => p.y));
  const longer = Math.max(x[1] - x[0], y[1] - y[0]);
  if (!(longer > 0)) return null;
  const [horizontal, vertical] = [x, y].map(([min, max]) => {
    const length = Math.max(max - min, SHORTEST_AXIS * longer);
    const centre = (min + max) / 2;
    const half = length / 2 + margin * length;
    return axis(centre - half, centre + half, size);
  });
  return [horizontal ?? [], vertical ?? []];
}

/** `size` equally spaced values that cover min..max (min < 0 < max) and have 0 among them. */
export function axis(min: number, max: number, size: number): number[] {
  let step = (max - min) / (size - 1);
  let zero = Math.round(-min / step);
  if (Math.abs(-min / step - zero) > 1e-9 * size) {
    // One interval is given up to slide the lattice onto 0.
    step = (max - min) / (size - 2);
    // Rounding must not decide it: the same path from another framework gets the same lattice.
    zero = Math.ceil(-min / step - 1e-6);
  }
  return Array.from({ length: size }, (_, i) => (i - zero) * step);
}

export const extent = (along: readonly number[]): number => (along.at(-1) ?? 0) - (along[0] ?? 0);
