/** Three significant digits, without an exponent where it can be read without one; in the notation of code, for what stands beside it. */
export function shortNumber(x: number): string {
  if (!Number.isFinite(x)) return Number.isNaN(x) ? 'NaN' : x > 0 ? '∞' : '−∞';
  if (x === 0) return '0';
  const magnitude = Math.abs(x);
  const text =
    magnitude >= 1e5 || magnitude < 1e-3
      ? x.toExponential(2)
      : magnitude >= 100
        ? x.toFixed(0)
        : x.toPrecision(3);
  return text.replace('-', '−');
}
