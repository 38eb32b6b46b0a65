/** Training a copy of a model on, step by step, and taking weights where a schedule says so. */
import { isCancelled } from '../protocol/errors.ts';
import type { EvaluationMode, TrainingSource } from '../protocol/evaluator.ts';
import type { FurtherTraining } from '../protocol/furtherTraining.ts';
import type { AnalysisContext, Evaluator } from './evaluator.ts';
import { measureModel, type Measured } from './measure.ts';
import type { Model, Snapshot } from './model.ts';
import { rateAt, requireSchedule, takenAfter, type RateSchedule } from './rateSchedule.ts';
import { requireSettings, Sgd, trainingSource, type SgdSettings } from './sgd.ts';
import { figures } from './trust.ts';
import type { Vectors } from './vectors.ts';

export interface FurtherTrainingInput {
  readonly at: Model;
  readonly schedule: RateSchedule;
  readonly settings: SgdSettings;
  /** Budget in steps. */
  readonly steps: number;
  readonly seed: number;
  /** Number of the first batch in the seed's order; when absent `continuesAt`, or 0 of a stream, which would have to be read up to there. */
  readonly position?: number;
  /** Updates that the training of `at` had done. */
  readonly continuesAt: number;
  readonly mode: EvaluationMode;
  /** The run's last snapshot, for comparison. */
  readonly last: Snapshot;
}

/** What became of the training; `stopped` by a signal, with what was there by then. */
export interface Trained {
  readonly training: FurtherTraining;
  readonly stopped: boolean;
  /** What is left to do is no longer to be cut short: the signal has had its effect. */
  readonly finishing: AnalysisContext;
}

/** Stretches in which the losses on the way are told. */
const STRETCHES = 200;
/** Share of the work that training is, for progress; scoring and saving are the rest. */
const TRAINING_SHARE = 0.9;

/**
 * Trains the weights in `at` for the budget, and hands them to `take` wherever the schedule takes weights. An aborted
 * signal ends it after the step that is being done, as if that were the end of the budget, once anything was taken.
 * @param at a named vector that is moved
 * @param take called with the number of updates done; the vector it may copy is `at`
 * @throws BasinError `non-finite` where the loss diverges, `busy`, `bad-input`, `cancelled` before anything was taken
 */
export async function trainFurther(
  evaluator: Evaluator,
  vectors: Vectors,
  at: string,
  input: FurtherTrainingInput,
  take: (step: number, context: AnalysisContext) => Promise<void>,
  context: AnalysisContext,
): Promise<Trained> {
  const { schedule, settings, steps } = input;
  requireSchedule(schedule);
  requireSettings(settings);
  const source = await trainingSource(evaluator, vectors.name('source'), input.seed, context.signal);
  const position = input.position ?? (source.batches === null ? 0 : input.continuesAt);
  const sgd = new Sgd(evaluator, vectors, at, settings, input.seed, position);
  const losses = new StretchMeans(Math.ceil(steps / STRETCHES));
  // What was begun when the signal came is finished: a step that is cut short has moved nothing, one that was taken is kept.
  const finishing: AnalysisContext = { ...context, signal: new AbortController().signal };
  let [taken, stopped] = [0, false];
  for (let step = 1; step <= steps; step++) {
    const rate = rateAt(schedule, step);
    try {
      const loss = await sgd.step(rate, steps - step + 1, context.signal);
      losses.add(step, rate, loss, step === steps);
      context.progress(
        (TRAINING_SHARE * step) / steps,
        `step ${step} of ${steps}, loss ${figures(loss, 3)}, rate ${figures(rate, 3)}`,
      );
    } catch (error) {
      if (!isCancelled(error) || taken === 0) throw error;
      stopped = true;
      break;
    }
    if (takenAfter(schedule, step)) {
      await take(step, finishing);
      taken++;
    }
  }
  return {
    stopped,
    finishing,
    training: describe(input, sgd, source, position, losses.done()),
  };
}

function describe(
  { at, schedule, settings, steps, seed }: FurtherTrainingInput,
  sgd: Sgd,
  source: TrainingSource,
  position: number,
  path: FurtherTraining['path'],
): FurtherTraining {
  const low = schedule.name === 'constant' ? schedule.high : schedule.name === 'cosine' ? 0 : schedule.low;
  return {
    at: at.id,
    schedule: { ...schedule, low },
    steps: sgd.steps,
    budget: steps,
    momentum: settings.momentum,
    nesterov: settings.nesterov,
    weightDecay: settings.weightDecay,
    clip: settings.clip,
    seed,
    batches: { from: position, to: sgd.next },
    samplesRead: Math.round(sgd.samples),
    source,
    path,
  };
}

/**
 * A copy of the present weights as a model by itself: batch-norm statistics computed anew on the train split.
 * @returns its name
 */
export async function asModel(
  evaluator: Evaluator,
  vectors: Vectors,
  weights: string,
  label: string,
  signal: AbortSignal,
): Promise<string> {
  const into = vectors.name(label);
  await evaluator.combine({ into, terms: [{ coefficient: 1, vector: weights }], state: weights }, signal);
  if (evaluator.description.hasStatistics) {
    await evaluator.refreshStatistics({ vector: into, data: { split: 'train' } }, signal);
  }
  return into;
}

/** The last snapshot's score, and what its samples come to. */
export async function measureLast(
  evaluator: Evaluator,
  vectors: Vectors,
  { last, mode }: Pick<FurtherTrainingInput, 'last' | 'mode'>,
  context: AnalysisContext,
): Promise<Measured & { step: number }> {
  const vector = await vectors.load(last.vector, 'last', context.signal);
  const measured = await measureModel(evaluator, vector, mode, context);
  await vectors.release([vector]);
  return { ...measured, step: last.step };
}

/** Means of successive losses. */
class StretchMeans {
  private readonly path: { step: number; rate: number; loss: number }[] = [];
  private sum = 0;
  private count = 0;
  private last = { step: 0, rate: 0 };

  constructor(private readonly length: number) {}

  add(step: number, rate: number, loss: number, end: boolean): void {
    this.sum += loss;
    this.count++;
    this.last = { step, rate };
    if (this.count >= this.length || end) this.close();
  }

  done(): FurtherTraining['path'] {
    if (this.count > 0) this.close();
    return this.path;
  }

  private close(): void {
    this.path.push({ ...this.last, loss: this.sum / this.count });
    this.sum = 0;
    this.count = 0;
  }
}
