/** Whether models that are to be averaged lie in one basin: the loss along lines between them, at a few points. */
import { BasinError } from '../protocol/errors.ts';
import type { EvaluationMode, Operand } from '../protocol/evaluator.ts';
import type { Barrier, Barriers } from '../protocol/barriers.ts';
import type { AnalysisContext, Evaluator } from './evaluator.ts';
import { finite } from './finite.ts';
import type { Model } from './model.ts';
import { mean } from './moments.ts';
import { errorOfSum, type MeasuredLoss } from './pairedError.ts';
import { withError } from './trust.ts';
import type { Vectors } from './vectors.ts';

/** Most training samples that are looked at: paired, so few of them tell a barrier from noise. */
const SAMPLES = 512;
/** Most members whose line to the average is looked at. */
const MOST_MEMBERS = 6;
/** Share of the loss at the ends that a barrier has to reach before it is worth a warning. */
const WORTH_A_WARNING = 0.1;

/** A line to look along. */
export interface Line {
  readonly from: Model;
  readonly to: Model;
  /** Where, between 0 and 1. */
  readonly t: readonly number[];
}

/** Losses of the same samples, or their mean and its standard error where single ones are not known. */
interface Losses {
  readonly samples: readonly number[] | null;
  readonly mean: number;
  readonly standardError: number | null;
}

/**
 * The lines that tell whether an average stays in one basin: from the first member to the last, and from members spread
 * evenly to the average.
 */
export function linesOfAverage(members: readonly Model[], average: string): Line[] {
  const [first, last] = [members[0], members.at(-1)];
  if (first === undefined || last === undefined || first === last) return [];
  const ends = { from: first, to: last, t: [0.25, 0.5, 0.75] };
  // The average of two is the middle of that line.
  if (members.length === 2) return [ends];
  const to = { id: 'average', vector: average };
  return [ends, ...spread(members, MOST_MEMBERS).map((from) => ({ from, to, t: [0.5] }))];
}

/**
 * max over t of loss(t) − ((1 − t)·loss(0) + t·loss(1)) of the training loss on each line, at no more than the points
 * named; batch-norm statistics are computed anew at each, the ends too.
 * @returns null without training samples
 * @throws BasinError `cancelled`
 */
export async function measureBarriers(
  evaluator: Evaluator,
  vectors: Vectors,
  lines: readonly Line[],
  mode: EvaluationMode,
  context: AnalysisContext,
): Promise<Barriers | null> {
  if (evaluator.description.train === null || lines.length === 0) return null;
  const { signal } = context;
  const at = vectors.name('between');
  const samples = Math.min(SAMPLES, evaluator.description.train.samples);
  const here = async (): Promise<Losses> => {
    if (evaluator.description.hasStatistics && mode === 'inference')
      await evaluator.refreshStatistics({ vector: at, data: { split: 'train' } }, signal);
    const how = { data: { split: 'train', samples }, mode, refresh: false } as const;
    const { loss } = await evaluator.samples({ members: [at], how, inputGradient: false }, signal);
    if (loss !== null) return { samples: loss, mean: mean(loss), standardError: null };
    const value = await evaluator.score({ members: [at], how }, signal);
    return { samples: null, mean: value.loss, standardError: value.standardError };
  };
  const mix = async (terms: readonly { coefficient: number; vector: Operand }[]): Promise<Losses> => {
    await evaluator.combine({ into: at, terms, state: 'combine' }, signal);
    return here();
  };
  const ends = new Map</* id of a model */ string, Losses>();
  const end = async ({ id, vector }: Model): Promise<Losses> => {
    const known = ends.get(id) ?? (await mix([{ coefficient: 1, vector }]));
    ends.set(id, known);
    return known;
  };
  const found: Barrier[] = [];
  for (const [i, { from, to, t }] of lines.entries()) {
    context.progress(i / lines.length, 'looking for barriers');
    const [start, stop] = [await end(from), await end(to)];
    const rises: { value: number; standardError: number | null }[] = [];
    for (const s of t) {
      const terms = [
        { coefficient: 1 - s, vector: from.vector },
        { coefficient: s, vector: to.vector },
      ];
      rises.push(riseOf(start, await mix(terms), stop, s));
    }
    found.push({ from: from.id, to: to.id, ...highestOf(rises), ends: finite((start.mean + stop.mean) / 2) });
  }
  await vectors.release([at]);
  return { lines: found, ...summary(found), samples };
}

/** Only what lies between some of the models decides whether they are averaged across a barrier; every line stays. */
export function barriersAmong(barriers: Barriers | null, ids: ReadonlySet<string>): Barriers | null {
  return (
    barriers && { ...barriers, ...summary(barriers.lines.filter((l) => ids.has(l.from) && ids.has(l.to))) }
  );
}

function summary(lines: readonly Barrier[]): Pick<Barriers, 'highest' | 'crossed'> {
  const highest = lines.reduce<Barrier | null>(
    (a, b) => (a === null || (b.height ?? Infinity) > (a.height ?? Infinity) ? b : a),
    null,
  );
  return { highest, crossed: highest !== null && isCrossed(highest) };
}

/**
 * Tells of a barrier before models are averaged across it.
 * @throws BasinError `barrier` where the job is to stop there
 */
export function heedBarrier(barriers: Barriers | null, stop: boolean, context: AnalysisContext): void {
  if (barriers?.crossed !== true) return;
  const message = crossingSentence(barriers);
  if (stop) throw new BasinError('barrier', message, 'Average models of one basin, or average these anyway.');
  context.warn?.(message);
}

/** First whether a barrier is crossed. */
export function barrierSentences(barriers: Barriers | null): string[] {
  if (barriers?.highest == null) return [];
  if (barriers.crossed) return [crossingSentence(barriers)];
  const { height, standardError } = barriers.highest;
  return [
    height === 0
      ? 'No barrier was found between the members: at the points looked at the training loss does not rise above the line between its ends.'
      : `The highest barrier found between the members is ${withError(height ?? NaN, standardError)} in training loss: nothing to warn of.`,
  ];
}

function crossingSentence({ highest }: Barriers): string {
  const { from, to, height, standardError } = highest as Barrier;
  return height === null
    ? `The average lies across a barrier: between ${from} and ${to} the training loss is NaN or infinite.`
    : `The average lies across a barrier: between ${from} and ${to} the training loss rises by ` +
        `${withError(height, standardError)} above the line between its ends.`;
}

/** Whether a barrier is worth a warning. */
export function isCrossed({ height, standardError, ends }: Barrier): boolean {
  if (height === null) return ends !== null;
  return height > Math.max(2 * (standardError ?? 0), WORTH_A_WARNING * Math.abs(ends ?? 0));
}

/** loss(t) less the straight line between the ends, and its standard error. */
function riseOf(
  start: Losses,
  here: Losses,
  stop: Losses,
  t: number,
): { value: number; standardError: number | null } {
  const term = (coefficient: number, { samples, standardError }: Losses): MeasuredLoss => ({
    coefficient,
    losses: samples,
    standardError,
  });
  return {
    value: here.mean - (1 - t) * start.mean - t * stop.mean,
    standardError: errorOfSum([term(1, here), term(t - 1, start), term(-t, stop)]),
  };
}

function highestOf(
  rises: readonly { value: number; standardError: number | null }[],
): Pick<Barrier, 'height' | 'standardError'> {
  if (!rises.every(({ value }) => Number.isFinite(value))) return { height: null, standardError: null };
  const top = rises.reduce((a, b) => (b.value > a.value ? b : a));
  return { height: Math.max(0, top.value), standardError: top.standardError };
}

/** At most so many, evenly, first and last kept. */
function spread<T>(items: readonly T[], most: number): T[] {
  if (items.length <= most) return [...items];
  return Array.from(
    { length: most },
    (_, i) => items[Math.round((i * (items.length - 1)) / (most - 1))] as T,
  );
}
