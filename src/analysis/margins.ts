/** How far a classifier's answers are from turning over, on training samples beside held-out ones. */
import { BasinError } from '../protocol/errors.ts';
import type { EvaluationMode, SampleValues } from '../protocol/evaluator.ts';
import {
  marginQuantiles,
  type Estimated,
  type MarginDistribution,
  type MarginsResult,
  type SplitMargins,
} from '../protocol/generalisation.ts';
import type { AnalysisContext, Evaluator } from './evaluator.ts';
import { howToEvaluate, notFinite, type Draft } from './model.ts';
import { deviation, mean } from './moments.ts';
import { loadPredictor, predictorSentences, type LoadedPredictor, type Predictor } from './predictor.ts';
import { requireReplay } from './replay.ts';
import { dataSentence, replaySentence } from './trust.ts';
import { marginSentences } from './trustMargins.ts';
import { withVectors } from './vectors.ts';

export interface MarginsInput {
  readonly at: Predictor;
  readonly mode: EvaluationMode;
}

/** Bins of the histograms. */
const BINS = 30;

/** The margins of one split, sample by sample. */
interface Seen {
  readonly output: readonly number[];
  /** Finite ones only; null where the gradient by the input is not known. */
  readonly input: readonly number[] | null;
  readonly flat: number;
  readonly loss: readonly number[] | null;
  readonly correct: readonly number[];
  readonly reason: string | null;
}

/**
 * Output margins (logit of the label less the largest other one, Bartlett et al. 2017) and input margins to first order
 * (margin over the norm of its gradient by the input, Elsayed et al. 2018; exact for a linear classifier) on both splits.
 * @throws BasinError `unsupported` for a loss without classes, `non-finite`, `not-replayable`, `cancelled`
 */
export async function margins(
  evaluator: Evaluator,
  input: MarginsInput,
  context: AnalysisContext,
): Promise<Draft<MarginsResult>> {
  const { description } = evaluator;
  requireReplay(description);
  return withVectors(evaluator, async (vectors) => {
    const at = await loadPredictor(vectors, input.at, context.signal);
    context.progress(0, 'training samples');
    const train = await look(evaluator, at, 'train', input.mode, context);
    context.progress(0.5, 'validation samples');
    const held =
      description.validation === null ? null : await look(evaluator, at, 'validation', input.mode, context);
    const edges = {
      output: edgesOf([...train.output, ...(held?.output ?? [])]),
      input: train.input === null ? null : edgesOf([...train.input, ...(held?.input ?? [])]),
    };
    const body = {
      kind: 'margins' as const,
      at: input.at.id,
      train: toSplit(train, edges),
      validation: held === null ? null : toSplit(held, edges),
      edges,
      reason: train.input === null ? (train.reason ?? 'The gradient by the input is not known.') : null,
    };
    const { validation } = body;
    const gap =
      validation === null
        ? null
        : {
            loss: difference(validation.loss, body.train.loss),
            accuracy: difference(body.train.accuracy, validation.accuracy),
          };
    const data = {
      split: held === null ? ('train' as const) : ('validation' as const),
      samples: (held ?? train).output.length,
    };
    return {
      ...body,
      gap,
      data,
      refreshedStatistics: false,
      trust: [
        ...marginSentences({ ...body, gap }),
        ...predictorSentences(input.at),
        dataSentence(data, input.mode, false),
        ...replaySentence(description),
      ],
    };
  });
}

async function look(
  evaluator: Evaluator,
  at: LoadedPredictor,
  split: 'train' | 'validation',
  mode: EvaluationMode,
  { signal }: AnalysisContext,
): Promise<Seen> {
  const how = howToEvaluate(evaluator.description, { data: { split }, mode }, false);
  const found: SampleValues = await evaluator.samples({ ...at, how, inputGradient: true }, signal);
  const { margin, correct, inputGradientNorm: slope, loss, reason } = found;
  if (margin === null || correct === null) {
    throw new BasinError(
      'unsupported',
      `This model has no margins: ${reason ?? 'its predictions cannot be told apart from its loss.'}`,
      'Margins are of classifiers whose loss is a cross-entropy of predictions that can be seen.',
    );
  }
  if (!margin.every(Number.isFinite)) throw notFinite('Some predictions are NaN or infinite.');
  const distances = slope?.map((norm, i) => (margin[i] ?? NaN) / norm);
  const inside = distances?.filter(Number.isFinite) ?? [];
  return {
    output: margin,
    // A model that no input moves has no distances at all.
    input: inside.length === 0 ? null : inside,
    flat: (distances?.length ?? 0) - inside.length,
    loss,
    correct,
    reason,
  };
}

function toSplit(
  { output, input, flat, loss, correct }: Seen,
  edges: { readonly output: readonly number[]; readonly input: readonly number[] | null },
): SplitMargins {
  return {
    samples: output.length,
    output: distribution(output, edges.output),
    input: input === null || edges.input === null ? null : distribution(input, edges.input),
    flat,
    loss: loss === null ? { value: null, standardError: null } : estimated(loss),
    accuracy: estimated(correct),
  };
}

function distribution(values: readonly number[], edges: readonly number[]): MarginDistribution {
  const sorted = [...values].sort((a, b) => a - b);
  const counts = new Array<number>(edges.length - 1).fill(0);
  const [low = 0, high = 1] = [edges[0], edges.at(-1)];
  for (const value of values) {
    const bin = Math.min(counts.length - 1, Math.floor(((value - low) / (high - low)) * counts.length));
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  return {
    quantiles: marginQuantiles.map((p) => quantile(sorted, p)),
    mean: mean(values),
    standardError: estimated(values).standardError,
    notRight: values.filter((v) => v <= 0).length / values.length,
    counts,
  };
}

/** By linear interpolation between order statistics. @param sorted ascending, at least one */
function quantile(sorted: readonly number[], p: number): number {
  const place = p * (sorted.length - 1);
  const below = sorted[Math.floor(place)] ?? NaN;
  const above = sorted[Math.ceil(place)] ?? NaN;
  return below + (place - Math.floor(place)) * (above - below);
}

function edgesOf(values: readonly number[]): number[] {
  const low = values.reduce((a, b) => Math.min(a, b), Infinity);
  const high = values.reduce((a, b) => Math.max(a, b), -Infinity);
  // All alike: one bin's width to either side.
  const [from, to] = high > low ? [low, high] : [low - 0.5, low + 0.5];
  return Array.from({ length: BINS + 1 }, (_, i) => from + ((to - from) * i) / BINS);
}

function estimated(values: readonly number[]): Estimated {
  const spread = deviation(values) / Math.sqrt(values.length);
  const value = mean(values);
  return {
    value: Number.isFinite(value) ? value : null,
    standardError: Number.isFinite(spread) ? spread : null,
  };
}

/** Of means over different samples. */
function difference(a: Estimated, b: Estimated): Estimated {
  if (a.value === null || b.value === null) return { value: null, standardError: null };
  const known = a.standardError !== null && b.standardError !== null;
  return {
    value: a.value - b.value,
    standardError: known ? Math.hypot(a.standardError, b.standardError) : null,
  };
}
