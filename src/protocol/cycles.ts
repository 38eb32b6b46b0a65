/** Whether SGD goes in circles: what its steps repeat, and whether it still gets anywhere. */
import type { RunOptions } from './job.ts';
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
 * fixed-order: increments repeat an epoch later, as they do where every epoch has its batches in the same order.
 * repeats: they repeat after some steps, and where epochs end is not known. none: neither. unknown: too few steps.
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
  /** r(L) = Σ⟨Δ_t − Δ̄, Δ_{t+L} − Δ̄⟩/Σ‖Δ_t − Δ̄‖², corrected for the pairs that there are; lags from 0 on. */
  readonly autocorrelation: readonly number[];
  readonly atEpoch: {
    readonly value: number;
    /** Of lags near it, which a slow drift raises alike. */
    readonly neighbours: { readonly mean: number; readonly deviation: number };
    /** Of the same increments in shuffled order. */
    readonly shuffled: { readonly mean: number; readonly percentile95: number; readonly count: number };
    /** Share of shuffles, the order that was counted among them, that reach the value. */
    readonly p: number;
  } | null;
  /** The largest from lag 2 on. */
  readonly strongest: { readonly lag: number; readonly value: number } | null;
  /** Power of the increments by frequency (cycles a step), each the mean of a band; sums to 1. */
  readonly spectrum: { readonly frequency: readonly number[]; readonly power: readonly number[] };
  /** a of ‖θ_{t+τ} − θ_t‖² ∝ τ^a over τ up to a quarter of the steps: 0 circles, 1 diffuses, 2 goes straight on. */
  readonly exponent: number | null;
  readonly verdict: CycleVerdict;
}

export interface CyclesAnalyses {
  cycles: { job: CyclesJob; result: CyclesResult };
}
