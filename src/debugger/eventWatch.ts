/** Training events as they happen, step by step: all of those that are wanted, each told once until it is over. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { TrainingConnection } from '../evaluators/connection.ts';
import { isCancelledOrEnded, sentenceOf } from '../protocol/errors.ts';
import {
  decodeNumber,
  knownNumber,
  type LiveSharpness,
  type ParameterInfo,
  type StepRecord,
} from '../protocol/run.ts';
import { stabilityBound, verdictOf } from '../protocol/stability.ts';
import { eventSentence, type LossSpike } from '../protocol/trainingEvents.ts';
import type { Run } from '../runs/run.ts';
import { withOrigin } from '../runs/spikeOrigin.ts';
import { EventFinder } from '../runs/trainingEvents.ts';
import { eventFilters, type TrainingEvent, type TrainingEventId } from './events.ts';
import { GradientWatch, whereNonFinite } from './gradientWatch.ts';
import { plateauSentence, PlateauWatch } from './plateau.ts';
import { statisticsOf } from './standingWeights.ts';
import type { Helpers } from './target.ts';

/**
 * Steps before the run's files are first asked for a cycle, and share of the steps by which they have to have grown until
 * they are asked again: all of it is read each time.
 */
const FIRST_EVIDENCE = 50;
const FURTHER_EVIDENCE = 0.25;

/** How often, and after how long each time, the run's file is asked for a step that its writer may not have come to. */
const RECORD_LOOKS = 20;
const RECORD_WAIT_MILLISECONDS = 100;

/** Sentences of one stop: many layers may go the same way at once. */
const MOST_SENTENCES = 6;

const gradientEvents = ['gradient-vanished', 'gradient-exploded', 'dead-units'] as const;

export interface Surroundings {
  readonly connection: TrainingConnection;
  readonly helpers: Pick<Helpers, 'limitCycle'>;
  /** λ₁ was measured while the run trains. */
  measured(latest: LiveSharpness): void;
  /** Something people should know, in a sentence. */
  said(text: string): void;
}

export class EventWatch {
  private wanted: ReadonlySet<TrainingEventId> = new Set();
  private finder = new EventFinder();
  private plateau = new PlateauWatch();
  private gradients: GradientWatch;
  private live: ReturnType<Run['liveReader']>;
  /** Measurements up to this step are of weights that do not stand any more. */
  private staleUntil = -1;
  /** Whether the latest λ₁ was below the bound; null before one was measured. */
  private wasStable: boolean | null = null;
  /** Whether it is known that there is a bound, or was said that there is none. */
  private knowsBound = false;
  private toldCycle = false;
  private toldNonFinite = false;
  /** The step at which the run's files are next asked for a cycle. */
  private asksCycle = FIRST_EVIDENCE;
  /** Events that could not be looked for, which was told. */
  private readonly troubled = new Set<TrainingEventId>();

  constructor(
    private run: Run,
    private readonly on: Surroundings,
  ) {
    this.live = run.liveReader();
    this.gradients = new GradientWatch(this.parameters);
  }

  get isEmpty(): boolean {
    return this.wanted.size === 0;
  }

  wants(id: TrainingEventId): boolean {
    return this.wanted.has(id);
  }

  /** What was not wanted until now begins anew: nobody has looked at the steps between. */
  want(ids: ReadonlySet<TrainingEventId>): void {
    const fresh = [...ids].filter((id) => !this.wanted.has(id));
    for (const id of fresh) this.begin(id);
    this.wanted = ids;
    this.troubled.clear();
  }

  /** Other weights stand after `count` updates: what comes is not to be held against what was. */
  rewound(count: number): void {
    for (const { id } of eventFilters) if (id !== 'edge-of-stability') this.begin(id);
    this.gradients = new GradientWatch(this.parameters);
    this.staleUntil = count;
    this.wasStable = null;
  }

  /** Steps are counted from 0 in another run. */
  branched(run: Run): void {
    this.rewound(-1);
    this.run = run;
    this.live = run.liveReader();
    this.asksCycle = FIRST_EVIDENCE;
  }

  private begin(id: TrainingEventId): void {
    if (id === 'loss-spike') this.finder = new EventFinder();
    if (id === 'plateau') this.plateau = new PlateauWatch();
    if (id === 'limit-cycle') this.toldCycle = false;
    if (id === 'non-finite') this.toldNonFinite = false;
    if (id === 'edge-of-stability') this.knowsBound = false;
    // Of gradients it is remembered what is told; steps without a look at them do not count as successive.
    const looks = gradientEvents.some((one) => this.wanted.has(one));
    if (!looks && gradientEvents.some((one) => one === id))
      this.gradients = new GradientWatch(this.parameters);
  }

  /** What is known of λ₁ before anything is looked at: a run that is attached to may have come to the edge long ago. */
  async start(): Promise<void> {
    await this.readSharpness();
  }

  /** Everything that this step, whose gradient waits, makes known. One that cannot be looked for is told once. */
  async at(step: StepRecord): Promise<TrainingEvent[]> {
    const looks: [TrainingEventId, () => Promise<readonly TrainingEvent[]>][] = [
      ['non-finite', () => this.nonFinite(step)],
      ['loss-spike', () => this.spike(step)],
      ['plateau', () => Promise.resolve(this.flat(step))],
      [gradientEvents.find((id) => this.wanted.has(id)) ?? 'dead-units', () => this.gradient()],
      ['edge-of-stability', () => this.edge(step)],
      ['limit-cycle', () => this.cycle(step)],
    ];
    const events: TrainingEvent[] = [];
    for (const [id, look] of looks) {
      try {
        events.push(...(await look()));
      } catch (error) {
        if (isCancelledOrEnded(error)) throw error;
        if (this.troubled.has(id)) continue;
        this.troubled.add(id);
        events.push({ id, text: `"${labelOf(id)}" cannot be looked for: ${sentenceOf(error)}` });
      }
    }
    return events;
  }

  private async nonFinite(step: StepRecord): Promise<readonly TrainingEvent[]> {
    if (!this.wanted.has('non-finite')) return [];
    const lost = [step.loss, step.gradientNorm].some((x) => x !== null && !Number.isFinite(decodeNumber(x)));
    const told = this.toldNonFinite;
    this.toldNonFinite = lost;
    if (!lost || told) return [];
    const before = step.nonFinite === undefined ? await this.lostBefore(step.step) : null;
    const { text, ...where } =
      before ?? whereNonFinite(step, this.parameters, await statisticsOf(this.on.connection, 'gradient'));
    // An update before this one may have lost the weights: then nothing was kept back in time.
    const weightsAreWhole = before === null && step.nonFinite?.what !== 'weights';
    const applied = weightsAreWhole
      ? `Step ${step.step} has not been applied: the weights are those before it.`
      : `Step ${step.step} has not been applied.`;
    return [{ id: 'non-finite', text: `${text} ${applied}`, ...where }];
  }

  /** The newest record of where NaN began, once the run's file has come to a step: it is written beside the training. */
  private async recordedOrigin(objectiveIndex: number, upTo: number): Promise<StepRecord | undefined> {
    const reader = this.run.stepsReader();
    for (let looks = 1; ; looks++) {
      // Only what is new at each look.
      const steps = (await reader.read()).records.filter(({ objective }) => objective === objectiveIndex);
      const origin = steps.filter(({ nonFinite }) => nonFinite !== undefined).at(-1);
      if (origin !== undefined || (steps.at(-1)?.step ?? -1) >= upTo || looks === RECORD_LOOKS) return origin;
      await sleep(RECORD_WAIT_MILLISECONDS);
    }
  }

  /** Weights that were lost in an earlier step: where is what the run's own record says. */
  private async lostBefore(step: number): Promise<Omit<TrainingEvent, 'id'> | null> {
    const weights = await statisticsOf(this.on.connection, 'current');
    const hit = this.parameters.filter((_, i) => (weights[i]?.nonFinite ?? 0) > 0);
    const [first] = hit;
    if (first === undefined) return null;
    const { objectiveIndex } = this.on.connection.description;
    const origin = await this.recordedOrigin(objectiveIndex, step - 1);
    const already = `The weights of ${hit.length} of ${this.parameters.length} parameters are NaN or infinite already.`;
    if (origin?.nonFinite === undefined) return { text: already, parameter: first.name };
    const found = origin.nonFinite;
    const sentence = eventSentence({
      kind: 'non-finite',
      objective: objectiveIndex,
      step: found.began,
      seen: origin.step,
      found,
    });
    const parameter = found.first?.parameter;
    return { text: `${already} ${sentence}`, ...(parameter == null ? {} : { parameter }) };
  }

  private async spike(step: StepRecord): Promise<readonly TrainingEvent[]> {
    if (!this.wanted.has('loss-spike')) return [];
    const spike = this.finder.next(step).find((event): event is LossSpike => event.kind === 'spike');
    if (spike === undefined) return [];
    const recorded = await this.run.readLayers(spike.objective).catch(() => null);
    const told = withOrigin(spike, recorded?.records ?? [], this.parameters);
    const first = told.origin?.first;
    return [
      {
        id: 'loss-spike',
        text: eventSentence(told),
        ...(first == null ? {} : { parameter: first.parameter }),
      },
    ];
  }

  private flat({ loss }: StepRecord): readonly TrainingEvent[] {
    if (!this.wanted.has('plateau')) return [];
    const plateau = this.plateau.next(knownNumber(loss) ?? NaN);
    return plateau === null ? [] : [{ id: 'plateau', text: plateauSentence(plateau) }];
  }

  private async gradient(): Promise<readonly TrainingEvent[]> {
    if (!gradientEvents.some((id) => this.wanted.has(id))) return [];
    const { connection } = this.on;
    const gradient = await statisticsOf(connection, 'gradient');
    return this.gradients.next(gradient, await statisticsOf(connection, 'current'), this.wanted);
  }

  /** λ₁ as it was measured while the run trains, within its budget: no step waits for it here. */
  private async edge(step: StepRecord): Promise<readonly TrainingEvent[]> {
    if (!this.wanted.has('edge-of-stability')) return [];
    const before = this.wasStable;
    await this.tellBoundless();
    const latest = await this.readSharpness();
    if (latest?.bound == null || before === false || this.wasStable !== false) return [];
    const numbers = `λ₁ ${decodeNumber(latest.lambda1).toPrecision(3)} at step ${latest.step}, bound ${decodeNumber(latest.bound).toPrecision(3)}`;
    // Nothing is known of the time before the first measurement.
    const what = before === null ? 'is at, or beyond,' : 'has come to';
    const text = `Training ${what} the edge of stability: ${numbers} (now step ${step.step}).`;
    return [{ id: 'edge-of-stability', text }];
  }

  /** Once the optimizer is known: where there is no bound, waiting for it to be reached is in vain. */
  private async tellBoundless(): Promise<void> {
    if (this.knowsBound) return;
    const { optimizer, learningRate } = await this.on.connection.status({});
    if (optimizer === null) return;
    this.knowsBound = true;
    const { reason } = stabilityBound(optimizer, learningRate);
    if (reason !== null) this.on.said(edgeUnwatched(reason));
  }

  /** @returns the newest of what was measured since the last call; without a bound it says nothing of stability */
  private async readSharpness(): Promise<LiveSharpness | null> {
    // Only what is new: the file grows with the run, and this is asked at every step.
    const { objectiveIndex } = this.on.connection.description;
    const latest = (await this.live.read()).records.filter((r) => r.objective === objectiveIndex).at(-1);
    if (latest === undefined || latest.step <= this.staleUntil) return null;
    this.on.measured(latest);
    const verdict = verdictOf(decodeNumber(latest.lambda1), knownNumber(latest.bound));
    if (verdict !== 'unknown') this.wasStable = verdict === 'below';
    return latest;
  }

  private async cycle({ step, objective }: StepRecord): Promise<readonly TrainingEvent[]> {
    if (!this.wanted.has('limit-cycle') || step < this.asksCycle || this.toldCycle) return [];
    this.asksCycle = step + Math.max(FIRST_EVIDENCE, Math.floor(FURTHER_EVIDENCE * step));
    const text = await this.on.helpers.limitCycle(this.run, objective);
    this.toldCycle = text !== null;
    return text === null ? [] : [{ id: 'limit-cycle', text }];
  }

  private get parameters(): readonly ParameterInfo[] {
    return this.on.connection.description.objective.parameters;
  }
}

/** Why the edge of stability is not watched for. @param reason as of {@link stabilityBound} */
export function edgeUnwatched(reason: string): string {
  return (
    `The edge of stability cannot be watched for: ${reason}. ` +
    '`basin stability --live` holds the preconditioned Hessian of Adam and RMSProp against its bound.'
  );
}

/** Several events of one step as one: the first, with all their sentences. */
export function together([first, ...others]: readonly TrainingEvent[]): TrainingEvent | null {
  if (first === undefined) return null;
  const shown = [first, ...others].slice(0, MOST_SENTENCES).map(({ text }) => text);
  const rest = others.slice(MOST_SENTENCES - 1).map(({ id, parameter }) => parameter ?? labelOf(id));
  const more = rest.length === 0 ? [] : [`So it is with ${rest.join(', ')}.`];
  return { ...first, text: [...shown, ...more].join(' ') };
}

const labelOf = (id: TrainingEventId): string => eventFilters.find((filter) => filter.id === id)?.label ?? id;
