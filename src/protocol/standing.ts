/**
 * The debugger's part of the evaluator wire: training goes on at a client's word and stands still again. While it stands,
 * every question of {@link EvaluatorRequests} is answered at the very weights, and nothing that is asked moves them.
 *
 * One client at a time drives. Answers to `pause` and `proceed` come when the process stands, however long that takes.
 * A process that leaves its place without its driver's word (in Python a signal's handler may raise an exception there)
 * tells it by the notification `standing` where it stands next.
 */
import type { StepRecord } from './run.ts';

/**
 * gradient: the step's loss and gradient are there, and the update is not. boundary: between two updates. A script that
 * updates its weights by hand has its boundaries behind each backward pass, where the two are the same.
 */
export type StandingPlace = 'gradient' | 'boundary';

export interface Standing {
  /**
   * entry: before the first update, as the launcher wanted. steps, epoch: what `proceed` named; steps also at the first
   * gradient of another objective that the script comes to train (TensorFlow.js), whose values these are then. pause:
   * someone asked.
   */
  readonly reason: 'entry' | 'pause' | 'steps' | 'epoch' | 'ended';
  readonly place: StandingPlace;
  /** Updates done by the driver's objective. */
  readonly step: number;
  /** The step under way (gradient) or the last one that is done (boundary); null before any. */
  readonly values: StepRecord | null;
  /** Of a script that is over and did not come to its end by itself: why. */
  readonly why?: string;
}

/** What becomes of a process when its driver is gone: it trains on, or stands until another one comes. */
export type WhenGone = 'continue' | 'hold';

/** Of `busy`, where another client drives. */
export const DRIVEN_CURE =
  'Go on in that session; or end it there (disconnected, it leaves the run training) and attach again.';

/** Where to stand still again; without `step` and `epoch` only at a `pause`. */
export interface Target {
  readonly place: StandingPlace;
  /** At the first such place with at least so many updates done. */
  readonly step?: number;
  /** Before the first update of the next epoch. The place is `gradient` then, whatever is asked for. */
  readonly epoch?: boolean;
}

/** Of one parameter's numbers in a vector. */
export interface ParameterStatistics {
  /** Euclidean, of what is finite. */
  readonly norm: number;
  readonly mean: number;
  /** The largest absolute value. */
  readonly largest: number;
  /** Share of exact zeros. */
  readonly zeros: number;
  /** How many are NaN or infinite. */
  readonly nonFinite: number;
  /** Of a kernel: which of its units (slices along its filter axis) are zero in all their numbers. */
  readonly units: { readonly zero: readonly number[]; readonly of: number } | null;
}

/** What a checkpoint holds and what it cannot, in words for people. */
export interface CheckpointContents {
  readonly step: number;
  /** Such as "weights", "the optimizer's state", "the random stream of torch". */
  readonly restored: readonly string[];
  readonly notRestored: readonly string[];
}

export interface StandingRequests {
  /**
   * Has the process stand still at its next place, and makes the caller the driver. `driver` is what people know it by,
   * for others that would drive as well. `busy` where another client drives.
   */
  pause: { params: { whenGone: WhenGone; driver?: string }; result: Standing };
  /**
   * Lets a standing process train on, until it stands again. `layers` has each parameter's own numbers recorded at every
   * step, as layers.bin keeps them; it goes with `norms`. `norms` has every weight-reading quantity read at every
   * step meanwhile. `busy` where another client drives, `unsupported` in a frozen process.
   */
  proceed: {
    params: { target: Target; norms: boolean; layers?: boolean; whenGone: WhenGone };
    result: Standing;
  };
  /** Lets a standing process train on, unattended. */
  detach: { params: object; result: object };
  /**
   * Writes the present weights as a snapshot of the run, which stays. `of` is the step that they are of where that is
   * another than the count of updates: weights that were put back.
   */
  snapshot: { params: { of?: number }; result: { step: number } };
  /** One entry a parameter, in the order of ObjectiveInfo.parameters. */
  statistics: { params: { vector: string }; result: { parameters: ParameterStatistics[] } };
  /**
   * Keeps weights, state, optimizer and random streams of this moment in the process, under a name. Inside of a step the
   * weights and the optimizer are those before its update; moving statistics and random streams those behind its loss.
   */
  checkpoint: { params: { name: string }; result: CheckpointContents };
  /** Puts a checkpoint back; only at a boundary. What had been trained since is gone, the run's record of it stays. */
  rewind: { params: { name: string }; result: CheckpointContents };
  /**
   * Writes a vector into the weights that are trained, and its state beside them; only at a boundary. `of` is the step that
   * they are of, for the run's note.
   */
  assign: { params: { vector: string; of?: number }; result: CheckpointContents };
  /** Forgets checkpoints. */
  forget: { params: { names: readonly string[] }; result: object };
  /**
   * Goes on recording in another run, whose directory has its run.json: the present run ends as finished and names the
   * other one as its successor; steps count from 0 there, and checkpoints are forgotten. Only at a boundary.
   */
  branch: { params: { directory: string }; result: Standing };
}

export type StandingMethod = keyof StandingRequests;

/** Its parameters are a {@link Standing}. */
export const STANDING_NOTIFICATION = 'standing';

export const standingMethods = [
  'pause',
  'proceed',
  'detach',
  'snapshot',
  'statistics',
  'checkpoint',
  'rewind',
  'assign',
  'forget',
  'branch',
] as const satisfies readonly StandingMethod[];
