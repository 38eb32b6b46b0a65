/** Whether a classifier's confidence is the share of its answers that are right. */
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { BasinError } from '../protocol/errors.ts';
import type { HowToEvaluate } from '../protocol/evaluator.ts';
import {
  calibrationDefaults,
  type Binning,
  type CalibrationResult,
  type ReliabilityBin,
} from '../protocol/generalisation.ts';
import type { AnalysisContext, Evaluator } from './evaluator.ts';
import { howToEvaluate, notFinite, type Draft, type Evaluation } from './model.ts';
import { deviation, mean } from './moments.ts';
import { loadPredictor, predictorSentences, type LoadedPredictor, type Predictor } from './predictor.ts';
import { requireReplay } from './replay.ts';
import { dataSentence, replaySentence } from './trust.ts';
import { calibrationSentences } from './trustCalibration.ts';
import { withVectors } from './vectors.ts';

export interface CalibrationInput extends Evaluation {
  readonly at: Predictor;
  /** How many bins, 2 to 100. */
  readonly bins: number;
  readonly binning: Binning;
  readonly seed: number;
}

/** Simulated outcomes and bootstrap samples: the 95th percentile then rests on 25 of them. */
const RESAMPLES = 500;
/** Of the normal distribution, for 95 %. */
const Z = 1.96;

/** One answer of a classifier. */
interface Answer {
  readonly confidence: number;
  readonly correct: number;
}

/**
 * Expected calibration error with its bins (Guo et al. 2017), its standard error by the bootstrap over samples, and what
 * the same confidences would show by chance if they were right.
 * @throws BasinError `unsupported` for a loss without classes, `non-finite`, `not-replayable`, `cancelled`
 */
export async function calibration(
  evaluator: Evaluator,
  input: CalibrationInput,
  context: AnalysisContext,
): Promise<Draft<CalibrationResult>> {
  requireReplay(evaluator.description);
  return withVectors(evaluator, async (vectors) => {
    context.progress(0, 'predicting');
    const at = await loadPredictor(vectors, input.at, context.signal);
    const how = howToEvaluate(evaluator.description, input, false);
    const answers = await answersOf(evaluator, at, how, context);
    context.progress(0.8, 'resampling');
    const bins = binsOf(answers, input);
    const error = expectedError(bins);
    const draw = uniform(input.seed);
    const resampled = repeat(() =>
      expectedError(
        binsOf(
          answers.map(() => answers[Math.floor(draw() * answers.length)] as Answer),
          input,
        ),
      ),
    );
    const byChance = repeat(() =>
      expectedError(
        binsOf(
          answers.map(({ confidence }) => ({ confidence, correct: draw() < confidence ? 1 : 0 })),
          input,
        ),
      ),
    ).sort((a, b) => a - b);
    const standardError = deviation(resampled);
    const ifCalibrated = {
      mean: mean(byChance),
      percentile95: byChance[Math.floor(0.95 * RESAMPLES)] ?? NaN,
    };
    const data = { split: input.data.split, samples: answers.length };
    const body = {
      kind: 'calibration' as const,
      at: input.at.id,
      data,
      binning: input.binning,
      bins,
      error,
      standardError,
      interval: intervalOf(error, mean(resampled) - error, standardError, ifCalibrated.percentile95),
      maximumError: Math.max(...bins.map(gap)),
      ifCalibrated,
      confidence: mean(answers.map((a) => a.confidence)),
      accuracy: mean(answers.map((a) => a.correct)),
      refreshedStatistics: false,
    };
    return {
      ...body,
      trust: [
        ...calibrationSentences(body),
        ...predictorSentences(input.at),
        dataSentence(data, input.mode, false),
        ...replaySentence(evaluator.description),
      ],
    };
  });
}

async function answersOf(
  evaluator: Evaluator,
  at: LoadedPredictor,
  how: HowToEvaluate,
  { signal }: AnalysisContext,
): Promise<Answer[]> {
  const found = await evaluator.samples({ ...at, how, inputGradient: false }, signal);
  const { confidence, correct } = found;
  if (confidence === null || correct === null) {
    throw new BasinError(
      'unsupported',
      `This model has no calibration: ${found.reason ?? 'its predictions cannot be told apart from its loss.'}`,
      'Calibration is of classifiers whose loss is a cross-entropy of predictions that can be seen.',
    );
  }
  if (confidence.length < 2) {
    throw new BasinError(
      'unsupported',
      'One sample tells nothing of how often answers are right.',
      'Let the script evaluate more held-out samples, or use --data train.',
    );
  }
  if (!confidence.every(Number.isFinite)) {
    throw notFinite('Some predictions are NaN or infinite.');
  }
  return confidence.map((c, i) => ({ confidence: c, correct: correct[i] ?? 0 }));
}

/** The expected calibration error alone, over 15 bins of equal width as Guo et al. have them; NaN where an answer is. */
export function calibrationErrorOf(confidence: readonly number[], correct: readonly number[]): number {
  if (!confidence.every(Number.isFinite)) return NaN;
  const answers = confidence.map((c, i) => ({ confidence: c, correct: correct[i] ?? 0 }));
  return expectedError(binsOf(answers, calibrationDefaults));
}

/** Equal widths from 0 to 1, or equal numbers of samples in the order of confidence. */
function binsOf(
  answers: readonly Answer[],
  { bins: count, binning }: Pick<CalibrationInput, 'bins' | 'binning'>,
): ReliabilityBin[] {
  if (binning === 'width') {
    const held: Answer[][] = Array.from({ length: count }, () => []);
    for (const answer of answers) {
      const bin = Math.min(count - 1, Math.max(0, Math.ceil(answer.confidence * count) - 1));
      held[bin]?.push(answer);
    }
    return held.map((inside, i) => toBin(inside, i / count, (i + 1) / count));
  }
  const sorted = [...answers].sort((a, b) => a.confidence - b.confidence);
  const edges = Array.from({ length: count + 1 }, (_, i) => Math.round((i * sorted.length) / count));
  let from = 0;
  return Array.from({ length: count }, (_, i) => {
    const inside = sorted.slice(edges[i], edges[i + 1]);
    const to = i === count - 1 ? 1 : (inside.at(-1)?.confidence ?? from);
    const bin = toBin(inside, from, to);
    from = to;
    return bin;
  });
}

function toBin(inside: readonly Answer[], from: number, to: number): ReliabilityBin {
  const samples = inside.length;
  if (samples === 0) return { from, to, samples, confidence: null, accuracy: null, standardError: null };
  const accuracy = mean(inside.map((a) => a.correct));
  return {
    from,
    to,
    samples,
    confidence: mean(inside.map((a) => a.confidence)),
    accuracy,
    standardError: Math.sqrt((accuracy * (1 - accuracy)) / samples),
  };
}

const gap = ({ accuracy, confidence }: ReliabilityBin): number =>
  accuracy === null || confidence === null ? 0 : Math.abs(accuracy - confidence);

function expectedError(bins: readonly ReliabilityBin[]): number {
  const total = bins.reduce((n, b) => n + b.samples, 0);
  return bins.reduce((sum, b) => sum + (b.samples / total) * gap(b), 0);
}

/**
 * Noise makes each bin's gap larger on average, in the sample and in the bootstrap's draws from it alike; where a bin's gap
 * is large it adds nothing. So from what is left without all that the bootstrap's draws have more than the sample, to
 * the error as it is, and a reach of noise beyond either; where there is no telling from chance, 0 is inside.
 */
function intervalOf(error: number, added: number, spread: number, byChance: number): [number, number] {
  const low = error <= byChance ? 0 : Math.max(0, error - added - Z * spread);
  return [low, error + Z * spread];
}

const repeat = (once: () => number): number[] => Array.from({ length: RESAMPLES }, once);
function uniform(seed: number): () => number {
  const generator = xoroshiro128plus(seed);
  return () => uniformFloat64(generator);
}
