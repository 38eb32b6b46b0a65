/** What every analysis takes and gives: models in weight space, the samples they are judged on, results without their provenance. */
import type {
  DataSelection,
  EvaluationMode,
  EvaluatorDescription,
  HowToEvaluate,
  LossValue,
  Operand,
} from '../protocol/evaluator.ts';
import type { AnalysisResult } from '../protocol/analyses.ts';
import { BasinError } from '../protocol/errors.ts';
import type { Evaluator } from './evaluator.ts';

/** One point in weight space, and what a result calls it: a snapshot's step as text, or a built model's id. */
export interface Model {
  readonly id: string;
  readonly vector: Operand;
}

/** A recorded point of the trajectory. */
export interface Snapshot {
  /** Updates done before it. */
  readonly step: number;
  readonly vector: Operand;
  /** Training loss recorded at these weights (of that step's batch); null when no step followed or none was recorded. */
  readonly loss: number | null;
}

/** The samples and the mode that a question is asked in. */
export interface Evaluation {
  readonly data: DataSelection;
  readonly mode: EvaluationMode;
}

/**
 * A result as an analysis knows it; the engine adds which run it belongs to and its provenance, into which
 * `refreshedStatistics` moves.
 */
export type Draft<R extends AnalysisResult> = Omit<R, 'id' | 'run' | 'objective' | 'provenance'> & {
  readonly refreshedStatistics: boolean;
};

/**
 * How to evaluate at weights away from any snapshot (`moved`) or at a model that carries statistics of its own.
 * Batch-norm statistics belong to one set of weights, so they are computed anew wherever weights have moved.
 */
export function howToEvaluate(
  description: EvaluatorDescription,
  evaluation: Evaluation,
  moved: boolean,
): HowToEvaluate {
  return {
    ...evaluation,
    refresh: moved && description.hasStatistics && evaluation.mode === 'inference',
  };
}

/** The loss at one named vector, with its own state. @throws BasinError as the evaluator does */
export async function lossAt(
  evaluator: Evaluator,
  at: string,
  how: HowToEvaluate,
  signal: AbortSignal,
): Promise<LossValue> {
  const request = { origin: at, directions: [], coefficients: [[]], how };
  const [value] = (await evaluator.loss(request, signal)).points;
  if (value === undefined)
    throw new BasinError('internal', 'The evaluator answered a question about one point with none.');
  return value;
}

/** What is said of a model whose numbers cannot be analysed. @param message which model, and what of it */
export function notFinite(message: string): BasinError {
  return new BasinError(
    'non-finite',
    message,
    'Choose an earlier snapshot with --at, and lower the learning rate.',
  );
}

/** How many samples a question is answered on: those of whole batches. @param at any named vector */
export async function samplesOf(
  evaluator: Evaluator,
  at: string,
  how: HowToEvaluate,
  signal: AbortSignal,
): Promise<number> {
  return (await lossAt(evaluator, at, how, signal)).samples;
}
