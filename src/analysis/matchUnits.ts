/** A model with its hidden units in the order of another model's, where the order says nothing to the loss. */
import { BasinError } from '../protocol/errors.ts';
import type { Operand } from '../protocol/evaluator.ts';
import type { MatchedUnits } from '../protocol/results.ts';
import type { AnalysisContext, Evaluator } from './evaluator.ts';
import { hiddenUnits, type HiddenUnits } from './hiddenUnits.ts';
import { howToEvaluate, lossAt, type Evaluation, type Model } from './model.ts';
import { requireReplay } from './replay.ts';
import { withVectors } from './vectors.ts';
import { permuted, weightMatching, type Tensors } from './weightMatching.ts';

export interface MatchInput extends Evaluation {
  /** Whose order it is to be. */
  readonly from: Tensors;
  readonly to: Tensors;
  readonly toModel: Model;
  /** Puts values to where the evaluator can read them; called again, it may write over the last ones. */
  readonly keep: (values: Tensors) => Promise<Operand>;
}

/** Of the loss: what another order of sums in single precision makes of it. */
const SAME = 1e-5;
const SAME_AT_ZERO = 1e-6;

/**
 * Weight matching (Ainsworth et al. 2023) of `to` to `from`. A layer takes part only if turning its units round leaves the
 * loss as it is, which is looked at first: so a skip connection, a head of its own or recorded dropout is told, not guessed.
 * @throws BasinError `unsupported` when no layer's units can be put in another order, `not-replayable`, `cancelled`
 */
export async function matchUnits(
  evaluator: Evaluator,
  input: MatchInput,
  context: AnalysisContext,
): Promise<{ readonly model: Model; readonly told: MatchedUnits }> {
  const { description } = evaluator;
  requireReplay(description);
  const { groups, leftOut } = hiddenUnits(description.objective);
  const how = howToEvaluate(description, input, true);
  const lossOf = (vector: Operand): Promise<number> =>
    withVectors(evaluator, async (vectors) => {
      const name = await vectors.load(vector, 'matched', context.signal);
      return (await lossAt(evaluator, name, how, context.signal)).loss;
    });
  const loss = await lossOf(input.toModel.vector);
  const same = (other: number): boolean => Math.abs(other - loss) <= SAME * Math.abs(loss) + SAME_AT_ZERO;
  const free: HiddenUnits[] = [];
  const bound = [...leftOut];
  for (const group of groups) {
    const round = Array.from({ length: group.units }, (_, i) => group.units - 1 - i);
    if (same(await lossOf(await input.keep(permuted(input.to, group, round))))) free.push(group);
    else bound.push({ layer: group.layer, reason: 'in another order its units give another loss' });
  }
  if (free.length === 0) {
    const why = bound.map(({ layer, reason }) => `${layer}: ${reason}`).join('; ');
    throw new BasinError(
      'unsupported',
      `No layer's hidden units can be put in another order${why === '' ? ': there is one layer alone' : ` (${why})`}.`,
      'Ask for the line without --match. Matching takes chains of dense and convolutional layers, with biases and norm layers.',
    );
  }
  const { matched, orders, rounds } = weightMatching(input.from, input.to, free);
  const vector = await input.keep(matched);
  const found = await lossOf(vector);
  if (!same(found)) {
    throw new BasinError(
      'unsupported',
      `With its units matched ${input.toModel.id} would be another function: its loss is ${found} in place of ${loss}.`,
      'Ask for the line without --match.',
    );
  }
  return {
    model: { id: input.toModel.id, vector },
    told: {
      layers: free.map(({ layer, units }, k) => ({
        layer,
        units,
        moved: (orders[k] ?? []).filter((from, to) => from !== to).length,
      })),
      leftOut: bound,
      rounds,
    },
  };
}

/** What was done to the line's far end, and to which layers it could not be done. */
export function matchedSentences(told: MatchedUnits, to: string): string[] {
  const units = told.layers.reduce((s, { units: n }) => s + n, 0);
  const moved = told.layers.reduce((s, { moved: n }) => s + n, 0);
  const layers = told.layers.length === 1 ? 'one layer' : `${told.layers.length} layers`;
  return [
    `${moved} of ${units} hidden units of ${to}, in ${layers}, were put in another order, which ` +
      'leaves its function alone (weight matching).',
    ...(told.leftOut.length === 0
      ? []
      : [`Not matched: ${told.leftOut.map(({ layer, reason }) => `${layer} (${reason})`).join('; ')}.`]),
  ];
}
