/** Words for results, as tree rows and notifications show them. */
import type { LensName } from '../protocol/page.ts';
import type { AnalysisResult } from '../protocol/analyses.ts';
import type { AverageResult, EnsembleResult, Score, Scores } from '../protocol/results.ts';
import type { SweepResult } from '../protocol/averaging.ts';
import type { SoupResult } from '../protocol/soups.ts';
import type { TrajectoryResult } from '../protocol/trajectory.ts';
import { measureWords } from '../protocol/measures.ts';
import { shortNumber, verdictWords } from './sharpnessText.ts';

/** The lens of the panel that draws a kind of result. */
export function lensOf(kind: AnalysisResult['kind']): LensName {
  switch (kind) {
    case 'contour':
    case 'curvature-map':
      return 'contour';
    case 'line':
      return 'line';
    case 'spectrum':
    case 'noise':
      return 'spectrum';
    case 'sharpness':
    case 'stability':
    case 'flatness':
      return 'sharpness';
    case 'trajectory':
    case 'cycles':
    case 'layers':
      return 'trajectory';
    case 'calibration':
    case 'margins':
    case 'measures':
      return 'generalisation';
    case 'point':
    case 'score':
    case 'sweep':
    case 'swag':
    case 'soup':
    case 'swa':
    case 'fge':
    case 'snapshot-ensemble':
    case 'average':
    case 'ensemble':
      return 'averaging';
  }
}

/** One row: what was asked and the number that answers it. */
export function resultTitle(result: AnalysisResult): string {
  switch (result.kind) {
    case 'contour':
      return `Contour ${result.plane.kind} ${result.x.length}×${result.y.length}, at ${result.at}${result.complete ? '' : ' (partial)'}`;
    case 'curvature-map':
      return `Curvature over a plane at ${result.at}: |λmin/λmax| ${shortNumber(result.centre.ratio ?? NaN)} at the centre${result.complete ? '' : ' (partial)'}`;
    case 'line':
      return `Line ${result.from} to ${result.to}${result.barrier === null ? '' : `, barrier ${shortNumber(result.barrier)}`}`;
    case 'sharpness':
      return `λ₁ ${shortNumber(result.eigenvalues[0] ?? NaN)} at ${result.at}, ${verdictWords[result.verdict]}`;
    case 'spectrum':
      return `Spectrum at ${result.at}: ${result.blocks.map((b) => `${b.name} λ₁ ${shortNumber(b.largest?.values[0] ?? NaN)}`).join(', ')}`;
    case 'stability':
      return `λ₁ along the run, ${result.points.length} snapshots`;
    case 'flatness':
      return `Flatness at ${result.at}: ${result.measures.map((m) => `${m.name} ${shortNumber(m.value ?? NaN)}`).join(', ')}`;
    case 'calibration':
      return `Calibration of ${result.at}: error ${shortNumber(result.error)}, confidence ${shortNumber(result.confidence)}, accuracy ${shortNumber(result.accuracy)}`;
    case 'margins': {
      const { output } = result.validation ?? result.train;
      return `Margins of ${result.at}: median ${shortNumber(output.quantiles[4] ?? NaN)}, ${(100 * output.notRight).toFixed(1)} % not right`;
    }
    case 'measures': {
      const told = result.measures.filter((m) => m.verdict === 'rises' || m.verdict === 'falls');
      return `Measures against the ${result.gap} gap of ${result.known} runs: ${told.length === 0 ? 'none is shown to go with it' : told.map((m) => measureWords[m.name]).join(', ')}`;
    }
    case 'cycles':
      return `Cycles: ${cycleWords[result.verdict]}`;
    case 'noise':
      return `Gradient noise of ${result.at}: ${result.rank.directions} of ${result.rank.parameters} directions, scale ${shortNumber(result.scale.value ?? NaN)}`;
    case 'layers':
      return `Layers: ${result.parameters.length} parameters, ${result.events.length} events`;
    case 'trajectory':
      return `Trajectory: ${trajectoryText(result)}`;
    case 'sweep':
      return `Averages compared: ${sweepText(result)}`;
    case 'swag':
      return `SWAG of ${result.members.length}, ${result.draws} draws: ${scoreText(mainScore(result.score).score)}`;
    case 'soup':
      return `Soup of ${result.members.length} of ${result.candidates.length}: ${scoreText(mainScore(result.score).score)}`;
    case 'swa':
      return `SWA of ${result.iterates.length} points${early(result)}: ${scoreText(mainScore(result.score).score)}`;
    case 'fge':
      return `Fast geometric ensemble of ${result.members.length}${early(result)}: ${scoreText(mainScore(result.score).score)}`;
    case 'snapshot-ensemble':
      return `Snapshot ensemble of ${result.members.length}${early(result)}: ${scoreText(mainScore(result.score).score)}`;
    case 'point':
      return `Point (${shortNumber(result.x)}, ${shortNumber(result.y)}) at ${result.at}: ${scoreText(mainScore(result.score).score)}`;
    case 'score':
      return `Score of ${result.at}: ${scoreText(mainScore(result.score).score)}`;
    case 'average':
      return `Average of ${result.members.length}: ${scoreText(mainScore(result.score).score)}`;
    case 'ensemble':
      return `Ensemble of ${result.members.length}: ${scoreText(mainScore(result.score).score)}`;
  }
}

const early = ({ complete }: { readonly complete: boolean }): string => (complete ? '' : ' (stopped early)');

/** Whether one of the averages that were compared is better than the last snapshot. */
function sweepText({ verdict, best, expectedGain }: SweepResult): string {
  if (verdict === 'no-gain') return 'no gain over the last snapshot';
  const which = best === null ? 'none is finite' : `best of steps ${best.from} to ${best.to}`;
  if (expectedGain === null) return which;
  return `${which}, loss lower by ${shortNumber(expectedGain.value)} ± ${shortNumber(expectedGain.standardError)}`;
}

const cycleWords = {
  'fixed-order': 'the data come in a fixed order',
  repeats: 'the updates repeat',
  none: 'nothing repeats',
  unknown: 'too few steps',
} as const;

/** What the plane of the path's first two components holds. */
function trajectoryText({ snapshots, sketch }: TrajectoryResult): string {
  const path = snapshots ?? sketch;
  if (path === null) return 'no plane';
  const percent = (share: number): string => (100 * share).toFixed(0);
  return `plane holds ${percent(path.plane.share)} % of the variance, a random walk's ${percent(path.plane.randomWalk)} %`;
}

/** `loss 0.123 ± 0.004, accuracy 96.1 %` */
export function scoreText(score: Score): string {
  const loss =
    score.loss === null ? 'loss not finite' : `loss ${withError(score.loss, score.lossStandardError)}`;
  if (score.accuracy === null) return loss;
  const spread =
    score.accuracyStandardError === null ? '' : ` ± ${(100 * score.accuracyStandardError).toFixed(1)}`;
  return `${loss}, accuracy ${(100 * score.accuracy).toFixed(1)}${spread} %`;
}

/** Held-out data tells more than the training batches. */
export function mainScore(scores: Scores): { readonly split: 'train' | 'validation'; readonly score: Score } {
  return scores.validation === null
    ? { split: 'train', score: scores.train }
    : { split: 'validation', score: scores.validation };
}

/** A built model's score beside the last snapshot's, or the best candidate's, on the same samples. */
export function comparisonText(result: AverageResult | EnsembleResult | SoupResult | TrainedResult): string {
  const { split, score } = mainScore(result.score);
  const baseline =
    split === 'validation' ? (result.baseline.validation ?? result.baseline.train) : result.baseline.train;
  const other = result.kind === 'soup' ? `The best alone, ${result.baseline.id}` : 'Last snapshot';
  return (
    `${builtWords(result)}: ${scoreText(score)}. ` +
    `${other}: ${scoreText(baseline)} (${score.samples} ${split} samples).`
  );
}

export type TrainedResult = Extract<AnalysisResult, { kind: 'swa' | 'fge' | 'snapshot-ensemble' }>;

function builtWords(result: AverageResult | EnsembleResult | SoupResult | TrainedResult): string {
  switch (result.kind) {
    case 'soup':
      return `Soup of ${result.members.length} models`;
    case 'average':
      return `Average of ${result.members.length} snapshots`;
    case 'ensemble':
      return `Ensemble of ${result.members.length} snapshots`;
    case 'swa':
      return `SWA of ${result.iterates.length} points over ${result.training.steps} steps`;
    case 'fge':
      return `Fast geometric ensemble of ${result.members.length}`;
    case 'snapshot-ensemble':
      return `Snapshot ensemble of ${result.members.length}`;
  }
}

function withError(value: number, standardError: number | null): string {
  return standardError === null
    ? shortNumber(value)
    : `${shortNumber(value)} ± ${shortNumber(standardError)}`;
}
