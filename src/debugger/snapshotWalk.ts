/**
 * A run that is over, in a debugger: its script was started again and stands before its first step, and snapshots are
 * put into its model one after the other. Stepping goes from snapshot to snapshot; nothing is trained.
 */
import type { LossValue } from '../protocol/evaluator.ts';
import type { TrainingConnection } from '../evaluators/connection.ts';
import { BasinError } from '../protocol/errors.ts';
import { knownNumber, type LiveSharpness, type OptimizerInfo, type StepRecord } from '../protocol/run.ts';
import { stabilityBound, type StabilityBound } from '../protocol/stability.ts';
import type { ParameterStatistics, Standing } from '../protocol/standing.ts';
import type { Run } from '../runs/run.ts';
import type { Value } from './expression.ts';
import { differenceFrom, statisticsOf } from './standingWeights.ts';
import { stepValues } from './stepValues.ts';
import type { DebugTarget, Helpers, ParameterNumbers, SessionListener, Stop } from './target.ts';

export interface WalkOptions {
  readonly run: Run;
  /** Of the process that was started again. */
  readonly connection: TrainingConnection;
  /** Ends that process. */
  readonly close: () => Promise<void>;
  readonly helpers: Helpers;
  readonly listener: SessionListener;
  /** The snapshot to begin at; the last one by default. */
  readonly at: number | 'last';
}

export class SnapshotWalk implements DebugTarget {
  #standing: Standing | null = null;
  #lastSharpness: LiveSharpness | null = null;
  #steps: readonly StepRecord[] = [];

  constructor(private readonly options: WalkOptions) {
    void options.connection.closed.then(() => options.listener.lost());
  }

  get connection(): TrainingConnection {
    return this.options.connection;
  }
  get run(): Run {
    return this.options.run;
  }
  get standing(): Standing | null {
    return this.#standing;
  }
  get optimizer(): OptimizerInfo | null {
    return this.connection.description.objective.optimizer;
  }
  get sharpness(): LiveSharpness | null {
    return this.#lastSharpness;
  }
  get weightsOf(): number | null {
    return this.#standing?.step ?? null;
  }
  get values(): Readonly<Record<string, Value>> {
    return stepValues(this.#standing?.values ?? null, this.#lastSharpness, this.stability.bound);
  }
  get stability(): StabilityBound {
    return stabilityBound(this.optimizer, knownNumber(this.#standing?.values?.learningRate ?? null));
  }
  /** Nothing is trained here. */
  get isOver(): boolean {
    return true;
  }

  /** No step is taken that could hit one. */
  setBreakpoints(): void {}
  setRanges(): void {}
  setEvents(): void {}

  /** @throws BasinError `not-found` where there is no such snapshot */
  async start(): Promise<void> {
    this.#steps = await this.run.readSteps();
    await this.#goTo(requireSnapshot(this.run.id, this.options.at, await this.#snapshots()), 'entry');
  }

  /** To the last snapshot. */
  async continue(): Promise<void> {
    const steps = await this.#snapshots();
    const last = steps.at(-1) ?? 0;
    if (last <= this.#required().step) throw theLast();
    await this.#goTo(last, 'step');
  }

  async step(): Promise<void> {
    const now = this.#required().step;
    const next = (await this.#snapshots()).find((step) => step > now);
    if (next === undefined) throw theLast();
    await this.#goTo(next, 'step');
  }

  stepInto(): Promise<void> {
    return this.step();
  }

  stepOut(): Promise<void> {
    return this.continue();
  }

  async stepBack(): Promise<void> {
    const now = this.#required().step;
    const before = (await this.#snapshots()).filter((step) => step < now).at(-1);
    if (before === undefined) throw new BasinError('not-found', 'These are the first weights of the run.');
    await this.#goTo(before, 'back');
  }

  async backToStart(): Promise<void> {
    await this.#goTo((await this.#snapshots())[0] ?? 0, 'back');
  }

  async pause(): Promise<void> {
    // It never goes.
  }

  trainOn(): Promise<Run> {
    return Promise.reject(
      new BasinError(
        'unsupported',
        'This process stands before its first step, and its optimizer has never taken one.',
        'Launch the script under the debugger, and train on from where it stands there.',
      ),
    );
  }

  async detach(): Promise<void> {
    this.connection.close();
    await this.options.close();
  }

  async parameters(): Promise<ParameterNumbers> {
    const { step } = this.#required();
    const before = (await this.#snapshots()).includes(step - 1);
    return {
      weights: await this.statistics('current'),
      gradient: null,
      fromStart: await differenceFrom(this.connection, { file: this.#file(0) }),
      update: before ? await differenceFrom(this.connection, { file: this.#file(step - 1) }) : null,
    };
  }

  statistics(of: 'current' | 'gradient'): Promise<readonly ParameterStatistics[]> {
    return statisticsOf(this.connection, of);
  }

  loss(split: 'train' | 'validation'): Promise<LossValue> {
    this.#required();
    return this.options.helpers.loss(this.connection, split);
  }

  async measureSharpness(): Promise<LiveSharpness> {
    const { step, values } = this.#required();
    const measured = await this.options.helpers.sharpness(this.connection);
    // The process itself has not trained: it knows neither the step nor its learning rate.
    this.#lastSharpness = { ...measured, step, learningRate: values?.learningRate ?? null };
    return this.#lastSharpness;
  }

  snapshot(): Promise<number> {
    return Promise.resolve(this.#required().step);
  }

  async #goTo(step: number, reason: Stop['reason']): Promise<void> {
    await this.connection.load({ into: 'debugger-snapshot', from: { file: this.#file(step) } });
    await this.connection.assign({ vector: 'debugger-snapshot' });
    const { objectiveIndex } = this.connection.description;
    // The record of step k has the loss at snapshot k; behind the last step there is none.
    const values =
      this.#steps.filter((record) => record.objective === objectiveIndex && record.step <= step).at(-1) ??
      null;
    this.#standing = { reason: 'pause', place: 'boundary', step, values };
    this.#lastSharpness = null;
    const text = `Snapshot ${step} of run ${this.run.id}, in its script started again. Steps go from snapshot to snapshot.`;
    this.options.listener.stopped({
      reason,
      text,
      standing: this.#standing,
      event: null,
      breakpoints: [],
    });
  }

  #snapshots(): Promise<number[]> {
    return snapshotSteps(this.run, this.connection.description.objectiveIndex);
  }

  #file(step: number): string {
    return this.run.snapshotPath(step, this.connection.description.objectiveIndex);
  }

  #required(): Standing {
    if (this.#standing !== null) return this.#standing;
    throw new BasinError('busy', 'The run is not open yet.', 'Wait for its first stop.');
  }
}

/** Steps that a run has snapshots of, in order. */
export async function snapshotSteps(run: Run, objective: number): Promise<number[]> {
  return (await run.snapshots(objective)).map(({ step }) => step);
}

/**
 * @param steps those that there are snapshots of, in order
 * @returns the step of the snapshot
 * @throws BasinError `not-found` where there is no such one, with those that there are
 */
export function requireSnapshot(run: string, at: number | 'last', steps: readonly number[]): number {
  const step = at === 'last' ? steps.at(-1) : at;
  if (step !== undefined && steps.includes(step)) return step;
  throw new BasinError(
    'not-found',
    `Run ${run} has no snapshot ${at}.`,
    `It has ${steps.length === 0 ? 'none' : `those of steps ${listed(steps)}`}.`,
  );
}

const theLast = (): BasinError =>
  new BasinError('not-found', 'This is the last snapshot of the run.', 'Step back, or end the session.');

function listed(steps: readonly number[]): string {
  return steps.length <= 6 ? steps.join(', ') : `${steps.slice(0, 3).join(', ')}, …, ${steps.at(-1) ?? ''}`;
}
