/** Autocorrelation and power of a series of vectors, by the Wiener–Khinchin theorem. */
import FFT from 'fft.js';

/** Vectors by row: values[t·width + i]. */
export interface Series {
  readonly length: number;
  readonly width: number;
  readonly values: Float32Array | Float64Array;
}

/** Takes the mean over time from every coordinate, in place. */
export function centre({ length, width, values }: Series): void {
  for (let i = 0; i < width; i++) {
    let sum = 0;
    for (let t = 0; t < length; t++) sum += values[t * width + i] ?? 0;
    const mean = sum / length;
    for (let t = 0; t < length; t++) values[t * width + i] = (values[t * width + i] ?? 0) - mean;
  }
}

/**
 * @param series centred
 * @returns r(L) for L = 0..length−1, each divided by its number of pairs and by r(0); and the power at the frequencies
 *   k/size, k = 0..size/2, of the series filled up with zeros to a power of two of at least twice its length. Where nothing
 *   varies, r is 0 everywhere
 */
export function autocorrelation(series: Series): { r: Float64Array; power: Float64Array; size: number } {
  const { length, width, values } = series;
  const size = 2 ** Math.ceil(Math.log2(2 * length));
  const fft = new FFT(size);
  const spectrum = fft.createComplexArray();
  const row = new Float64Array(size);
  const power = new Float64Array(size);
  for (let i = 0; i < width; i++) {
    for (let t = 0; t < length; t++) row[t] = values[t * width + i] ?? 0;
    fft.realTransform(spectrum, row);
    for (let k = 0; k <= size / 2; k++) {
      const [re = 0, im = 0] = [spectrum[2 * k], spectrum[2 * k + 1]];
      power[k] = (power[k] ?? 0) + re * re + im * im;
    }
  }
  for (let k = 1; k < size / 2; k++) power[size - k] = power[k] ?? 0;
  // Real and even, so the inverse transform is the transform divided by the size.
  fft.realTransform(spectrum, power);
  const total = spectrum[0] ?? 0;
  const r = Float64Array.from({ length }, (_, lag) =>
    total > 0 ? ((spectrum[2 * lag] ?? 0) / total) * (length / (length - lag)) : 0,
  );
  return { r, power: power.slice(0, size / 2 + 1), size };
}
