/** What gives predictions: one model, or an ensemble that was built of several and has no weights of its own. */
import type { Combination } from '../protocol/evaluator.ts';
import type { Model } from './model.ts';
import type { Vectors } from './vectors.ts';

export interface BuiltEnsemble {
  readonly id: string;
  /** Two or more. */
  readonly members: readonly Model[];
  /** As it was scored; the evaluator's usual one where that is not known. */
  readonly combine?: Combination;
}

export type Predictor = Model | BuiltEnsemble;

/** A predictor inside the evaluator, as `score` and `samples` of the wire take it. */
export interface LoadedPredictor {
  readonly members: readonly string[];
  readonly combine?: Combination;
}

export async function loadPredictor(
  vectors: Vectors,
  predictor: Predictor,
  signal: AbortSignal,
): Promise<LoadedPredictor> {
  if ('vector' in predictor) return { members: [await vectors.load(predictor.vector, 'model', signal)] };
  const members: string[] = [];
  for (const { vector } of predictor.members) members.push(await vectors.load(vector, 'member', signal));
  return { members, ...(predictor.combine === undefined ? {} : { combine: predictor.combine }) };
}

/** What is to be known of an ensemble's numbers; nothing of a single model. */
export function predictorSentences(predictor: Predictor): string[] {
  if ('vector' in predictor) return [];
  const { id, members, combine } = predictor;
  const how = {
    probability: 'the mean of their probabilities',
    logit: 'the mean of their logits',
    mean: 'the mean of their values',
  };
  const given = combine === undefined ? 'their mean' : how[combine];
  return [
    `${id} is an ensemble of ${members.length} models, whose prediction is ${given}: it costs ${members.length} forward passes.`,
  ];
}
