/** fft.js comes without types; what is used of it here. */
declare module 'fft.js' {
  export default class FFT {
    /** @param size a power of two */
    constructor(size: number);
    /** Interleaved real and imaginary parts. */
    createComplexArray(): number[];
    /** The first half of the spectrum of real data. */
    realTransform(out: number[], data: ArrayLike<number>): void;
    /** The second half from the first. */
    completeSpectrum(spectrum: number[]): void;
  }
}
