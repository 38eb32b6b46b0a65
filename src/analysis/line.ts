/** Loss and accuracy along the straight segment between two models. */
import { BasinError } from '../protocol/errors.ts';
import type { DataSelection, ScoreValue } from '../protocol/evaluator.ts';
import type { LineResult, MatchedUnits } from '../protocol/results.ts';
import type { Maybe } from '../protocol/result.ts';
import type { AnalysisContext, Evaluator } from './evaluator.ts';
import { finite } from './finite.ts';
import { largestIncrease, monotoneSentence, monotonicity } from './monotone.ts';
import { matchedSentences } from './matchUnits.ts';
import { howToEvaluate, type Draft, type Evaluation, type Model } from './model.ts';
import { errorOfSum } from './pairedError.ts';
import { requireReplay } from './replay.ts';
import { dataSentence, lineSentences, replaySentence } from './trust.ts';
import { withVectors } from './vectors.ts';

export interface LineInput extends Evaluation {
  readonly from: Model;
  readonly to: Model;
  /** Points along t = 0..1, both ends included; 2 to 1001. */
  readonly points: number;
  /** What was done to `to` before, where it was matched to `from`. */
  readonly matched?: MatchedUnits;
}

/**
 * Loss at (1 − t)·from + t·to, on `data` and, when `data` is the train split, on the validation split as well;
 * accuracy where the loss has one. Batch-norm statistics are computed anew at each point, once for both splits.
 * Whether the loss falls all the way from the worse end to the better one is looked at on both splits.
 * The barrier is max over t of loss(t) − ((1 − t)·loss(0) + t·loss(1)) (Frankle et al. 2020). Its standard error is that of
 * this difference on the same samples, at the point where it is largest; that the point was chosen by these samples is
 * not in it.
 * @throws BasinError `bad-input`, `non-finite` when an end's weights are not finite, `not-replayable`, `cancelled`
 */
export async function line(
  evaluator: Evaluator,
  input: LineInput,
  context: AnalysisContext,
): Promise<Draft<LineResult>> {
  const { points } = input;
  if (!Number.isInteger(points) || points < 2 || points > 1001) {
    throw new BasinError(
      'bad-input',
      `A line of ${points} points cannot be drawn.`,
      'Give 2 to 1001 points.',
    );
  }
  const { description } = evaluator;
  requireReplay(description);
  const { refresh } = howToEvaluate(description, input, true);
  return withVectors(evaluator, async (vectors) => {
    const from = await vectors.load(input.from.vector, 'from', context.signal);
    const to = await vectors.load(input.to.vector, 'to', context.signal);
    const at = vectors.name('point');
    const { norm: length } = await evaluator.combine(
      {
        into: at,
        terms: [
          { coefficient: 1, vector: to },
          { coefficient: -1, vector: from },
        ],
        state: null,
      },
      context.signal,
    );
    if (!Number.isFinite(length)) {
      throw new BasinError(
        'non-finite',
        `There is no line from ${input.from.id} to ${input.to.id}: an end has weights that are NaN or infinite.`,
        'Choose ends before the loss diverged.',
      );
    }
    const t = Array.from({ length: points }, (_, i) => i / (points - 1));
    const onData: ScoreValue[] = [];
    const onValidation: ScoreValue[] = [];
    const validation = input.data.split === 'train' && description.validation !== null;
    const go = async (s: number): Promise<void> => {
      const terms = [
        { coefficient: 1 - s, vector: from },
        { coefficient: s, vector: to },
      ];
      await evaluator.combine({ into: at, terms, state: 'combine' }, context.signal);
      if (refresh)
        await evaluator.refreshStatistics({ vector: at, data: { split: 'train' } }, context.signal);
    };
    for (const [i, s] of t.entries()) {
      await go(s);
      const evaluate = (data: DataSelection): Promise<ScoreValue> =>
        evaluator.score({ members: [at], how: { data, mode: input.mode, refresh: false } }, context.signal);
      onData.push(await evaluate(input.data));
      if (validation) onValidation.push(await evaluate({ ...input.data, split: 'validation' }));
      context.progress((i + 1) / points, `line ${i + 1} of ${points}`);
    }
    /** Losses of the single samples at a point; null where the script's loss does not show them. */
    const samplesAt = async (k: number, data: DataSelection): Promise<readonly number[] | null> => {
      if (!description.predictions) return null;
      await go(t[k] ?? 0);
      const how = { data, mode: input.mode, refresh: false };
      return (await evaluator.samples({ members: [at], how, inputGradient: false }, context.signal)).loss;
    };
    /** The barrier, and whether the loss falls all the way, each with the error of its differences. */
    const judge = async (values: readonly ScoreValue[], data: DataSelection) => {
      const loss = values.map((v) => finite(v.loss));
      const known = new Map</* place on the line */ number, readonly number[] | null>();
      const errorOf = async (terms: readonly Term[]): Promise<number | null> => {
        for (const { at: k } of terms) if (!known.has(k)) known.set(k, await samplesAt(k, data));
        return errorOfSum(
          terms.map(({ at: k, coefficient }) => ({
            coefficient,
            losses: known.get(k) ?? null,
            standardError: values[k]?.standardError ?? null,
          })),
        );
      };
      const rise = highestRise(t, loss);
      const increase = largestIncrease(loss);
      return {
        loss,
        barrier: rise?.value ?? null,
        barrierStandardError:
          rise === null || rise.value === 0 ? null : await errorOf(aboveChord(t, rise.at)),
        monotone: monotonicity(
          t,
          increase,
          increase === null || increase.value === 0
            ? null
            : await errorOf([
                { at: increase.to, coefficient: 1 },
                { at: increase.from, coefficient: -1 },
              ]),
        ),
      };
    };
    const judged = await judge(onData, input.data);
    const heldOut = validation ? await judge(onValidation, { ...input.data, split: 'validation' }) : null;
    const ends = { from: input.from.id, to: input.to.id };
    const body = {
      kind: 'line' as const,
      from: input.from.id,
      to: input.to.id,
      data: { split: input.data.split, samples: onData[0]?.samples ?? 0 },
      t,
      ...judged,
      standardError: onData.map((v) => finite(v.standardError)),
      accuracy: accuracies(onData),
      validation: heldOut && {
        ...heldOut,
        accuracy: accuracies(onValidation),
        samples: onValidation[0]?.samples ?? 0,
        standardError: onValidation.map((v) => finite(v.standardError)),
      },
      length,
      ...(input.matched === undefined ? {} : { matched: input.matched }),
      refreshedStatistics: refresh,
    };
    return {
      ...body,
      trust: [
        ...lineSentences(body),
        monotoneSentence(
          judged.monotone,
          { ...ends, points },
          input.data.split === 'train' ? 'training' : 'validation',
        ),
        ...(heldOut === null ? [] : [monotoneSentence(heldOut.monotone, { ...ends, points }, 'validation')]),
        ...(input.matched === undefined ? [] : matchedSentences(input.matched, input.to.id)),
        dataSentence(body.data, input.mode, refresh),
        ...replaySentence(description),
      ],
    };
  });
}

/**
 * Largest rise of the loss above the straight line between its ends, and the index where it is; 0 at the start where it
 * never rises, null where a loss is not finite.
 */
export function highestRise(
  t: readonly number[],
  loss: readonly Maybe[],
): { readonly value: number; readonly at: number } | null {
  const first = loss[0] ?? null;
  const last = loss.at(-1) ?? null;
  if (first === null || last === null) return null;
  let highest = { value: 0, at: 0 };
  for (const [at, here] of loss.entries()) {
    if (here === null) return null;
    // The ends are their own straight line: 0 whatever rounding says.
    if (at === 0 || at === loss.length - 1) continue;
    const s = t[at] ?? 0;
    const value = here - ((1 - s) * first + s * last);
    if (value > highest.value) highest = { value, at };
  }
  return highest;
}

/** A point of the line, by its index, and what its loss is multiplied by. */
interface Term {
  readonly at: number;
  readonly coefficient: number;
}

/** The loss at a point less that of the straight line between the ends. */
function aboveChord(t: readonly number[], at: number): Term[] {
  const s = t[at] ?? 0;
  return [
    { at, coefficient: 1 },
    { at: 0, coefficient: s - 1 },
    { at: t.length - 1, coefficient: -s },
  ];
}

function accuracies(values: readonly ScoreValue[]): Maybe[] | null {
  return values.every((v) => v.accuracy === null) ? null : values.map((v) => finite(v.accuracy));
}
