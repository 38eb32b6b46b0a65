/** λ₁ while a run trains: measured through the living process between its steps, within a budget of its time. */
import { appendFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { LiveSharpnessTracker } from '../analysis/liveSharpness.ts';
import { BasinError } from '../protocol/errors.ts';
import { decodeNumber, encodeNumber, type LiveSharpness, type StepRecord } from '../protocol/run.ts';
import { connect, type EvaluatorConnection } from '../evaluators/connection.ts';
import { waitForEndpoint } from '../evaluators/waitForEndpoint.ts';
import type { Run } from '../runs/run.ts';

export interface LiveSharpnessOptions {
  /** Share of the training's time that may go into λ₁; what other questions take is theirs. */
  readonly budget?: number;
  /** Seconds that may be spent beyond that share, so that a short run is measured at all. */
  readonly advance?: number;
  readonly samples?: number;
  readonly signal: AbortSignal;
  /** Told once each why nothing is measured, for the log; training is never disturbed by it. */
  readonly onTrouble?: (error: BasinError) => void;
}

/** Hessian-vector products of one estimate; the first takes three times as many. Fewer where products are dear. */
const MOST_PRODUCTS = 6;
const FEWEST_PRODUCTS = 2;
const FIRST_ROUND = 3;
/** Seconds between estimates: nobody reads them faster, and a long run's file stays small. */
const SHORTEST_INTERVAL = 0.5;
/** What a product costs before any has been measured. */
const GRADIENTS_PER_PRODUCT = 3;

/** Appends to live.jsonl until the run stops training or the signal is aborted. Never rejects. */
export async function followSharpness(run: Run, options: LiveSharpnessOptions): Promise<void> {
  const told = new Set</* error code */ string>();
  const stopped = (): boolean => options.signal.aborted;
  while (!stopped()) {
    try {
      if (await measureOverOneConnection(run, options)) return;
    } catch (error) {
      if (stopped()) return;
      const trouble = error instanceof BasinError ? error : new BasinError('internal', String(error));
      // At the end of training this is no news; before it, the next greeting finds the process again.
      const news = trouble.code !== 'process-ended' && !told.has(trouble.code);
      if (news) options.onTrouble?.(trouble);
      told.add(trouble.code);
      // No second derivative, no replay: asking again gives the same answer.
      if (['unsupported', 'not-replayable', 'internal', 'not-allowed'].includes(trouble.code)) return;
    }
    await pause(0.25, options.signal);
  }
}

/** @returns whether it is over: the run trains no more */
async function measureOverOneConnection(run: Run, options: LiveSharpnessOptions): Promise<boolean> {
  const { signal, budget = 0.05, advance = 0.5, samples = 256 } = options;
  const endpoint = await waitForEndpoint(run.path('endpoint.json'), {
    signal,
    until: new Promise<never>(() => undefined),
    every: 200,
  });
  if (endpoint === null) return true;
  const evaluator = await connect(endpoint, { objective: 0, signal });
  const [mode = 'as-trained'] = evaluator.description.modes;
  if (evaluator.description.train === null) {
    // The evaluation set grows with the first batches; a later greeting tells of it.
    evaluator.close();
    return false;
  }
  const context = { signal, progress: () => undefined };
  let tracker: LiveSharpnessTracker | null = null;
  let products = FEWEST_PRODUCTS;
  let cost = Infinity;
  let spent = 0;
  let measured = -1;
  try {
    for (;;) {
      const status = await evaluator.status({}, signal);
      if (status.state === 'paused') {
        await pause(SHORTEST_INTERVAL, signal);
        continue;
      }
      if (status.state !== 'training') return true;
      const allowance = advance + budget * status.seconds - spent;
      if (tracker === null) {
        const product = guessProductCost(await run.readSteps(), samples);
        const affordable = Math.floor(allowance / (FIRST_ROUND * product));
        products = Math.min(MOST_PRODUCTS, Math.max(FEWEST_PRODUCTS, affordable));
        cost = FIRST_ROUND * products * product;
        if (cost <= allowance) {
          tracker = new LiveSharpnessTracker(evaluator, {
            data: { split: 'train', samples },
            mode,
            products,
          });
        }
      }
      if (tracker === null || cost > allowance) {
        const missing = Number.isFinite(cost) ? (cost - allowance) / budget : 1;
        await pause(Math.min(1, Math.max(0.1, missing)), signal);
        continue;
      }
      if (status.step === measured) {
        await pause(SHORTEST_INTERVAL, signal);
        continue;
      }
      const estimate: LiveSharpness = await tracker.measure(context);
      measured = estimate.step;
      // The first one takes more products than those after it.
      cost = (estimate.seconds / estimate.products) * products;
      spent += estimate.seconds;
      await appendFile(run.path('live.jsonl'), `${toLine(estimate)}\n`);
      await pause(SHORTEST_INTERVAL, signal);
    }
  } finally {
    if (tracker === null) evaluator.close();
    else await endTracker(tracker, evaluator);
  }
}

/** A λ₁ of weights that have just become NaN is a record too. */
function toLine({ lambda1, residual, ...rest }: LiveSharpness): string {
  return JSON.stringify({
    ...rest,
    lambda1: encodeNumber(decodeNumber(lambda1)),
    residual: encodeNumber(decodeNumber(residual)),
  });
}

async function endTracker(tracker: LiveSharpnessTracker, evaluator: EvaluatorConnection): Promise<void> {
  await Promise.race([tracker.release().catch(() => undefined), sleep(1000, undefined, { ref: false })]);
  evaluator.close();
}

/** Seconds that a product may take, from what steps take; infinite while too few have been seen. */
function guessProductCost(steps: readonly StepRecord[], samples: number): number {
  const recent = steps.filter((s) => s.objective === 0).slice(-50);
  const [first, last] = [recent[0], recent.at(-1)];
  // The very first steps pay for compiling and allocating.
  if (first === undefined || last === undefined || last.step - first.step < 5) return Infinity;
  const perStep = (last.time - first.time) / (last.step - first.step);
  const batches = Math.max(1, samples / (last.samples ?? samples));
  return GRADIENTS_PER_PRODUCT * batches * perStep;
}

async function pause(seconds: number, signal: AbortSignal): Promise<void> {
  await sleep(1000 * seconds, undefined, { signal }).catch(() => undefined);
}
