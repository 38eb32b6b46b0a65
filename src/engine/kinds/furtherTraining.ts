/** What the kinds that train further have in common: their defaults, worked out from the run itself. */
import type { FurtherTrainingInput } from '../../analysis/furtherTraining.ts';
import { requireSchedule, type RateSchedule } from '../../analysis/rateSchedule.ts';
import { requireSettings } from '../../analysis/sgd.ts';
import type { ScriptsOptimizer } from '../../analysis/trustFurtherTraining.ts';
import { BasinError } from '../../protocol/errors.ts';
import type { EvaluationMode } from '../../protocol/evaluator.ts';
import type { FurtherTrainingOptions } from '../../protocol/furtherTraining.ts';
import type { ModelReference } from '../../protocol/job.ts';
import { decodeNumber, type StepRecord } from '../../protocol/run.ts';
import { definite, requireInteger, type Asked } from '../kind.ts';
import { findBuiltModel, resolveModel, stepOf, type RunContents } from '../references.ts';

/** Members, or points of an average, that a job without a budget gets. */
export const usualCycles = 5;
const MOST_STEPS = 10_000_000;

type Completed = Required<
  Pick<
    FurtherTrainingOptions,
    'at' | 'train' | 'cycle' | 'rate' | 'momentum' | 'nesterov' | 'weightDecay' | 'seed'
  >
>;

/**
 * The job with its defaults: a cycle of a share of the run's own steps, five cycles, the script's own momentum and weight
 * decay where it trains with SGD, and a rate that is a share of the largest it had.
 * @param share of the run's steps that a cycle takes
 * @param rateShare of the run's largest rate
 * @throws BasinError `busy` while the run trains, `bad-input`, `no-steps`
 */
export function completed<J extends FurtherTrainingOptions>(
  job: J,
  contents: RunContents,
  { share, rateShare, even = false }: { share: number; rateShare: number; even?: boolean },
): J & Completed {
  const { state } = contents.manifest;
  if (state === 'training' || state === 'starting') {
    throw new BasinError(
      'busy',
      'The run still trains, and Basin does not train beside it.',
      'Wait until it has ended; with --hold its process is kept for such questions.',
    );
  }
  const script = scriptsOptimizer(contents);
  const done = contents.steps.at(-1)?.step ?? contents.snapshots.at(-1)?.step ?? 0;
  const usual = Math.max(even ? 2 : 1, Math.ceil((done + 1) * share));
  const cycle = job.cycle ?? (even ? 2 * Math.ceil(usual / 2) : usual);
  requireInteger('cycle', cycle, 1, MOST_STEPS);
  const train = job.train ?? usualCycles * cycle;
  requireInteger('train', train, 1, MOST_STEPS);
  const seed = job.seed ?? 1;
  requireInteger('seed', seed, 0, 2 ** 31);
  if (job.position !== undefined) requireInteger('position', job.position, 0, Number.MAX_SAFE_INTEGER);
  const settings = {
    momentum: job.momentum ?? script.momentum,
    nesterov: job.nesterov ?? script.nesterov,
    weightDecay: job.weightDecay ?? script.weightDecay,
  };
  requireSettings({ ...settings, clip: job.clip ?? null });
  const rate = job.rate ?? usualRate(contents, script, settings.momentum, rateShare);
  return { ...job, at: definite(contents, job.at ?? 'last'), train, cycle, rate, seed, ...settings };
}

/** @throws BasinError `bad-input` */
export function requireJob(schedule: RateSchedule): void {
  requireSchedule(schedule);
}

/** What every analysis of further training takes of a complete job. */
export async function inputOf(
  job: FurtherTrainingOptions,
  schedule: RateSchedule,
  contents: RunContents,
  mode: EvaluationMode,
): Promise<FurtherTrainingInput & { readonly script: ScriptsOptimizer }> {
  const at = job.at ?? 'last';
  const last = contents.snapshots.at(-1);
  if (last === undefined)
    throw new BasinError('no-steps', 'The run has no snapshots.', 'Let it train for a step first.');
  const { name, plain } = scriptsOptimizer(contents);
  return {
    at: await resolveModel(contents, at),
    schedule,
    settings: {
      momentum: job.momentum ?? 0,
      nesterov: job.nesterov ?? false,
      weightDecay: job.weightDecay ?? 0,
      clip: job.clip ?? null,
    },
    steps: job.train ?? 1,
    seed: job.seed ?? 1,
    ...(job.position === undefined ? {} : { position: job.position }),
    continuesAt: await continuesAt(contents, at, job.seed ?? 1),
    mode,
    last,
    // A complete job always has its rate: whether that was given cannot be told from it any more.
    script: { name, matched: !plain && job.rate === matchedRate(contents, job.momentum ?? 0) },
  };
}

/**
 * The batch that comes next in a model's training: that of a snapshot's step, and of one that was trained further by the
 * same seed the one behind its last.
 */
async function continuesAt(contents: RunContents, at: ModelReference, seed: number): Promise<number> {
  const step = stepOf(contents, at);
  if (step !== null) return step;
  const { analysis, members } = findBuiltModel(contents, String(at));
  const result = (await contents.run.analyses()).find((r) => r.id === analysis);
  if (result !== undefined && 'training' in result) {
    const { training } = result;
    if (training.seed !== seed) return 0;
    const member = 'members' in result ? result.members.find((m) => m.model === at) : undefined;
    return member === undefined ? training.batches.to : training.batches.from + member.step;
  }
  // An average stands where its latest snapshot of this run stood.
  return members.reduce<number>((latest, m) => (typeof m === 'number' ? Math.max(latest, m) : latest), 0);
}

interface Script {
  readonly name: string | null;
  /** Whether it trains with SGD, whose rates mean the same as Basin's. */
  readonly plain: boolean;
  readonly momentum: number;
  readonly nesterov: boolean;
  readonly weightDecay: number;
}

/** Momentum that goes with an adaptive method's way, where the script tells of none. */
const USUAL_MOMENTUM = 0.9;

function scriptsOptimizer({ objective }: RunContents): Script {
  const { optimizer } = objective;
  const plain = optimizer !== null && /^(sgd|momentum)/i.test(optimizer.name);
  if (!plain) {
    const momentum = optimizer === null ? 0 : USUAL_MOMENTUM;
    return {
      name: optimizer?.name ?? null,
      plain: optimizer === null,
      momentum,
      nesterov: false,
      weightDecay: 0,
    };
  }
  const number = (key: string): number => {
    const value = optimizer.config[key];
    return typeof value === 'number' && Number.isFinite(value) ? value : 0;
  };
  const momentum = number('momentum');
  return {
    name: optimizer.name,
    plain: true,
    momentum,
    nesterov: momentum > 0 && optimizer.config.useNesterov === true,
    weightDecay: number('weightDecay'),
  };
}

/** @throws BasinError `bad-input` where the run does not tell */
function usualRate(contents: RunContents, script: Script, momentum: number, share: number): number {
  if (!script.plain) {
    const matched = matchedRate(contents, momentum);
    if (matched !== null) return matched;
  }
  const rates = contents.steps.flatMap(({ learningRate }) =>
    learningRate === null ? [] : [decodeNumber(learningRate)],
  );
  const largest = rates.reduce((a, b) => (Number.isFinite(b) ? Math.max(a, b) : a), 0);
  if (script.plain && largest > 0) return share * largest;
  throw new BasinError(
    'bad-input',
    'The run does not tell a learning rate that Basin could go on with.',
    'Give one with --rate.',
  );
}

/**
 * The rate at which SGD's steps are as long as the run's late ones: what an update moved the weights by, over what it
 * would move by ∇L alone; a momentum β makes each gradient count 1/(1 − β) times. To three figures; null when unknown.
 */
function matchedRate({ steps }: RunContents, momentum: number): number | null {
  const late = steps.slice(Math.floor(0.75 * steps.length));
  const median = (key: 'updateNorm' | 'gradientNorm'): number => {
    const values = late
      .map((s: StepRecord) => decodeNumber(s[key] ?? 'NaN'))
      .filter((x) => Number.isFinite(x) && x > 0)
      .sort((a, b) => a - b);
    return values[Math.floor(values.length / 2)] ?? NaN;
  };
  const rate = (median('updateNorm') / median('gradientNorm')) * (1 - momentum);
  return Number.isFinite(rate) && rate > 0 ? Number(rate.toPrecision(3)) : null;
}

/** Reserves a model of the run for each member that an ensemble keeps, and says where it goes and what it is called. */
export function keeper(
  kind: 'fge' | 'snapshot-ensemble',
  { run }: RunContents,
  reserve: Asked<never>['reserve'],
): () => Promise<{ id: string; file: string; metadata: Record<string, string> }> {
  return async () => {
    const id = await reserve('point');
    const metadata = { 'basin.run': run.id, 'basin.model': id, 'basin.kind': kind };
    return { id, file: run.modelPath(id), metadata };
  };
}
