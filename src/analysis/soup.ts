/** Model soups (Wortsman et al. 2022): the average of models of one architecture that were trained apart. */
import type { EvaluationMode } from '../protocol/evaluator.ts';
import { BasinError } from '../protocol/errors.ts';
import type { Barriers } from '../protocol/barriers.ts';
import type { SoupDecision, SoupMethod, SoupResult } from '../protocol/soups.ts';
import {
  barriersAmong,
  barrierSentences,
  heedBarrier,
  isCrossed,
  linesOfAverage,
  measureBarriers,
  type Line,
} from './barrier.ts';
import { asReference } from './ensemble.ts';
import type { AnalysisContext, Evaluator } from './evaluator.ts';
import { gainOf, ofFold, pairedDifferences, verdictOf } from './gain.ts';
import { measureModel, type Measured } from './measure.ts';
import { notFinite, type Draft, type Model } from './model.ts';
import { mean } from './moments.ts';
import { requireReplay } from './replay.ts';
import { judgedOn } from './score.ts';
import { dataSentence, figures, replaySentence } from './trust.ts';
import { comparisonOf } from './trustComparison.ts';
import { withVectors } from './vectors.ts';

export interface SoupInput {
  readonly candidates: readonly Model[];
  readonly method: SoupMethod;
  readonly by: 'loss' | 'accuracy';
  readonly mode: EvaluationMode;
  /** Fail with code `barrier` rather than average across one. */
  readonly stopAtBarrier: boolean;
  /** Id of the model that is built, and the safetensors file that the evaluator writes it to. */
  readonly model: { readonly id: string; readonly file: string; readonly metadata: Record<string, string> };
}

/** More candidates than this are refused. */
export const MOST_CANDIDATES = 50;

/** Which samples a choice is made on: all, or one of two folds. */
type Fold = 0 | 1 | 'all';

/**
 * uniform: the average of all candidates. greedy: candidates in the order of their held-out score, each put into the
 * soup where that makes the soup's held-out score no worse (recipe 1 of the paper). Batch-norm statistics of every
 * average are computed anew; a candidate alone keeps those it was trained with. At most four weight vectors are held.
 * @throws BasinError `bad-input`, `unsupported` for a greedy one without held-out samples or the score it is to choose by,
 *   `non-finite`, `barrier` when it is to stop there, `not-replayable`, `cancelled`
 */
export async function soup(
  evaluator: Evaluator,
  input: SoupInput,
  context: AnalysisContext,
): Promise<Draft<SoupResult>> {
  const { description } = evaluator;
  const { candidates, method, by, mode } = input;
  requireCandidates(candidates);
  requireReplay(description);
  if (method === 'greedy' && description.validation === null) {
    throw new BasinError(
      'unsupported',
      'A greedy soup chooses by held-out samples, and the run has none: the script evaluated none while it was recorded.',
      'Use --method uniform, or let the script evaluate held-out samples while it trains.',
    );
  }
  return withVectors(evaluator, async (vectors) => {
    const { signal } = context;
    const into = vectors.name('soup');
    const known = new Map</* indices of candidates */ string, Measured>();
    let looked = 0;
    const most = method === 'greedy' ? 2 * candidates.length : 1;

    /** Leaves the average of some candidates in `into`. */
    const mix = async (members: readonly number[]): Promise<void> => {
      const coefficient = 1 / members.length;
      const terms = members.map((m) => ({ coefficient, vector: (candidates[m] as Model).vector }));
      await evaluator.combine({ into, terms, state: 'combine' }, signal);
      if (description.hasStatistics && members.length > 1)
        await evaluator.refreshStatistics({ vector: into, data: { split: 'train' } }, signal);
    };
    const measure = async (members: readonly number[]): Promise<Measured> => {
      const key = [...members].sort((a, b) => a - b).join();
      const before = known.get(key);
      if (before !== undefined) return before;
      const done = looked++;
      if (done < candidates.length) context.progress((0.2 * done) / candidates.length, 'scoring candidates');
      else context.progress(0.4 + 0.5 * Math.min(1, (done - candidates.length) / most), 'scoring soups');
      await mix(members);
      const measured = await measureModel(evaluator, into, mode, { signal, progress: () => undefined });
      known.set(key, measured);
      return measured;
    };
    /** Lower is better; infinite where it is not known. */
    const cost = (measured: Measured, fold: Fold): number => costOf(measured, by, fold);

    // What is wrong with the candidates is found out before anything is averaged.
    for (const i of candidates.keys()) await measure([i]);
    const order = (fold: Fold): number[] =>
      [...candidates.keys()].sort(
        (a, b) => cost(known.get(`${a}`) as Measured, fold) - cost(known.get(`${b}`) as Measured, fold),
      );
    const ranked = order('all');
    const best = ranked[0] as number;
    if (!Number.isFinite(cost(await measure([best]), 'all'))) {
      if (by === 'accuracy' && known.get(`${best}`)?.score.train.loss !== null)
        throw new BasinError('unsupported', 'This loss has no accuracy to choose by.', 'Use --by loss.');
      throw notFinite('No candidate has a finite loss.');
    }
    const found = await measureBarriers(evaluator, vectors, await linesOf(), mode, {
      signal,
      progress: (fraction, message) => context.progress(0.2 + 0.2 * fraction, message),
    });
    if (method === 'uniform') heedBarrier(found, input.stopAtBarrier, context);

    const greedy = async (fold: Fold): Promise<{ members: number[]; decisions: SoupDecision[] }> => {
      const [first = 0, ...others] = order(fold);
      let members = [first];
      const decisions: SoupDecision[] = [];
      for (const candidate of others) {
        const trial = [...members, candidate];
        const [before, after] = [await measure(members), await measure(trial)];
        const added = cost(after, fold) <= cost(before, fold);
        decisions.push({
          candidate: (candidates[candidate] as Model).id,
          before: shown(cost(before, fold), by),
          after: shown(cost(after, fold), by),
          added,
        });
        if (added) members = trial;
      }
      return { members, decisions };
    };
    const all = [...candidates.keys()];
    const chosen = method === 'greedy' ? await greedy('all') : { members: all, decisions: [] };
    const members = [...chosen.members].sort((a, b) => a - b);
    const names = new Set(members.map((m) => (candidates[m] as Model).id));
    const barriers = method === 'uniform' ? found : barriersAmong(found, names);
    if (method === 'greedy') heedBarrier(barriers, input.stopAtBarrier, context);
    const together = await measure(members);
    const uniform = (await measure(all)).score;
    if (together.score.train.loss === null) throw notFinite('The average of these models is not finite.');

    const judged: number[] = [];
    for (const fold of [0, 1] as const) {
      const [single = 0] = order(fold);
      const mine = method === 'greedy' ? (await greedy(fold)).members : all;
      const [alone, mixed] = [await measure([single]), await measure(mine)];
      const differences = pairedDifferences(alone.losses, mixed.losses);
      if (differences !== null) judged.push(...ofFold(differences, 1 - fold));
    }
    const heldOut = description.validation !== null;
    const expectedGain = heldOut && judged.length >= 4 ? gainOf(judged) : null;
    const alone = await measure([best]);
    const baseline = alone.score;

    context.progress(0.95, 'saving');
    await mix(members);
    await evaluator.save(
      { vector: into, file: input.model.file, metadata: input.model.metadata },
      context.signal,
    );
    const data = judgedOn(together.score);
    const refreshed = description.hasStatistics && members.length > 1;
    const bestId = (candidates[best] as Model).id;
    const body = {
      kind: 'soup' as const,
      model: input.model.id,
      method,
      by,
      data,
      members: members.map((m) => asReference((candidates[m] as Model).id)),
      candidates: ranked.map((i) => ({
        id: (candidates[i] as Model).id,
        score: (known.get(`${i}`) as Measured).score,
      })),
      decisions: chosen.decisions,
      barriers,
      score: together.score,
      baseline: { ...baseline, id: bestId },
      uniform: uniform.train.loss === null ? null : uniform,
      expectedGain,
      verdict: verdictOf(expectedGain, (baseline.validation ?? baseline.train).loss),
      refreshedStatistics: refreshed,
    };
    return {
      ...body,
      trust: [
        ...soupSentences(body, together, alone, heldOut),
        ...barrierSentences(barriers),
        ...(method === 'greedy' ? leftOutSentence(found, names) : []),
        dataSentence(data, mode, false),
        ...(refreshed
          ? ['Batch-norm statistics of every average were computed anew on the training samples.']
          : []),
        ...replaySentence(description),
      ],
    };

    /** From the best to each other; and to the average of all where that is what will be built. */
    async function linesOf(): Promise<Line[]> {
      const from = candidates[best] as Model;
      const finite = ranked.filter((i) => known.get(`${i}`)?.score.train.loss !== null);
      const pairs = finite
        .filter((i) => i !== best)
        .map((i) => ({ from, to: candidates[i] as Model, t: [0.25, 0.5, 0.75] }));
      if (method === 'greedy' || finite.length < 3) return pairs;
      await mix(finite);
      const average = vectors.name('average');
      await evaluator.combine(
        { into: average, terms: [{ coefficient: 1, vector: into }], state: into },
        signal,
      );
      const toAverage = linesOfAverage(
        finite.map((i) => candidates[i] as Model),
        average,
      ).slice(1);
      return [...pairs, ...toAverage];
    }
  });
}

/** @throws BasinError `bad-input` */
export function requireCandidates(candidates: readonly unknown[]): void {
  if (candidates.length >= 2 && candidates.length <= MOST_CANDIDATES) return;
  throw new BasinError(
    'bad-input',
    `A soup is made of 2 to ${MOST_CANDIDATES} different models, not of ${candidates.length}.`,
    'Name them with --members: steps, models, or RUN:STEP and RUN:MODEL of other runs.',
  );
}

/** The mean loss or the share of wrong answers on a fold of the split that judges. */
function costOf({ score, losses, correct }: Measured, by: 'loss' | 'accuracy', fold: Fold): number {
  const whole = score.validation ?? score.train;
  const known = by === 'loss' ? losses : (correct?.map((c) => 1 - c) ?? null);
  if (fold !== 'all' && known !== null) return finiteOr(mean(ofFold(known, fold)), Infinity);
  if (by === 'loss') return whole.loss ?? Infinity;
  return whole.accuracy === null ? Infinity : 1 - whole.accuracy;
}

const finiteOr = (x: number, other: number): number => (Number.isFinite(x) ? x : other);

function shown(cost: number, by: 'loss' | 'accuracy'): number | null {
  return Number.isFinite(cost) ? (by === 'loss' ? cost : 1 - cost) : null;
}

/** How many candidates a greedy soup has left beyond a barrier. */
function leftOutSentence(barriers: Barriers | null, members: ReadonlySet<string>): string[] {
  const beyond = (barriers?.lines ?? []).filter((line) => !members.has(line.to) && isCrossed(line));
  if (beyond.length === 0) return [];
  const names = beyond.slice(0, 3).map((line) => line.to);
  return [
    `Beyond a barrier from the best, and left out: ${names.join(', ')}${beyond.length > 3 ? ` and ${beyond.length - 3} more` : ''}.`,
  ];
}

function soupSentences(
  {
    method,
    by,
    members,
    candidates,
    baseline,
    expectedGain,
    verdict,
  }: Pick<SoupResult, 'method' | 'by' | 'members' | 'candidates' | 'baseline' | 'expectedGain' | 'verdict'>,
  together: Measured,
  alone: Measured,
  heldOut: boolean,
): string[] {
  const name = method === 'greedy' ? 'Greedy soup' : 'Uniform soup';
  const of = `${name} of ${members.length} of ${candidates.length} models`;
  const sentences = [
    members.length === 1
      ? `${of}: no other could be averaged with ${baseline.id}, the best, without making the held-out score worse.`
      : comparisonOf(of, together, alone, `${baseline.id}, the best of them`),
  ];
  if (!heldOut) {
    sentences.push('No validation data was recorded: this says nothing about new samples.');
  } else if (expectedGain !== null) {
    const size = `${figures(Math.abs(expectedGain.value), 2)} ± ${figures(expectedGain.standardError, 1)}`;
    sentences.push(
      `${verdict === 'gain' ? 'It pays' : 'No gain'}: on samples that had no part in choosing${
        method === 'greedy' ? ` by ${by}` : ' the best'
      } the soup's validation loss is ${
        expectedGain.value === 0
          ? "the best model's"
          : `${expectedGain.value < 0 ? 'higher' : 'lower'} than the best model's by ${size}`
      }.`,
    );
  } else {
    sentences.push(
      'The script does not show the loss of single samples, so the choice cannot be judged on samples apart from it.',
    );
  }
  return sentences;
}
