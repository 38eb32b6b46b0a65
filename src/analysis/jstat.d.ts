/** jstat comes without types; what is used of it here. */
declare module 'jstat' {
  interface StudentT {
    /** The quantile of Student's t distribution. @param p probability, 0 < p < 1 @param degrees of freedom */
    inv(p: number, degrees: number): number;
  }
  interface Normal {
    /** The quantile of the normal distribution. @param p probability, 0 < p < 1 */
    inv(p: number, mean: number, deviation: number): number;
    /** The share of the normal distribution below x. */
    cdf(x: number, mean: number, deviation: number): number;
  }
  interface ChiSquare {
    /** The quantile of the χ² distribution. @param p probability, 0 < p < 1 @param degrees of freedom */
    inv(p: number, degrees: number): number;
  }
  const jstat: { readonly studentt: StudentT; readonly normal: Normal; readonly chisquare: ChiSquare };
  export default jstat;
}
