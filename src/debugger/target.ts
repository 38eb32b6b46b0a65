/** What a debug adapter drives: training on its way, or the snapshots of a run that is over. */
import type { TrainingConnection } from '../evaluators/connection.ts';
import type { LossValue } from '../protocol/evaluator.ts';
import type { LiveSharpness, OptimizerInfo } from '../protocol/run.ts';
import type { StabilityBound } from '../protocol/stability.ts';
import type { ParameterStatistics, Standing } from '../protocol/standing.ts';
import type { Run } from '../runs/run.ts';
import type { NormRange, StepBreakpoint } from './breakpoints.ts';
import type { TrainingEvent, TrainingEventId } from './events.ts';
import type { Value } from './expression.ts';

export interface Stop {
  readonly reason:
    | 'entry'
    | 'pause'
    | 'step'
    | 'epoch'
    | 'breakpoint'
    | 'data'
    | 'event'
    | 'back'
    | 'branch'
    | 'ended'
    | 'failed';
  /** A sentence on why, and what can be done. */
  readonly text: string;
  readonly standing: Standing;
  readonly event: TrainingEvent | null;
  readonly breakpoints: readonly number[];
}

export interface SessionListener {
  stopped(stop: Stop): void;
  /** A logpoint's line, or something people should know. */
  said(text: string): void;
  /** Training is in the session's hands: its process knows what to do when the session disappears. */
  drives(): void;
  /** The connection has ended, and nothing can be asked any more. */
  lost(): void;
  /** Training goes on in another run. */
  branched(run: Run): void;
}

/** What the session has done by others: estimates and analyses live in rooms of their own. */
export interface Helpers {
  /** λ₁ at the weights that stand. */
  sharpness(connection: TrainingConnection): Promise<LiveSharpness>;
  /** The loss at the weights that stand, on the run's evaluation set. @throws BasinError `unsupported` without one */
  loss(connection: TrainingConnection, split: 'train' | 'validation'): Promise<LossValue>;
  /** What a run's files tell of a limit cycle by now, in sentences; null where there is none, or too little to tell. */
  limitCycle(run: Run, objective: number): Promise<string | null>;
}

/** Of each parameter, in the order of ObjectiveInfo.parameters. */
export interface ParameterNumbers {
  readonly weights: readonly ParameterStatistics[];
  /** null but inside of a step. */
  readonly gradient: readonly ParameterStatistics[] | null;
  /** θ − θ₀; null where the first snapshot is gone. */
  readonly fromStart: readonly ParameterStatistics[] | null;
  /** The update just made; null where it was not a single step that led here. */
  readonly update: readonly ParameterStatistics[] | null;
}

export interface DebugTarget {
  readonly connection: TrainingConnection;
  readonly run: Run;
  /** Where training stands; null while it is on its way. */
  readonly standing: Standing | null;
  /** As it is known by now; null before the first update of some scripts. */
  readonly optimizer: OptimizerInfo | null;
  /** The latest λ₁ that was measured. */
  readonly sharpness: LiveSharpness | null;
  /** The step whose weights these are: another than the count of steps after going back. */
  readonly weightsOf: number | null;
  /** The optimizer's bound on λ₁ at the step that stands, or why there is none. */
  readonly stability: StabilityBound;
  /** Whether no more steps are taken: nothing can be stopped at. */
  readonly isOver: boolean;
  /** The values of the step that stands, by name. */
  readonly values: Readonly<Record<string, Value>>;

  setBreakpoints(points: readonly StepBreakpoint[]): void;
  setRanges(ranges: readonly NormRange[]): void;
  setEvents(events: ReadonlySet<TrainingEventId>): void;

  /** Has it stand still, wherever it is; goes on at once where nothing is found there and it need not stop. */
  start(stopInAnyCase: boolean): Promise<void>;
  continue(): Promise<void>;
  step(): Promise<void>;
  stepInto(): Promise<void>;
  /** @throws BasinError `unsupported` where epochs are not known */
  stepOut(): Promise<void>;
  pause(): Promise<void>;
  /** @throws BasinError `not-found` at the beginning */
  stepBack(): Promise<void>;
  backToStart(): Promise<void>;
  /** Training goes on in a run of its own whose parent is this one. @throws BasinError `unsupported` */
  trainOn(): Promise<Run>;
  /** Lets go: what is driven goes on by itself or ends, and this session is over. */
  detach(): Promise<void>;

  parameters(): Promise<ParameterNumbers>;
  /** By parameter. @throws BasinError `not-allowed` for a gradient where training stands between two steps */
  statistics(of: 'current' | 'gradient'): Promise<readonly ParameterStatistics[]>;
  /** @throws BasinError `unsupported` where the run has kept none */
  loss(split: 'train' | 'validation'): Promise<LossValue>;
  /** Measures λ₁ at the weights that stand. */
  measureSharpness(): Promise<LiveSharpness>;
  /** Has the standing weights in the run as a snapshot, so that every analysis can name them. @returns its step */
  snapshot(): Promise<number>;
}
