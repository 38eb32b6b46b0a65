/**
 * What is measured while a run trains, through the living process between its steps: λ₁ and the gradient noise scale of
 * each of its objectives. All together keep a budget: a share of the time that the run has trained, answers to whomever
 * left out. Several objectives have equal parts of it.
 */
import { appendFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { LiveNoiseScaleMeter } from '../analysis/liveNoiseScale.ts';
import { LiveSharpnessTracker } from '../analysis/liveSharpness.ts';
import { FEWEST_BATCHES } from '../analysis/noiseScale.ts';
import { BasinError } from '../protocol/errors.ts';
import { trainedMode, type EvaluationMode, type EvaluatorStatus } from '../protocol/evaluator.ts';
import {
  decodeNumber,
  encodeNumber,
  LIVE_ADVANCE,
  LIVE_BUDGET,
  type LiveNoiseScale,
  type LiveSharpness,
  type StepRecord,
} from '../protocol/run.ts';
import { connect, type EvaluatorConnection } from '../evaluators/connection.ts';
import { waitForEndpoint } from '../evaluators/waitForEndpoint.ts';
import { exists } from '../runs/files.ts';
import type { Run } from '../runs/run.ts';
import { takeMeasuringTurn } from './measuringTurn.ts';

export interface LiveOptions {
  /** Share of the training's time that may go into it; what other questions take is theirs. 0: nothing is measured. */
  readonly budget?: number;
  /** Seconds that may be spent beyond that share, so that a short run is measured at all. */
  readonly advance?: number;
  /** Of the evaluation set, for λ₁. */
  readonly samples?: number;
  readonly signal: AbortSignal;
  /**
   * Told once each why something is not measured, for the log; training is never disturbed by it.
   * @param what in words, with the objective's name where it is not the first
   */
  readonly onTrouble?: (error: BasinError, what: string) => void;
}

type LiveQuantity = 'λ₁' | 'the gradient noise scale';

/** Hessian-vector products of one estimate; the first takes three times as many. Fewer where products are dear. */
const MOST_PRODUCTS = 6;
const FEWEST_PRODUCTS = 2;
const FIRST_ROUND = 3;
/** Gradients of one noise scale: as many as are paid for within so many seconds of training. */
const MOST_BATCHES = 16;
const NOISE_EVERY = 10;
/** Of λ₁'s time, what the noise scale may take beside it. */
const NOISE_SHARE = 0.5;
/** Seconds between estimates: nobody reads them faster, and a long run's file stays small. */
const SHORTEST_INTERVAL = 0.5;
/** Seconds between looks for objectives that have begun meanwhile. */
const OBJECTIVES_INTERVAL = 1;
/** Seconds between looks for whether another process still measures the same run. */
const TURN_INTERVAL = 1;
/** What a product costs before any has been measured. */
const GRADIENTS_PER_PRODUCT = 3;
/** No second derivative, no replay: asking again gives the same answer. */
const FINAL = ['unsupported', 'not-replayable', 'internal', 'not-allowed'];

/** Of one objective; what is spent outlives a connection. */
interface Account {
  readonly objective: number;
  /** Share of the training's time, and seconds in advance: this objective's part of them, less when more objectives begin. */
  readonly allowed: () => { readonly budget: number; readonly advance: number };
  readonly samples: number;
  /** Seconds spent on each. */
  sharpness: number;
  noise: number;
  readonly meter: NoiseTurns;
  readonly pace: Pace;
  /** Whether λ₁ can still be measured, and how often it has been. */
  measuresSharpness: boolean;
  estimates: number;
}

/**
 * Appends to live.jsonl and noise.jsonl until the run stops training or the signal is aborted; where another process
 * does that already, from when that one is gone. Never rejects.
 */
export async function measureWhileTraining(run: Run, options: LiveOptions): Promise<void> {
  if (!((options.budget ?? LIVE_BUDGET) > 0)) return;
  let giveBack = await takeMeasuringTurn(run);
  while (giveBack === null) {
    await pause(TURN_INTERVAL, options.signal);
    if (options.signal.aborted || !(await exists(run.path('run.json')))) return;
    giveBack = await takeMeasuringTurn(run);
  }
  try {
    await measureInTurn(run, options);
  } finally {
    await giveBack().catch(() => undefined);
  }
}

async function measureInTurn(run: Run, options: LiveOptions): Promise<void> {
  const { budget = LIVE_BUDGET, advance = LIVE_ADVANCE, samples = 256, signal } = options;
  const begun: Promise<unknown>[] = [];
  const allowed = (): { budget: number; advance: number } => ({
    budget: budget / begun.length,
    advance: advance / begun.length,
  });
  let over = false;
  const begin = (objective: number, name: string | null): void => {
    const measuring = measureObjective(run, { objective, allowed, samples }, signal, (error, what) =>
      options.onTrouble?.(error, name === null ? what : `${what} of ${name}`),
    );
    begun.push(measuring.then((ended) => (over ||= ended)));
  };
  begin(0, null);
  const goesOn = (): boolean => !over && !signal.aborted;
  while (goesOn()) {
    await pause(OBJECTIVES_INTERVAL, signal);
    if (!goesOn()) break;
    // A GAN's second optimizer takes its first step after the first one's. A manifest that cannot be read is told of elsewhere.
    const { objectives } = await run.readRecordedManifest().catch(() => ({ objectives: [] }));
    for (const { name } of objectives.slice(begun.length)) begin(begun.length, name);
  }
  await Promise.all(begun);
}

/** One objective's measurements. Never rejects. @returns whether the run has stopped training; else there is nothing to measure */
async function measureObjective(
  run: Run,
  of: Pick<Account, 'objective' | 'allowed' | 'samples'>,
  signal: AbortSignal,
  onTrouble: (error: BasinError, what: LiveQuantity) => void,
): Promise<boolean> {
  const account: Account = {
    ...of,
    sharpness: 0,
    noise: 0,
    meter: new NoiseTurns(),
    pace: new Pace(run, of.objective),
    measuresSharpness: true,
    estimates: 0,
  };
  const told = new Set</* what and error code */ string>();
  const tell = (error: unknown, what: LiveQuantity): BasinError => {
    const trouble = error instanceof BasinError ? error : new BasinError('internal', String(error));
    // At the end of training this is no news; before it, the next greeting finds the process again.
    if (trouble.code === 'process-ended' || told.has(`${what} ${trouble.code}`)) return trouble;
    told.add(`${what} ${trouble.code}`);
    onTrouble(trouble, what);
    return trouble;
  };
  const stopped = (): boolean => signal.aborted;
  while (!stopped() && (account.measuresSharpness || account.meter.goesOn)) {
    try {
      if (await measureOverOneConnection(run, account, signal, tell)) return true;
    } catch (error) {
      // A run that was deleted meanwhile has nothing to be measured for.
      if (stopped() || !(await exists(run.path('run.json')))) return true;
      // Weights that are lost seldom come back.
      if (tell(error, 'λ₁').code === 'non-finite') await pause(5, signal);
    }
    await pause(0.25, signal);
  }
  return stopped();
}

/** @returns whether it is over: the run trains no more */
async function measureOverOneConnection(
  run: Run,
  account: Account,
  signal: AbortSignal,
  tell: (error: unknown, what: LiveQuantity) => BasinError,
): Promise<boolean> {
  const { objective, allowed, samples, meter, pace } = account;
  const endpoint = await waitForEndpoint(run.path('endpoint.json'), {
    signal,
    until: new Promise<never>(() => undefined),
    every: 200,
  });
  if (endpoint === null) return true;
  const greet = (): Promise<EvaluatorConnection> => connect(endpoint, { objective, signal });
  let evaluator: EvaluatorConnection;
  try {
    evaluator = await greet();
  } catch (error) {
    if (!signal.aborted && FINAL.includes(tell(error, 'λ₁').code))
      account.measuresSharpness = meter.goesOn = false;
    throw error;
  }
  const [mode = 'as-trained'] = evaluator.description.modes;
  if (evaluator.description.train === null) {
    // The evaluation set grows with the first batches; a later greeting tells of it.
    evaluator.close();
    return false;
  }
  const clock = new TrainingClock();
  let tracker: LiveSharpnessTracker | null = null;
  let products = FEWEST_PRODUCTS;
  let cost = NaN;
  let measured = -1;
  const spentBefore = account.sharpness;
  try {
    while (account.measuresSharpness || meter.goesOn) {
      const status = await evaluator.status({}, signal);
      const trained = clock.read(status);
      if (status.state === 'paused') {
        await pause(SHORTEST_INTERVAL, signal);
        continue;
      }
      if (status.state !== 'training') return true;
      account.sharpness = spentBefore + status.connectionSeconds;
      const { budget, advance } = allowed();
      const allowance = advance + budget * trained - account.sharpness - account.noise;
      if (tracker === null || meter.perGradient === null) await pace.look();
      // λ₁ comes first: its first estimate is the dearest.
      const noiseIsDue =
        !account.measuresSharpness ||
        (account.estimates > 0 && account.noise < NOISE_SHARE * account.sharpness);
      if (meter.goesOn && noiseIsDue) {
        const wanted = meter.next(allowance, budget, pace);
        if (wanted.cost > allowance) {
          await pause(Math.min(1, Math.max(0.1, (wanted.cost - allowance) / budget)), signal);
          continue;
        }
        const noise = await takeNoise(greet, account, { mode, batches: wanted.batches }, signal, tell);
        if (noise !== null) {
          await appendFile(run.path('noise.jsonl'), `${noiseLine({ ...noise, trained })}\n`);
        }
        await pause(SHORTEST_INTERVAL, signal);
        continue;
      }
      // Nothing is known before some steps have been seen.
      if (tracker === null) cost = pace.secondsPerGradient(samples);
      if (cost > allowance) {
        const missing = Number.isFinite(cost) ? (cost - allowance) / budget : 1;
        await pause(Math.min(1, Math.max(0.1, missing)), signal);
        continue;
      }
      if (tracker === null) {
        // One gradient tells what products cost here: steps tell too little, on other batches and a warm machine.
        tracker = new LiveSharpnessTracker(evaluator, {
          data: { split: 'train', samples },
          mode: trainedMode(evaluator.description),
        });
        const product = GRADIENTS_PER_PRODUCT * (await tracker.gradientSeconds(signal));
        const affordable = Math.floor(allowance / (FIRST_ROUND * product));
        products = Math.min(MOST_PRODUCTS, Math.max(FEWEST_PRODUCTS, affordable));
        // The advance pays for the first estimate whatever it costs, so that a short run has one; the later ones wait for it.
        cost = Math.min(FIRST_ROUND * products * product, advance);
        continue;
      }
      if (status.step === measured) {
        await pause(SHORTEST_INTERVAL, signal);
        continue;
      }
      try {
        const estimate: LiveSharpness = await tracker.measure(
          { signal, progress: () => undefined },
          products,
        );
        measured = estimate.step;
        account.estimates++;
        // The first one takes more products than those after it.
        cost = (estimate.seconds / estimate.products) * products;
        await appendFile(run.path('live.jsonl'), `${sharpnessLine({ ...estimate, trained })}\n`);
      } catch (error) {
        if (signal.aborted || !FINAL.includes(tell(error, 'λ₁').code)) throw error;
        // Gradients may be there where products are not.
        account.measuresSharpness = false;
      }
      await pause(SHORTEST_INTERVAL, signal);
    }
    return true;
  } finally {
    if (tracker === null) evaluator.close();
    else await endTracker(tracker, evaluator);
  }
}

/** One noise scale over a connection of its own; null where it could not be taken. */
async function takeNoise(
  greet: () => Promise<EvaluatorConnection>,
  account: Account,
  { mode, batches }: { mode: EvaluationMode; batches: number },
  signal: AbortSignal,
  tell: (error: unknown, what: LiveQuantity) => BasinError,
): Promise<LiveNoiseScale | null> {
  const evaluator = await greet();
  const { meter: turns, pace } = account;
  try {
    const there = evaluator.description.train?.batches ?? 0;
    if (there < FEWEST_BATCHES) {
      turns.wait();
      return null;
    }
    turns.meter ??= new LiveNoiseScaleMeter({ data: { split: 'train' }, mode });
    const input = { batches, batchSize: pace.batchSize };
    const found = await turns.meter.measure(evaluator, input, { signal, progress: () => undefined });
    turns.perGradient = found.seconds / found.batches;
    return found;
  } catch (error) {
    if (signal.aborted || !FINAL.includes(tell(error, 'the gradient noise scale').code)) throw error;
    turns.goesOn = false;
    return null;
  } finally {
    // A measurement that failed has cost its time as well.
    const status = await evaluator.status({}, signal).catch(() => null);
    account.noise += status?.connectionSeconds ?? 0;
    evaluator.close();
  }
}

/** When the noise scale's turn is, and of how many gradients. */
class NoiseTurns {
  goesOn = true;
  meter: LiveNoiseScaleMeter | null = null;
  /** Seconds; null before one has been measured. */
  perGradient: number | null = null;
  private looked = 0;

  next(allowance: number, budget: number, pace: Pace): { batches: number; cost: number } {
    // The first takes few batches, and tells what they cost: twice a step, since each is evaluated for its samples too.
    const each = this.perGradient ?? 2 * pace.secondsPerGradient(pace.batchSize ?? 1);
    const affordable = this.perGradient === null ? 0 : Math.max(allowance, NOISE_EVERY * budget) / each;
    const batches = Math.min(MOST_BATCHES, Math.max(FEWEST_BATCHES, Math.floor(affordable)));
    return { batches, cost: batches * each };
  }

  /** The run has kept too few batches: it may be young, or train on all samples at once. */
  wait(): void {
    if (++this.looked >= 20) this.goesOn = false;
  }
}

/** Seconds that a run has trained: neither answering nor standing still counts. */
class TrainingClock {
  private trained = 0;
  private before: EvaluatorStatus | null = null;

  read(status: EvaluatorStatus): number {
    const own = status.seconds - status.answeringSeconds;
    const { before } = this;
    // What was before the first look is told by the process alone.
    if (before === null) this.trained = own;
    else if (before.state !== 'paused' && status.state !== 'paused')
      this.trained += own - (before.seconds - before.answeringSeconds);
    this.before = status;
    return this.trained;
  }
}

/** A λ₁ of weights that have just become NaN is a record too. */
function sharpnessLine({ lambda1, residual, ...rest }: LiveSharpness): string {
  return JSON.stringify({
    ...rest,
    lambda1: encodeNumber(decodeNumber(lambda1)),
    residual: encodeNumber(decodeNumber(residual)),
  });
}

/** The upper end of an interval may be Infinity. */
function noiseLine({ interval, ...rest }: LiveNoiseScale): string {
  return JSON.stringify({ ...rest, interval: interval.map((x) => encodeNumber(decodeNumber(x))) });
}

async function endTracker(tracker: LiveSharpnessTracker, evaluator: EvaluatorConnection): Promise<void> {
  await Promise.race([tracker.release().catch(() => undefined), sleep(1000, undefined, { ref: false })]);
  evaluator.close();
}

/** What steps take, from the run's log. */
class Pace {
  private readonly reader;
  private recent: StepRecord[] = [];

  constructor(
    run: Run,
    private readonly objective: number,
  ) {
    this.reader = run.stepsReader();
  }

  async look(): Promise<void> {
    const { records } = await this.reader.read();
    this.recent = [...this.recent, ...records.filter((s) => s.objective === this.objective).slice(-50)].slice(
      -50,
    );
  }

  /** Samples of the last step, when known. */
  get batchSize(): number | null {
    return this.recent.at(-1)?.samples ?? null;
  }

  /** Seconds that a gradient of so many samples may take; infinite while too few steps have been seen. */
  secondsPerGradient(samples: number): number {
    const [first, last] = [this.recent[0], this.recent.at(-1)];
    // The very first steps pay for compiling and allocating.
    if (first === undefined || last === undefined || last.step - first.step < 5) return Infinity;
    const perStep = (last.time - first.time) / (last.step - first.step);
    return Math.max(1, samples / (last.samples ?? samples)) * perStep;
  }
}

async function pause(seconds: number, signal: AbortSignal): Promise<void> {
  await sleep(1000 * seconds, undefined, { signal }).catch(() => undefined);
}
