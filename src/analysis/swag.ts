/** SWAG (Maddox et al. 2019): what averaging the predictions of draws around the average of snapshots is worth. */
import { mersenne } from 'pure-rand/generator/mersenne';
import type { EvaluationMode } from '../protocol/evaluator.ts';
import type { Doubt, SwagModel, SwagResult } from '../protocol/averaging.ts';
import type { Uncertainty } from '../protocol/uncertainty.ts';
import { chooseMembers, type AverageWindow } from './average.ts';
import type { AnalysisContext, Evaluator } from './evaluator.ts';
import { notFinite, type Draft, type Snapshot } from './model.ts';
import { mean } from './moments.ts';
import { toRows, type Rows } from './predictions.ts';
import { requireReplay } from './replay.ts';
import { requireOneOutput } from './requireOneOutput.ts';
import { measureMembers, type Measured } from './measure.ts';
import { judgedOn } from './score.ts';
import { drawWeights, swagPosterior } from './swagPosterior.ts';
import { dataSentence, percent, replaySentence } from './trust.ts';
import { comparisonSentences } from './trustComparison.ts';
import { uncertaintyOf } from './uncertainty.ts';
import { withVectors } from './vectors.ts';

export interface SwagInput {
  /** All snapshots of the run, by step. */
  readonly snapshots: readonly Snapshot[];
  readonly window: AverageWindow;
  readonly rank: number;
  readonly draws: number;
  readonly scale: number;
  readonly seed: number;
  readonly mode: EvaluationMode;
  /** Where the first draws are saved, one model each. */
  readonly keep: readonly {
    readonly id: string;
    readonly file: string;
    readonly metadata: Record<string, string>;
  }[];
}

/**
 * Scores the mean prediction of the draws beside the average itself and the last snapshot. Every draw gets batch-norm
 * statistics of its own. Held at once: rank + draws + 2 weight vectors.
 * @throws BasinError `bad-input`, `unsupported` where predictions cannot be seen, `non-finite`, `not-replayable`, `cancelled`
 */
export async function swag(
  evaluator: Evaluator,
  input: SwagInput,
  context: AnalysisContext,
): Promise<Draft<SwagResult>> {
  const { description } = evaluator;
  requireOneOutput(description, 'SWAG', 'Average the snapshots instead');
  requireReplay(description);
  const members = chooseMembers(input.snapshots, input.window);
  const last = input.snapshots.at(-1) as Snapshot;
  const { signal } = context;
  return withVectors(evaluator, async (vectors) => {
    const posterior = await swagPosterior(evaluator, vectors, members, input.rank, {
      signal,
      progress: (fraction, message) => context.progress(0.3 * fraction, message),
    });
    if (!Number.isFinite(posterior.diagonalTrace)) {
      throw notFinite('A snapshot in the window has weights that are NaN or infinite.');
    }
    const refresh = async (vector: string): Promise<void> => {
      if (description.hasStatistics)
        await evaluator.refreshStatistics({ vector, data: { split: 'train' } }, signal);
    };
    const draws: string[] = [];
    const rows: Rows[] = [];
    const how = { generator: mersenne(input.seed), scale: input.scale };
    for (let i = 0; i < input.draws; i++) {
      context.progress(0.3 + (0.4 * i) / input.draws, `draw ${i + 1} of ${input.draws}`);
      const draw = await drawWeights(evaluator, vectors, posterior, how, context);
      await refresh(draw);
      draws.push(draw);
      const kept = input.keep[i];
      if (kept !== undefined)
        await evaluator.save({ vector: draw, file: kept.file, metadata: kept.metadata }, signal);
      const data = { split: description.validation === null ? 'train' : 'validation' } as const;
      const asked = { vector: draw, how: { data, mode: input.mode, refresh: false } };
      const seen = toRows(await evaluator.predictions(asked, signal));
      if (seen !== null) rows.push(seen);
    }
    context.progress(0.7, 'scoring the draws');
    const together = await measured(evaluator, draws, input.mode, context);
    await vectors.release(draws);
    context.progress(0.9, 'scoring the average');
    await refresh(posterior.mean);
    const average = await measured(evaluator, [posterior.mean], input.mode, context);
    const lastVector = await vectors.load(last.vector, 'last', signal);
    const before = await measured(evaluator, [lastVector], input.mode, context);
    const data = judgedOn(together.score);
    const uncertainty = rows.length === draws.length ? uncertaintyOf(rows) : null;
    const { diagonalTrace, lowRankTrace } = posterior;
    return {
      kind: 'swag',
      members: members.map((m) => m.step),
      rank: posterior.columns.length,
      draws: input.draws,
      scale: input.scale,
      data,
      score: together.model,
      average: average.model,
      baseline: { ...before.model, step: last.step },
      uncertainty,
      kept: input.keep.map((k) => k.id),
      variance: { diagonal: diagonalTrace, lowRank: lowRankTrace },
      forwardPasses: input.draws,
      refreshedStatistics: description.hasStatistics,
      trust: [
        ...comparisonSentences(`SWAG over ${members.length} snapshots`, together, before, last.step),
        ...comparisonSentences('Its average alone', average, before, last.step).slice(0, 1),
        ...doubtSentences(together.model, average.model),
        ...uncertaintySentences(uncertainty),
        `It costs ${input.draws} forward passes per prediction; another seed draws other weights.`,
        ...(members.length < 10
          ? [`${members.length} snapshots say little about the spread of weights: a longer window is better.`]
          : []),
        dataSentence(data, input.mode, false),
        ...replaySentence(description),
      ],
    };
  });
}

/** One model, or the mean prediction of several, and how sure it is of itself. */
async function measured(
  evaluator: Evaluator,
  members: readonly string[],
  mode: EvaluationMode,
  context: AnalysisContext,
): Promise<Measured & { readonly model: SwagModel }> {
  const found = await measureMembers(evaluator, members, { mode }, context);
  const { score, calibrationError, confidence, correct } = found;
  if (confidence === null || correct === null) {
    return { ...found, model: { ...score, calibrationError: null, doubt: null } };
  }
  const of = (right: number): number | null => {
    const values = confidence.filter((_, i) => correct[i] === right);
    return values.length === 0 ? null : mean(values);
  };
  const doubt: Doubt = { right: of(1), wrong: of(0) };
  return { ...found, model: { ...score, calibrationError, doubt } };
}

function uncertaintySentences(uncertainty: Uncertainty | null): string[] {
  const found = uncertainty?.measures.find((m) => m.name === 'predictive-entropy')?.tellsWrong;
  if (found == null) return [];
  const { value, standardError } = found;
  const size = `in ${percent(value)} ± ${percent(standardError)} of pairs a wrong answer is less certain than a right one`;
  return [
    value - 0.5 > 2 * standardError
      ? `Its uncertainty tells wrong answers: ${size} (a coin: 50 %).`
      : `Its uncertainty does not tell wrong answers from right ones: ${size} (a coin: 50 %).`,
  ];
}

function doubtSentences(together: SwagModel, average: SwagModel): string[] {
  const [mine, alone] = [together.doubt?.wrong, average.doubt?.wrong];
  if (mine === null || mine === undefined || alone === null || alone === undefined) return [];
  return [
    `Where it is wrong it is ${percent(mine)} sure of itself on average, its average alone ${percent(alone)}.`,
  ];
}
