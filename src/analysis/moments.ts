/** Mean and spread of a list of numbers. */
export const mean = (values: readonly number[]): number => values.reduce((s, x) => s + x, 0) / values.length;

/** The sample standard deviation, by n − 1; NaN for fewer than two. */
export function deviation(values: readonly number[]): number {
  const m = mean(values);
  return Math.sqrt(values.reduce((s, x) => s + (x - m) ** 2, 0) / (values.length - 1));
}
