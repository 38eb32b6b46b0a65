/** Words for results, as tree rows and notifications show them. */
import * as vscode from 'vscode';
import type { LensName } from '../protocol/page.ts';
import type { AnalysisResult } from '../protocol/analyses.ts';
import type { AverageResult, ContourResult, EnsembleResult, Score, Scores } from '../protocol/results.ts';
import type { SweepResult } from '../protocol/averaging.ts';
import type { CycleVerdict } from '../protocol/cycles.ts';
import type { SoupResult } from '../protocol/soups.ts';
import type { TrajectoryResult } from '../protocol/trajectory.ts';
import type { MeasureName } from '../protocol/measures.ts';
import { localDecimals, localNumber } from './localNumber.ts';
import { verdictWords } from './sharpnessText.ts';

/** The lens of the panel that draws a kind of result. */
export function lensOf(kind: AnalysisResult['kind']): LensName {
  switch (kind) {
    case 'contour':
    case 'landscapes':
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
      return (
        vscode.l10n.t(
          'Contour {0} {1}, at {2}',
          planeWords(result.plane.kind),
          `${result.x.length}×${result.y.length}`,
          result.at,
        ) + partial(result)
      );
    case 'landscapes':
      return vscode.l10n.t(
        'Landscapes of {0}',
        result.landscapes
          .map(({ name, contour }) => (contour === null ? vscode.l10n.t('{0} (no answer)', name) : name))
          .join(', '),
      );
    case 'curvature-map':
      return (
        vscode.l10n.t(
          'Curvature over a plane at {0}: |λmin/λmax| {1} at the centre',
          result.at,
          localNumber(result.centre.ratio ?? NaN),
        ) + partial(result)
      );
    case 'line':
      return result.barrier === null
        ? vscode.l10n.t('Line {0} to {1}', result.from, result.to)
        : vscode.l10n.t('Line {0} to {1}, barrier {2}', result.from, result.to, localNumber(result.barrier));
    case 'sharpness':
      return vscode.l10n.t(
        'λ₁ {0} at {1}, {2}',
        localNumber(result.eigenvalues[0] ?? NaN),
        result.at,
        verdictWords(result.verdict),
      );
    case 'spectrum':
      return vscode.l10n.t(
        'Spectrum at {0}: {1}',
        result.at,
        result.blocks.map((b) => `${b.name} λ₁ ${localNumber(b.largest?.values[0] ?? NaN)}`).join(', '),
      );
    case 'stability':
      return vscode.l10n.t('λ₁ along the run, {0} snapshots', result.points.length);
    case 'flatness':
      return vscode.l10n.t(
        'Flatness at {0}: {1}',
        result.at,
        result.measures.map((m) => `${m.name} ${localNumber(m.value ?? NaN)}`).join(', '),
      );
    case 'calibration':
      return vscode.l10n.t(
        'Calibration of {0}: error {1}, confidence {2}, accuracy {3}',
        result.at,
        localNumber(result.error),
        localNumber(result.confidence),
        localNumber(result.accuracy),
      );
    case 'margins': {
      const { output } = result.validation ?? result.train;
      return vscode.l10n.t(
        'Margins of {0}: median {1}, {2} % not right',
        result.at,
        localNumber(output.quantiles[4] ?? NaN),
        localDecimals(100 * output.notRight, 1),
      );
    }
    case 'measures': {
      const told = result.measures.filter((m) => m.verdict === 'rises' || m.verdict === 'falls');
      const words =
        told.length === 0
          ? vscode.l10n.t('none is shown to go with it')
          : told.map((m) => measureWords(m.name)).join(', ');
      return result.gap === 'loss'
        ? vscode.l10n.t('Measures against the loss gap of {0} runs: {1}', result.known, words)
        : vscode.l10n.t('Measures against the accuracy gap of {0} runs: {1}', result.known, words);
    }
    case 'cycles':
      return vscode.l10n.t('Cycles: {0}', cycleWords(result.verdict));
    case 'noise':
      return vscode.l10n.t(
        'Gradient noise of {0}: {1} of {2} directions, scale {3}',
        result.at,
        result.rank.directions,
        result.rank.parameters,
        localNumber(result.scale.value ?? NaN),
      );
    case 'layers':
      return vscode.l10n.t(
        'Layers: {0} parameters, {1} events',
        result.parameters.length,
        result.events.length,
      );
    case 'trajectory':
      return vscode.l10n.t('Trajectory: {0}', trajectoryText(result));
    case 'sweep':
      return vscode.l10n.t('Averages compared: {0}', sweepText(result));
    case 'swag':
      return vscode.l10n.t(
        'SWAG of {0}, {1} draws: {2}',
        result.members.length,
        result.draws,
        mainText(result),
      );
    case 'soup':
      return vscode.l10n.t(
        'Soup of {0} of {1}: {2}',
        result.members.length,
        result.candidates.length,
        mainText(result),
      );
    case 'swa':
      return titled(vscode.l10n.t('SWA of {0} points', result.iterates.length), result);
    case 'fge':
      return titled(vscode.l10n.t('Fast geometric ensemble of {0}', result.members.length), result);
    case 'snapshot-ensemble':
      return titled(vscode.l10n.t('Snapshot ensemble of {0}', result.members.length), result);
    case 'point':
      return vscode.l10n.t(
        'Point ({0}, {1}) at {2}: {3}',
        localNumber(result.x),
        localNumber(result.y),
        result.at,
        mainText(result),
      );
    case 'score':
      return vscode.l10n.t('Score of {0}: {1}', result.at, mainText(result));
    case 'average':
      return vscode.l10n.t('Average of {0}: {1}', result.members.length, mainText(result));
    case 'ensemble':
      return vscode.l10n.t('Ensemble of {0}: {1}', result.members.length, mainText(result));
  }
}

const partial = ({ complete }: { readonly complete: boolean }): string =>
  complete ? '' : ` ${vscode.l10n.t('(partial)')}`;

const mainText = ({ score }: { readonly score: Scores }): string => scoreText(mainScore(score).score);

function titled(built: string, result: TrainedResult): string {
  return `${built}${result.complete ? '' : ` ${vscode.l10n.t('(stopped early)')}`}: ${mainText(result)}`;
}

function planeWords(kind: ContourResult['plane']['kind']): string {
  switch (kind) {
    case 'pca':
      return vscode.l10n.t('PCA');
    case 'random':
      return vscode.l10n.t('random');
    case 'eigenvectors':
      return vscode.l10n.t('eigenvectors');
    case 'gradient':
      return vscode.l10n.t('gradient');
    case 'snapshots':
      return vscode.l10n.t('through three models');
    case 'directions':
      return vscode.l10n.t('along directions');
  }
}

/** Whether one of the averages that were compared is better than the last snapshot. */
function sweepText({ verdict, best, expectedGain }: SweepResult): string {
  if (verdict === 'no-gain') return vscode.l10n.t('no gain over the last snapshot');
  const which =
    best === null
      ? vscode.l10n.t('none is finite')
      : vscode.l10n.t('best of steps {0} to {1}', best.from, best.to);
  if (expectedGain === null) return which;
  return vscode.l10n.t(
    '{0}, loss lower by {1} ± {2}',
    which,
    localNumber(expectedGain.value),
    localNumber(expectedGain.standardError),
  );
}

function cycleWords(verdict: CycleVerdict): string {
  switch (verdict) {
    case 'fixed-order':
      return vscode.l10n.t('the data come in a fixed order');
    case 'repeats':
      return vscode.l10n.t('the updates repeat');
    case 'none':
      return vscode.l10n.t('nothing repeats');
    case 'unknown':
      return vscode.l10n.t('too few steps');
  }
}

function measureWords(name: MeasureName): string {
  const words: Readonly<Record<MeasureName, string>> = {
    lambda1: vscode.l10n.t('λ₁ of the Hessian'),
    trace: vscode.l10n.t('trace of the Hessian'),
    'worst-case': vscode.l10n.t('worst case in a box'),
    sam: vscode.l10n.t('SAM sharpness'),
    asam: vscode.l10n.t('ASAM sharpness'),
    'average-case': vscode.l10n.t('average-case flatness'),
    'fisher-rao': vscode.l10n.t('Fisher–Rao norm, squared'),
    'weight-norm': vscode.l10n.t('norm of the weights'),
    distance: vscode.l10n.t('distance from the start'),
    'output-margin': vscode.l10n.t('median output margin'),
    'input-margin': vscode.l10n.t('median input margin'),
    'noise-trace': vscode.l10n.t('trace of the gradient noise'),
    'noise-scale': vscode.l10n.t('gradient noise scale'),
    'calibration-error': vscode.l10n.t('calibration error'),
    'train-loss': vscode.l10n.t('training loss'),
  };
  return words[name];
}

/** What the plane of the path's first two components holds. */
function trajectoryText({ snapshots, sketch }: TrajectoryResult): string {
  const path = snapshots ?? sketch;
  if (path === null) return vscode.l10n.t('no plane');
  const percent = (share: number): string => (100 * share).toFixed(0);
  return vscode.l10n.t(
    'plane holds {0} % of the variance, a random walk’s {1} %',
    percent(path.plane.share),
    percent(path.plane.randomWalk),
  );
}

/** `loss 0.123 ± 0.004, accuracy 96.1 %` */
export function scoreText(score: Score): string {
  const loss =
    score.loss === null
      ? vscode.l10n.t('loss not finite')
      : vscode.l10n.t('loss {0}', withError(score.loss, score.lossStandardError));
  if (score.accuracy === null) return loss;
  const spread =
    score.accuracyStandardError === null ? '' : ` ± ${localDecimals(100 * score.accuracyStandardError, 1)}`;
  return vscode.l10n.t('{0}, accuracy {1} %', loss, localDecimals(100 * score.accuracy, 1) + spread);
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
  const other =
    result.kind === 'soup'
      ? vscode.l10n.t('The best alone, {0}', result.baseline.id)
      : vscode.l10n.t('Last snapshot');
  const samples =
    split === 'train'
      ? vscode.l10n.t('{0} train samples', score.samples)
      : vscode.l10n.t('{0} validation samples', score.samples);
  return `${builtWords(result)}: ${scoreText(score)}. ${other}: ${scoreText(baseline)} (${samples}).`;
}

export type TrainedResult = Extract<AnalysisResult, { kind: 'swa' | 'fge' | 'snapshot-ensemble' }>;

function builtWords(result: AverageResult | EnsembleResult | SoupResult | TrainedResult): string {
  switch (result.kind) {
    case 'soup':
      return vscode.l10n.t('Soup of {0} models', result.members.length);
    case 'average':
      return vscode.l10n.t('Average of {0} snapshots', result.members.length);
    case 'ensemble':
      return vscode.l10n.t('Ensemble of {0} snapshots', result.members.length);
    case 'swa':
      return vscode.l10n.t('SWA of {0} points over {1} steps', result.iterates.length, result.training.steps);
    case 'fge':
      return vscode.l10n.t('Fast geometric ensemble of {0}', result.members.length);
    case 'snapshot-ensemble':
      return vscode.l10n.t('Snapshot ensemble of {0}', result.members.length);
  }
}

function withError(value: number, standardError: number | null): string {
  return standardError === null
    ? localNumber(value)
    : `${localNumber(value)} ± ${localNumber(standardError)}`;
}
