/** jstat comes without types; what is used of it here. */
declare module 'jstat' {
  interface StudentT {
    /** The quantile of Student's t distribution. @param p probability, 0 < p < 1 @param degrees of freedom */
    inv(p: number, degrees: number): number;
  }
  const jstat: { readonly studentt: StudentT };
  export default jstat;
}
