/** Stochastic weight averaging (Izmailov et al. 2018) over snapshots of one run. */
import { BasinError } from '../protocol/errors.ts';
import type { EvaluationMode } from '../protocol/evaluator.ts';
import type { AverageResult } from '../protocol/results.ts';
import { barrierSentences, heedBarrier, linesOfAverage, measureBarriers } from './barrier.ts';
import type { AnalysisContext, Evaluator } from './evaluator.ts';
import { measureMembers } from './measure.ts';
import type { Draft, Snapshot } from './model.ts';
import { requireReplay } from './replay.ts';
import { judgedOn } from './score.ts';
import { dataSentence, figures, replaySentence } from './trust.ts';
import { comparisonSentences } from './trustComparison.ts';
import { withVectors } from './vectors.ts';

/** Which snapshots to average: steps from..to, every stride-th snapshot counted back from the last of them. */
export interface AverageWindow {
  /** Default: three quarters of the way to the last snapshot. */
  readonly from?: number;
  readonly to?: number;
  readonly stride?: number;
  /** Only the latest k of them (LAWA, Kaddour 2022). */
  readonly last?: number;
  /**
   * Decay per member, in (0, 1), of an exponential moving average in place of equal weights; it begins at the first member:
   * a ← decay·a + (1 − decay)·θ.
   */
  readonly ema?: number;
}

export interface AverageInput {
  /** All snapshots of the run, by step. */
  readonly snapshots: readonly Snapshot[];
  readonly window: AverageWindow;
  readonly mode: EvaluationMode;
  /** At most this many samples of each split for the scores; all when absent. */
  readonly samples?: number;
  /** Fail with code `barrier` rather than average across one. */
  readonly stopAtBarrier?: boolean;
  /** Id of the model that is built, and the safetensors file that the evaluator writes it to. */
  readonly model: { readonly id: string; readonly file: string; readonly metadata: Record<string, string> };
}

/**
 * The members of a window, by step.
 * @throws BasinError `bad-input` when fewer than two snapshots are in it
 */
export function chooseMembers(snapshots: readonly Snapshot[], window: AverageWindow): Snapshot[] {
  const stride = window.stride ?? 1;
  if (!Number.isInteger(stride) || stride < 1) {
    throw new BasinError(
      'bad-input',
      `A stride of ${stride} snapshots is not possible.`,
      'Give a stride of 1 or more.',
    );
  }
  const last = snapshots.at(-1)?.step ?? 0;
  const to = window.to ?? last;
  // A count of the latest names its own beginning, and a moving average forgets the early ones by itself.
  const whole = window.last !== undefined || window.ema !== undefined;
  const from = window.from ?? (whole ? 0 : 0.75 * Math.min(last, to));
  const inside = snapshots.filter((s) => s.step >= from && s.step <= to);
  const strided = inside.filter((_, i) => (inside.length - 1 - i) % stride === 0);
  const members = window.last === undefined ? strided : strided.slice(-window.last);
  if (members.length < 2) {
    throw new BasinError(
      'bad-input',
      `An average needs at least 2 snapshots; between steps ${Math.ceil(from)} and ${to}` +
        `${stride > 1 ? `, at a stride of ${stride},` : ''} there ${members.length === 1 ? 'is 1' : 'are none'}.`,
      'Widen the window with --from or a smaller --stride.',
    );
  }
  return members;
}

/** How much each member counts, by step; they sum to 1. @param ema decay per member; equal weights when absent */
export function memberWeights(count: number, ema: number | undefined): number[] {
  return Array.from({ length: count }, (_, i) => {
    if (ema === undefined) return 1 / count;
    return (i === 0 ? 1 : 1 - ema) * ema ** (count - 1 - i);
  });
}

/** Members that count for less than this in a moving average do not tell where it lies. */
const LEAST_WEIGHT = 0.01;

/**
 * Averages the members' weights, all alike or as an exponential moving average, computes batch-norm statistics anew on the train split (weighted
 * by sample), looks for a barrier between the members, saves the model, and scores it beside the last snapshot, which
 * keeps the statistics it was trained with.
 * @throws BasinError `bad-input`, `non-finite` when a member's weights are, `barrier` when it is to stop there,
 *   `not-replayable`, `cancelled`
 */
export async function average(
  evaluator: Evaluator,
  input: AverageInput,
  context: AnalysisContext,
): Promise<Draft<AverageResult>> {
  const members = chooseMembers(input.snapshots, input.window);
  const last = input.snapshots.at(-1);
  if (last === undefined) throw new BasinError('internal', 'A window with members has a last snapshot.');
  requireReplay(evaluator.description);
  const refreshed = evaluator.description.hasStatistics;
  return withVectors(evaluator, async (vectors) => {
    context.progress(0, `averaging ${members.length} snapshots`);
    const into = vectors.name('average');
    const weights = memberWeights(members.length, input.window.ema);
    const terms = members.map((m, i) => ({ coefficient: weights[i] ?? 0, vector: m.vector }));
    const { norm } = await evaluator.combine({ into, terms, state: 'combine' }, context.signal);
    if (!Number.isFinite(norm)) {
      throw new BasinError(
        'non-finite',
        'The average is not finite: a snapshot in the window has weights that are NaN or infinite.',
        'End the window, with --to, before the loss diverged.',
      );
    }
    if (refreshed) {
      context.progress(0.3, 'batch-norm statistics');
      await evaluator.refreshStatistics({ vector: into, data: { split: 'train' } }, context.signal);
    }
    const counting = members.filter(
      (_, i) => (weights[i] ?? 0) >= Math.min(LEAST_WEIGHT, 1 / members.length),
    );
    const models = counting.map(({ step, vector }) => ({ id: String(step), vector }));
    const barriers = await measureBarriers(evaluator, vectors, linesOfAverage(models, into), input.mode, {
      signal: context.signal,
      progress: (fraction, message) => context.progress(0.4 + 0.2 * fraction, message),
    });
    heedBarrier(barriers, input.stopAtBarrier === true, context);
    context.progress(0.6, 'scoring the average');
    const own = await measureMembers(evaluator, [into], input, context);
    const { score, calibrationError } = own;
    context.progress(0.8, 'scoring the last snapshot');
    const lastVector = await vectors.load(last.vector, 'last', context.signal);
    const before = await measureMembers(evaluator, [lastVector], input, context);
    const baseline = { ...before.score, calibrationError: before.calibrationError, step: last.step };
    context.progress(0.9, 'saving');
    await evaluator.save(
      { vector: into, file: input.model.file, metadata: input.model.metadata },
      context.signal,
    );
    const data = judgedOn(score);
    return {
      kind: 'average',
      model: input.model.id,
      members: members.map((m) => m.step),
      decay: input.window.ema ?? null,
      data,
      score,
      calibrationError,
      baseline,
      barriers,
      refreshedStatistics: refreshed,
      trust: [
        ...comparisonSentences(
          `${input.window.ema === undefined ? 'Average' : `Moving average (decay ${input.window.ema})`} of ${members.length} snapshots`,
          own,
          before,
          last.step,
        ),
        ...calibrationSentence(calibrationError, baseline),
        ...barrierSentences(barriers),
        dataSentence(data, input.mode, false),
        ...(refreshed
          ? ['Batch-norm statistics of the average were computed anew on the training samples.']
          : []),
        ...replaySentence(evaluator.description),
      ],
    };
  });
}

function calibrationSentence(
  error: number | null,
  last: { readonly step: number; readonly calibrationError: number | null },
): string[] {
  if (error === null || last.calibrationError === null) return [];
  return [
    `Its expected calibration error is ${figures(error, 2)}, that of snapshot ${last.step} ${figures(last.calibrationError, 2)}.`,
  ];
}
