/** Loss and accuracy along the straight segment between two models. */
import { BasinError } from '../protocol/errors.ts';
import type { DataSelection, ScoreValue } from '../protocol/evaluator.ts';
import type { LineResult, MatchedUnits } from '../protocol/results.ts';
import type { Maybe } from '../protocol/result.ts';
import type { AnalysisContext, Evaluator } from './evaluator.ts';
import { finite } from './finite.ts';
import { deviation } from './moments.ts';
import { largestIncrease, monotoneSentence, monotonicity } from './monotone.ts';
import { matchedSentences } from './matchUnits.ts';
import { howToEvaluate, type Draft, type Evaluation, type Model } from './model.ts';
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
 * The barrier is max over t of loss(t) − ((1 − t)·loss(0) + t·loss(1)) (Frankle et al. 2020).
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
    /** Whether it falls all the way, with the error of its largest rise from the differences of the same samples. */
    const falls = async (values: readonly ScoreValue[], data: DataSelection) => {
      const increase = largestIncrease(values.map((v) => finite(v.loss)));
      if (increase === null || increase.value === 0) return monotonicity(t, increase, null);
      const how = { data, mode: input.mode, refresh: false };
      const losses: (readonly number[] | null)[] = [];
      for (const k of [increase.from, increase.to]) {
        await go(t[k] ?? 0);
        const request = { members: [at], how, inputGradient: false };
        losses.push(description.predictions ? (await evaluator.samples(request, context.signal)).loss : null);
      }
      const [low, high] = losses;
      const apart = (k: number): number => values[k]?.standardError ?? 0;
      const error =
        low && high && low.length > 1
          ? deviation(high.map((l, i) => l - (low[i] ?? NaN))) / Math.sqrt(low.length)
          : Math.hypot(apart(increase.from), apart(increase.to));
      return monotonicity(t, increase, Number.isFinite(error) && error > 0 ? error : null);
    };
    const monotone = await falls(onData, input.data);
    const onHeldOut = validation ? await falls(onValidation, { ...input.data, split: 'validation' }) : null;
    const loss = onData.map((v) => finite(v.loss));
    const lossOnValidation = onValidation.map((v) => finite(v.loss));
    const ends = { from: input.from.id, to: input.to.id };
    const body = {
      kind: 'line' as const,
      from: input.from.id,
      to: input.to.id,
      data: { split: input.data.split, samples: onData[0]?.samples ?? 0 },
      t,
      loss,
      standardError: onData.map((v) => finite(v.standardError)),
      accuracy: accuracies(onData),
      validation: validation
        ? {
            loss: lossOnValidation,
            accuracy: accuracies(onValidation),
            samples: onValidation[0]?.samples ?? 0,
            standardError: onValidation.map((v) => finite(v.standardError)),
            barrier: barrier(t, lossOnValidation),
            ...(onHeldOut === null ? {} : { monotone: onHeldOut }),
          }
        : null,
      barrier: barrier(t, loss),
      monotone,
      length,
      ...(input.matched === undefined ? {} : { matched: input.matched }),
      refreshedStatistics: refresh,
    };
    return {
      ...body,
      trust: [
        ...lineSentences(body),
        monotoneSentence(
          monotone,
          { ...ends, points },
          input.data.split === 'train' ? 'training' : 'validation',
        ),
        ...(onHeldOut === null ? [] : [monotoneSentence(onHeldOut, { ...ends, points }, 'validation')]),
        ...(input.matched === undefined ? [] : matchedSentences(input.matched, input.to.id)),
        dataSentence(body.data, input.mode, refresh),
        ...replaySentence(description),
      ],
    };
  });
}

/** Largest rise of the loss above the straight line between its ends; null where a loss is not finite. */
export function barrier(t: readonly number[], loss: readonly Maybe[]): number | null {
  const first = loss[0] ?? null;
  const last = loss.at(-1) ?? null;
  if (first === null || last === null) return null;
  let highest = 0;
  for (const [i, value] of loss.entries()) {
    if (value === null) return null;
    const s = t[i] ?? 0;
    // The ends are their own straight line: 0 whatever rounding says.
    if (i > 0 && i < loss.length - 1) highest = Math.max(highest, value - ((1 - s) * first + s * last));
  }
  return highest;
}

function accuracies(values: readonly ScoreValue[]): Maybe[] | null {
  return values.every((v) => v.accuracy === null) ? null : values.map((v) => finite(v.accuracy));
}
