/** What-if over the snapshots of a run: the score of many averages, and whether choosing one of them pays. */
import type { EvaluationMode } from '../protocol/evaluator.ts';
import type { BesideIterates, Candidate, OwnLast, SweepResult } from '../protocol/averaging.ts';
import type { Circling } from '../protocol/circling.ts';
import type { Gain } from '../protocol/gain.ts';
import { BasinError } from '../protocol/errors.ts';
import { blockMeans, inBlocks, type Block } from './blockMeans.ts';
import type { AnalysisContext, Evaluator } from './evaluator.ts';
import { gainOf, ofFold, pairedDifferences, verdictOf } from './gain.ts';
import { measureModel, type Measured as MeasuredModel } from './measure.ts';
import type { Draft, Snapshot } from './model.ts';
import { mean } from './moments.ts';
import { requireReplay } from './replay.ts';
import { judgedOn } from './score.ts';
import { dataSentence, replaySentence } from './trust.ts';
import { sweepSentences } from './trustSweep.ts';
import { withVectors, type Vectors } from './vectors.ts';

export interface SweepInput {
  /** All snapshots of the run, by step. */
  readonly snapshots: readonly Snapshot[];
  /** Only snapshots of these steps; all when absent. */
  readonly from?: number;
  readonly to?: number;
  readonly places: number;
  readonly decays: readonly number[];
  readonly mode: EvaluationMode;
  /** What the path says, so that the suggestion can name it. */
  readonly circling?: Circling;
  /** Where the mean of the i-th block may be kept while the sweep runs. */
  readonly scratch: (block: number) => string;
}

/** Iterates that are scored beside the averages. */
const ITERATES = 6;

/** An average as it was measured. */
interface Measured {
  readonly candidate: Candidate;
  /** loss(last) − loss(average) of each judged sample; null where unknown. */
  readonly differences: readonly number[] | null;
}

/**
 * Scores the uniform average (Izmailov et al. 2018) of every window of successive blocks that holds two snapshots or more, and
 * exponential moving averages up to the last snapshot. Batch-norm statistics are computed anew for each. Every snapshot
 * is loaded once (and once more for every two decays behind the first two), and at most four weight vectors are held,
 * whatever the number of windows.
 *
 * The best window is chosen on samples, so its own gain is too good. `expectedGain` is judged on samples that had no
 * part in the choice (two-fold cross-fitting), and it alone decides the verdict: a gain is more than twice its standard error
 * and more than 1 % of the last snapshot's loss.
 * @throws BasinError `bad-input` for fewer than two snapshots, `not-replayable`, `cancelled`
 */
export async function sweep(
  evaluator: Evaluator,
  input: SweepInput,
  context: AnalysisContext,
): Promise<Draft<SweepResult>> {
  const { description } = evaluator;
  requireReplay(description);
  const inside = chooseSwept(input);
  const last = inside.at(-1) as Snapshot;
  return withVectors(evaluator, async (vectors) => {
    const { signal } = context;
    const part = (begin: number, share: number): AnalysisContext => ({
      signal,
      progress: (fraction, message) => context.progress(begin + share * fraction, message),
    });

    let measuredLast: MeasuredModel | undefined;
    const baselineOf = (): MeasuredModel => {
      if (measuredLast === undefined) throw new Error('The last snapshot has not been read yet.');
      return measuredLast;
    };
    const measure = async (
      vector: string,
      what: Pick<Candidate, 'from' | 'to' | 'snapshots' | 'decay'>,
    ): Promise<Measured> => {
      if (description.hasStatistics)
        await evaluator.refreshStatistics({ vector, data: { split: 'train' } }, signal);
      const found = await measureModel(evaluator, vector, input.mode, context);
      const { score, calibrationError } = found;
      const differences = pairedDifferences(baselineOf().losses, found.losses);
      const accuracyGain = gainOf(pairedDifferences(found.correct, baselineOf().correct));
      return {
        candidate: { ...what, score, calibrationError, gain: gainOf(differences), accuracyGain },
        differences,
      };
    };

    const first = inside[0] as Snapshot;
    const parts = inBlocks(inside, input.places);
    // The ends of blocks are the last snapshots of windows, whichever turns out the best.
    const iterates = new Set([
      ...chooseIterates(inside, input.circling),
      ...parts.flatMap((members) => members.at(-1) ?? []),
    ]);
    const beside = new Map</* step */ number, MeasuredModel>();
    const moving: Measured[] = [];
    // Two decays a walk over the snapshots: with the block's sum and the snapshot itself that makes four vectors.
    const walks = Math.max(1, Math.ceil(input.decays.length / 2));
    const read = part(0, 0.2);
    const walk = async (i: number): Promise<Awaited<ReturnType<typeof blockMeans>>> => {
      const decays = input.decays.slice(2 * i, 2 * i + 2);
      const found = await blockMeans(
        evaluator,
        vectors,
        parts,
        decays,
        i === 0 ? input.scratch : null,
        {
          signal,
          progress: (fraction, message) => read.progress((i + fraction) / walks, message),
        },
        async (snapshot, vector) => {
          if (snapshot === last) measuredLast ??= await measureModel(evaluator, vector, input.mode, context);
          if (iterates.has(snapshot) && !beside.has(snapshot.step)) {
            const own = snapshot === last ? measuredLast : null;
            beside.set(snapshot.step, own ?? (await measureModel(evaluator, vector, input.mode, context)));
          }
        },
      );
      for (const [d, vector] of found.moving.entries()) {
        const what = { from: first.step, to: last.step, snapshots: inside.length };
        moving.push(await measure(vector, { ...what, decay: decays[d] ?? null }));
      }
      await vectors.release(found.moving);
      return found;
    };
    const { blocks } = await walk(0);
    for (let i = 1; i < walks; i++) await walk(i);

    const windows = await windowsOf(evaluator, vectors, blocks, measure, part(0.2, 0.8));
    const baseline = baselineOf();
    const all = [...windows, ...moving];
    const chosen = bestOf(all);
    const best = chosen?.candidate ?? null;
    const heldOut = description.validation !== null;
    const expectedGain = heldOut ? crossFitted(all) : null;
    const data = judgedOn(baseline.score);
    const body = {
      kind: 'sweep' as const,
      data,
      blocks: blocks.map(({ members }) => ({
        from: members[0]?.step ?? 0,
        to: members.at(-1)?.step ?? 0,
        snapshots: members.length,
      })),
      windows: windows.map((m) => m.candidate),
      moving: moving.map((m) => m.candidate),
      last: { ...baseline.score, step: last.step, calibrationError: baseline.calibrationError },
      verdict: verdictOf(expectedGain, (baseline.score.validation ?? baseline.score.train).loss),
      best,
      expectedGain,
      ...(input.circling === undefined ? {} : { circling: input.circling }),
      besideIterates: besideIterates(chosen, beside, baseline),
      ownLast: ownLastOf(chosen, last.step, beside, baseline),
      refreshedStatistics: description.hasStatistics,
    };
    return {
      ...body,
      trust: [
        ...sweepSentences(body, heldOut),
        dataSentence(data, input.mode, false),
        ...(description.hasStatistics
          ? ['Batch-norm statistics of every average were computed anew on the training samples.']
          : []),
        ...replaySentence(description),
      ],
    };
  });
}

/** Snapshots that are scored by themselves: of the stretch that SGD circles in, else of the later half. */
function chooseIterates(inside: readonly Snapshot[], circling: Circling | undefined): Snapshot[] {
  const { verdict = 'unknown', stretch = null } = circling ?? {};
  const from = verdict === 'circling' ? (stretch?.from ?? 0) : (inside[inside.length >> 1]?.step ?? 0);
  const late = inside.filter((s) => s.step >= from);
  const count = Math.min(ITERATES, late.length);
  return late.filter((_, i) =>
    Array.from({ length: count }, (__, k) =>
      Math.round((k * (late.length - 1)) / Math.max(1, count - 1)),
    ).includes(i),
  );
}

/** The best average beside those of its own snapshots that were scored. */
function besideIterates(
  best: Measured | null,
  scored: ReadonlyMap<number, MeasuredModel>,
  baseline: MeasuredModel,
): BesideIterates | null {
  if (best === null) return null;
  const { from, to, score } = best.candidate;
  const own = [...scored].filter(([step]) => step >= from && step <= to).map(([, model]) => model);
  if (own.length < 2) return null;
  const excess = own.flatMap(({ losses }) => {
    const differences = pairedDifferences(losses, baseline.losses);
    return differences === null ? [] : [differences];
  });
  const train = mean(own.map((model) => model.score.train.loss ?? NaN)) - (score.train.loss ?? NaN);
  return {
    iterates: own.length,
    gain:
      best.differences !== null && excess.length === own.length
        ? gainOf(best.differences.map((d, i) => d + mean(excess.map((e) => e[i] ?? NaN))))
        : null,
    train: Number.isFinite(train) ? train : null,
  };
}

/** The last snapshot of the best average's window, where that is not the run's. */
function ownLastOf(
  best: Measured | null,
  last: number,
  scored: ReadonlyMap<number, MeasuredModel>,
  baseline: MeasuredModel,
): OwnLast | null {
  const own = best === null || best.candidate.to === last ? undefined : scored.get(best.candidate.to);
  if (best === null || own === undefined) return null;
  const over = pairedDifferences(baseline.losses, own.losses);
  return {
    step: best.candidate.to,
    gain: gainOf(over),
    added: gainOf(pairedDifferences(best.differences, over)),
  };
}

/** Averages that grow side by side: with the block that each takes in that makes four vectors. */
const ABREAST = 3;

/**
 * Every window of successive blocks with two snapshots or more, by its end and then from the shortest on. Windows that
 * begin at neighbouring blocks share the reading of the blocks behind: each window's mean is that of the one before, and
 * one block more.
 */
async function windowsOf(
  evaluator: Evaluator,
  vectors: Vectors,
  blocks: readonly Block[],
  measure: (
    vector: string,
    what: Pick<Candidate, 'from' | 'to' | 'snapshots' | 'decay'>,
  ) => Promise<Measured>,
  context: AnalysisContext,
): Promise<Measured[]> {
  const { signal } = context;
  const byEnd = blocks.map((): Measured[] => []);
  const count = (blocks.length * (blocks.length + 1)) / 2;
  let looked = 0;
  for (let start = 0; start < blocks.length; start += ABREAST) {
    const growing = blocks
      .slice(start, start + ABREAST)
      .map((block, i) => ({ begin: start + i, from: block.members[0]?.step ?? 0, held: 0 }))
      .map((one) => ({ ...one, average: vectors.name('average') }));
    for (let end = start; end < blocks.length; end++) {
      const { members, mean: operand } = blocks[end] as Block;
      const block = await vectors.load(operand, 'block', signal);
      for (const one of growing) {
        if (one.begin > end) continue;
        context.progress(looked++ / count, 'scoring averages');
        const whole = one.held + members.length;
        const terms = [{ coefficient: members.length / whole, vector: block }];
        if (one.held > 0) terms.push({ coefficient: one.held / whole, vector: one.average });
        await evaluator.combine({ into: one.average, terms, state: 'combine' }, signal);
        one.held = whole;
        if (whole < 2) continue;
        const what = { from: one.from, to: members.at(-1)?.step ?? 0, snapshots: whole, decay: null };
        byEnd[end]?.unshift(await measure(one.average, what));
      }
      await vectors.release([block]);
    }
    await vectors.release(growing.map((one) => one.average));
  }
  return byEnd.map((some) => some.sort((a, b) => b.candidate.from - a.candidate.from)).flat();
}

/** The snapshots a sweep looks at. @throws BasinError `bad-input` for fewer than two */
export function chooseSwept({
  snapshots,
  from = 0,
  to = Infinity,
}: Pick<SweepInput, 'snapshots' | 'from' | 'to'>): Snapshot[] {
  const inside = snapshots.filter((s) => s.step >= from && s.step <= to);
  if (inside.length >= 2) return inside;
  throw new BasinError(
    'bad-input',
    `A sweep needs at least 2 snapshots; ${inside.length === 1 ? 'there is 1' : 'there are none'} between the steps named.`,
    snapshots.length < 2
      ? 'Train for longer, or with a smaller --every.'
      : 'Widen the range with --from and --to.',
  );
}

/** By paired gain where that is known, else by the judged split's loss. */
function bestOf(all: readonly Measured[]): Measured | null {
  const worth = ({ candidate: { gain, score } }: Measured): number =>
    gain?.value ?? -((score.validation ?? score.train).loss ?? Infinity);
  const finite = all.filter((m) => Number.isFinite(worth(m)));
  const known = finite.filter((m) => m.candidate.gain !== null);
  const among = known.length > 0 ? known : finite;
  return among.reduce<Measured | null>((a, b) => (a === null || worth(b) > worth(a) ? b : a), null);
}

/** Chooses on every second sample and judges on the others, both ways round; null where nothing can be chosen. */
function crossFitted(all: readonly Measured[]): Gain | null {
  const known = all.flatMap((m) =>
    m.candidate.gain === null || m.differences === null ? [] : [m.differences],
  );
  const judged = [0, 1].flatMap((fold) => {
    let best: readonly number[] | null = null;
    for (const differences of known)
      if (best === null || mean(ofFold(differences, fold)) > mean(ofFold(best, fold))) best = differences;
    return best === null ? [] : ofFold(best, 1 - fold);
  });
  return judged.length < 4 ? null : gainOf(judged);
}
