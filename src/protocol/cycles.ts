/** Whether SGD goes in circles: what its steps repeat, and whether it still gets anywhere. */
import type { RunOptions } from './job.ts';
import type { Momentum } from './momentum.ts';
import type { Result } from './result.ts';

export interface CyclesJob extends RunOptions {
  readonly kind: 'cycles';
  /** Only steps from this one on. Default: the latest 4096. */
  readonly from?: number;
  /** Steps of an epoch. Default: as the run recorded them. */
  readonly epoch?: number;
  /** Of the shuffles. */
  readonly seed?: number;
}

/**
 * fixed-order: updates repeat an epoch later, as they do where every epoch has its batches in the same order.
 * repeats: they repeat after some steps, and where epochs end is not known. none: neither. unknown: too few
 * steps for two epochs, or an epoch of one or two, which a bounce between two walls looks like.
 */
export type CycleVerdict = 'fixed-order' | 'repeats' | 'none' | 'unknown';

export interface CyclesResult extends Result<null> {
  readonly kind: 'cycles';
  readonly from: number;
  readonly to: number;
  /** Weights of the sketch that were looked at. */
  readonly coordinates: number;
  /** Steps of an epoch; null where it is not known. */
  readonly epoch: number | null;
  /** What was taken out of the updates; null where the optimizer's is not known, and then nothing was. */
  readonly momentum: Momentum | null;
  /** Whether each update was divided by its learning rate: done where that changes. */
  readonly rateScaled: boolean;
  /**
   * r(L) = Σ⟨u_t − ū, u_{t+L} − ū⟩/Σ‖u_t − ū‖² of what each update brought anew, u_t = Δ_t − βΔ_{t−1} (the updates
   * themselves without momentum), corrected for the pairs that there are; lags from 0 on.
   */
  readonly autocorrelation: readonly number[];
  /** The same of the updates Δ_t as they were, momentum in them. */
  readonly ofUpdates: readonly number[];
  readonly atEpoch: {
    readonly value: number;
    /** Of the lags within half an epoch of it, which a slow drift raises alike. */
    readonly neighbours: { readonly mean: number; readonly deviation: number };
    /** Whether r is higher at one, two and three epochs (as far as there are) than at every lag within half an epoch of them. */
    readonly peaks: boolean;
    /** Of the same updates, shuffled within each stretch of an epoch. */
    readonly shuffled: {
      readonly mean: number;
      readonly deviation: number;
      readonly percentile95: number;
      readonly count: number;
    };
    /** Share of shuffles, the order that was counted among them, that reach the value. */
    readonly p: number;
  } | null;
  /** The shortest lag from 2 on that comes within a tenth of the largest r. */
  readonly strongest: { readonly lag: number; readonly value: number } | null;
  /** Power of what was looked at by frequency (cycles a step), each the mean of a band; sums to 1. */
  readonly spectrum: { readonly frequency: readonly number[]; readonly power: readonly number[] };
  /** a of ‖θ_{t+τ} − θ_t‖² ∝ τ^a over τ from as long as momentum lasts up to a quarter of the steps: 0 circles, 1 diffuses, 2 goes straight on. */
  readonly exponent: number | null;
  readonly verdict: CycleVerdict;
}

export interface CyclesAnalyses {
  cycles: { job: CyclesJob; result: CyclesResult };
}
