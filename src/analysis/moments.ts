/** Mean and spread of a list of numbers. */
export const mean = (values: readonly number[]): number => values.reduce((s, x) => s + x, 0) / values.length;

/** The sample standard deviation, by n − 1; NaN for fewer than two. */
export function deviation(values: readonly number[]): number {
  const m = mean(values);
  return Math.sqrt(values.reduce((s, x) => s + (x - m) ** 2, 0) / (values.length - 1));
}

/** The middle value (the mean of the middle two); null of none. */
export function median(values: readonly number[]): number | null {
  const sorted = [...values].sort((a, b) => a - b);
  const [below, above] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  return below === undefined || above === undefined ? null : (below + above) / 2;
}
