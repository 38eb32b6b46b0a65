/** What a run's kept results tell of its last snapshot: the gap, and every measure of its minimum. */
import type { AnalysisResult } from '../protocol/analyses.ts';
import type { GapName, MeasureName, Reading } from '../protocol/measures.ts';
import { marginQuantiles } from '../protocol/generalisation.ts';

/** A measure as one result tells it. */
export interface Told extends Reading {
  readonly name: MeasureName;
  /** What it depends on, in words that are the same for the same settings; null where nothing was chosen. */
  readonly settings: string | null;
}

const MEDIAN = marginQuantiles.indexOf(0.5);

/** Every measure that a result tells of a model on training samples; none for results of other models. */
export function readingsOf(result: AnalysisResult, at: string): Told[] {
  if (!('at' in result) || result.at !== at) return [];
  const from = result.id;
  const tell = (
    name: MeasureName,
    value: number | null | undefined,
    standardError: number | null = null,
    settings: string | null = null,
  ): Told[] =>
    typeof value === 'number' && Number.isFinite(value)
      ? [{ name, value, standardError, settings, from }]
      : [];
  // Margins tell both splits, whichever they are filed under; a score is judged on held-out samples.
  if (result.kind === 'margins') {
    const { output, input } = result.train;
    return [
      ...tell('output-margin', output.quantiles[MEDIAN]),
      ...tell('input-margin', input?.quantiles[MEDIAN]),
      ...tell('train-loss', result.train.loss.value, result.train.loss.standardError),
    ];
  }
  if (result.kind === 'score')
    return tell('train-loss', result.score.train.loss, result.score.train.lossStandardError);
  if (result.data?.split !== 'train') return [];
  switch (result.kind) {
    case 'sharpness':
      return result.converged ? tell('lambda1', result.eigenvalues[0], result.standardError) : [];
    case 'spectrum': {
      const whole = result.blocks.find((block) => block.name === 'all');
      if (whole === undefined || result.matrix !== 'hessian') return [];
      const { largest, trace } = whole;
      return [
        ...(largest?.converged === true ? tell('lambda1', largest.values[0]) : []),
        ...(trace?.converged === true ? tell('trace', trace.value, trace.standardError) : []),
      ];
    }
    case 'flatness':
      return result.measures.flatMap((m) =>
        tell(m.name, m.value, m.standardError, settingsWords(m.settings)),
      );
    case 'noise':
      return [
        ...tell('noise-trace', result.scale.trace.value, result.scale.trace.standardError),
        ...tell('noise-scale', result.scale.value, result.scale.standardError),
      ];
    case 'calibration':
      return tell(
        'calibration-error',
        result.error,
        result.standardError,
        `${result.bins.length} bins of equal ${result.binning}`,
      );
    default:
      return [];
  }
}

/** The gap as a result tells it, with the error of both splits; null where it does not. */
export function gapOf(result: AnalysisResult, at: string, gap: GapName): Reading | null {
  if (!('at' in result) || result.at !== at) return null;
  const from = result.id;
  if (result.kind === 'margins') {
    const told = result.gap?.[gap];
    return typeof told?.value === 'number' ? { ...told, from } : null;
  }
  if (result.kind !== 'score') return null;
  const { train, validation } = result.score;
  if (validation === null) return null;
  const [worse, better] = gap === 'loss' ? [validation, train] : [train, validation];
  const errors =
    gap === 'loss'
      ? [train.lossStandardError, validation.lossStandardError]
      : [train.accuracyStandardError, validation.accuracyStandardError];
  const [a, b] = [worse[gap], better[gap]];
  if (a === null || b === null) return null;
  const known = errors.every((error) => error !== null);
  return { value: a - b, standardError: known ? Math.hypot(...errors.map(Number)) : null, from };
}

function settingsWords(settings: object): string | null {
  const words = Object.entries(settings)
    .filter(([name]) => name !== 'seed')
    .map(([name, value]) => `${name} ${String(value)}`);
  return words.length === 0 ? null : words.sort().join(', ');
}
