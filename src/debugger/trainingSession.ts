/**
 * One debugged training run: drives the process from stop to stop, looks at each step while there is something to look
 * for, and knows how to go back. No editor and no protocol: an adapter turns its stops into what its client speaks.
 *
 * While nothing is watched for, training goes free and pays nothing; else it stands for a moment inside of every step.
 */
import type { TrainingConnection } from '../evaluators/connection.ts';
import { BasinError, isCancelled } from '../protocol/errors.ts';
import type { LossValue } from '../protocol/evaluator.ts';
import {
  decodeNumber,
  knownNumber,
  type LiveSharpness,
  type OptimizerInfo,
  type ParameterInfo,
  type StepRecord,
} from '../protocol/run.ts';
import { verdictOf } from '../protocol/stability.ts';
import { eventSentence, type LossSpike } from '../protocol/trainingEvents.ts';
import type {
  CheckpointContents,
  ParameterStatistics,
  Standing,
  Target,
  WhenGone,
} from '../protocol/standing.ts';
import type { Run } from '../runs/run.ts';
import { RunStore } from '../runs/runStore.ts';
import { withOrigin } from '../runs/spikeOrigin.ts';
import { EventFinder } from '../runs/trainingEvents.ts';
import type { NormRange, StepBreakpoint } from './breakpoints.ts';
import type { TrainingEvent, TrainingEventId } from './events.ts';
import type { Scope, Value } from './expression.ts';
import { GradientWatch, whereNonFinite } from './gradientWatch.ts';
import { plateauSentence, PlateauWatch } from './plateau.ts';
import { differenceFrom, statisticsOf } from './standingWeights.ts';
import { stepValues, weightReading } from './stepValues.ts';
import type { DebugTarget, Helpers, ParameterNumbers, SessionListener, Stop } from './target.ts';

export interface SessionOptions {
  readonly run: Run;
  readonly connection: TrainingConnection;
  readonly helpers: Helpers;
  readonly listener: SessionListener;
  readonly whenGone: WhenGone;
}

/**
 * Steps before the run's files are first asked for a cycle, and share of the steps by which they have to have grown until
 * they are asked again: all of it is read each time.
 */
const FIRST_EVIDENCE = 50;
const FURTHER_EVIDENCE = 0.25;
/** Checkpoints that are kept in the process, the latest ones. */
const MOST_CHECKPOINTS = 8;

interface KeptPoint {
  readonly name: string;
  readonly step: number;
}

export class TrainingSession implements DebugTarget {
  #standing: Standing | null = null;
  /** Whether someone has asked for a pause since training was let go. */
  #pauseAsked = false;
  #optimizer: OptimizerInfo | null = null;
  #stopPoints: readonly StepBreakpoint[] = [];
  /** Values that they need. */
  #reads: ReadonlySet<string> = new Set();
  #ranges: readonly NormRange[] = [];
  #events: ReadonlySet<TrainingEventId> = new Set();
  readonly #gradients: GradientWatch;
  #finder = new EventFinder();
  #plateau = new PlateauWatch();
  #run: Run;
  #live: ReturnType<Run['liveReader']>;
  #lastSharpness: LiveSharpness | null = null;
  /** Whether the latest λ₁ was below the bound; null before one was measured. */
  #wasStable: boolean | null = null;
  #toldCycle = false;
  /** The step at which the run's files are next asked for a cycle. */
  #asksCycle = FIRST_EVIDENCE;
  #checkpoints: KeptPoint[] = [];
  /** The step whose weights stand, where they were put back. */
  #weightsOf: number | null = null;
  /** The step before whose update the weights are kept in the process: one step is on its way, or was made. */
  #before: number | null = null;

  constructor(private readonly options: SessionOptions) {
    this.#run = options.run;
    this.#live = options.run.liveReader();
    this.#gradients = new GradientWatch(options.connection.description.objective.parameters);
    void options.connection.closed.then(() => {
      options.listener.lost();
    });
    options.connection.onStanding((standing) => {
      const torn = `A signal has taken the script away from where it stood. ${whereText(standing)}`;
      const why = standing.reason === 'ended' ? endOf(standing) : { reason: 'pause' as const, text: torn };
      void this.#stop(standing, why).catch(() => undefined);
    });
  }

  get connection(): TrainingConnection {
    return this.options.connection;
  }

  get run(): Run {
    return this.#run;
  }

  /** Where training stands; null while it is on its way. */
  get standing(): Standing | null {
    return this.#standing;
  }

  /** As it is known by now; null before the first update of some scripts. */
  get optimizer(): OptimizerInfo | null {
    return this.#optimizer;
  }

  /** The latest λ₁ that was measured. */
  get sharpness(): LiveSharpness | null {
    return this.#lastSharpness;
  }

  /** The step whose weights these are: another than the count of steps after going back. */
  get weightsOf(): number | null {
    return this.#weightsOf ?? this.#standing?.step ?? null;
  }

  /** The values of the step that stands, by name. */
  get values(): Readonly<Record<string, Value>> {
    return stepValues(this.#standing?.values ?? null, this.#lastSharpness);
  }

  setBreakpoints(points: readonly StepBreakpoint[]): void {
    this.#stopPoints = points;
    this.#reads = new Set(points.flatMap((point) => [...point.reads]));
  }

  setRanges(ranges: readonly NormRange[]): void {
    this.#ranges = ranges;
  }

  setEvents(events: ReadonlySet<TrainingEventId>): void {
    this.#events = events;
  }

  /**
   * Has training stand still, wherever it is; goes on at once where nothing is found at this step, unless it is to stop
   * here in any case.
   */
  async start(stopInAnyCase: boolean): Promise<void> {
    const standing = await this.connection.pause({ whenGone: this.options.whenGone });
    if (standing.reason === 'ended') return this.#stop(standing, endOf(standing));
    // A run that is attached to may have come to the edge long ago.
    await this.#readSharpness();
    const found = await this.#look(standing);
    if (found === null && !stopInAnyCase && !this.#pauseAsked) {
      this.#standing = standing;
      return this.continue();
    }
    const reason = standing.reason === 'entry' && stopInAnyCase ? 'entry' : 'pause';
    await this.#stop(standing, found ?? { reason, text: whereText(standing) });
  }

  /** Trains on until something stops it. */
  continue(): Promise<void> {
    return this.#drive({ place: 'boundary' });
  }

  /** One update: from inside of a step to its end, or through the next one. */
  step(): Promise<void> {
    const { step } = this.#required();
    return this.#drive({ place: 'boundary', step: step + 1 });
  }

  /** To the next gradient before it is applied; from there, applies it. */
  stepInto(): Promise<void> {
    const { step, place } = this.#required();
    return place === 'gradient' ? this.step() : this.#drive({ place: 'gradient', step });
  }

  /** To the end of the epoch. @throws BasinError `unsupported` where epochs are not known */
  async stepOut(): Promise<void> {
    const { values } = this.#required();
    if (values?.epoch == null) {
      throw new BasinError(
        'unsupported',
        'Where an epoch ends is not known in this script.',
        'Set a breakpoint with a condition such as step == 500, and continue.',
      );
    }
    await this.#drive({ place: 'gradient', epoch: true });
  }

  /** Has training stand at its next place; the way that it is on ends there. */
  async pause(): Promise<void> {
    if (this.#standing !== null) return;
    this.#pauseAsked = true;
    await this.connection.pause({ whenGone: this.options.whenGone });
  }

  /**
   * Back to the latest checkpoint or snapshot before the weights that stand.
   * @throws BasinError `not-found` at the beginning
   */
  async stepBack(): Promise<void> {
    await this.#backTo(Math.max);
  }

  /** Back to the first snapshot. */
  async backToStart(): Promise<void> {
    await this.#backTo(Math.min);
  }

  async detach(): Promise<void> {
    await this.connection.detach({}).catch(() => undefined);
    this.connection.close();
  }

  /**
   * Has the process go on recording in a new run, which begins at the weights that stand; this one is finished.
   * Inside of a step its update is made first.
   */
  async trainOn(): Promise<Run> {
    const standing = await this.#atBoundary();
    if (standing.reason === 'ended')
      throw new BasinError('unsupported', 'The script is done: there are no more steps.', 'Restart it.');
    const { name, command, cwd, environment, script, versions, gitCommit, recording } =
      await this.run.readManifest();
    const parent = { run: this.run.id, step: this.#weightsOf ?? standing.step };
    const run = await RunStore.beside(this.run).create({
      name: `${name.replace(/ · from step \d+$/, '')} · from step ${parent.step}`,
      command,
      cwd,
      script,
      versions,
      gitCommit,
      every: recording.requestedEvery,
      parent,
      ...(recording.liveBudget === undefined ? {} : { liveBudget: recording.liveBudget }),
      ...(environment === undefined ? {} : { environment }),
    });
    this.#standing = await this.connection.branch({ directory: run.directory });
    this.#run = run;
    this.#live = run.liveReader();
    this.#finder = new EventFinder();
    this.#plateau = new PlateauWatch();
    this.#wasStable = null;
    this.#toldCycle = false;
    this.#asksCycle = FIRST_EVIDENCE;
    this.#checkpoints = [];
    this.#weightsOf = this.#before = this.#lastSharpness = null;
    await this.#checkpoint(0);
    this.options.listener.branched(run);
    const text =
      `Run ${run.id} begins here, at step ${parent.step} of run ${parent.run}, which is finished. ` +
      'Its steps count from 0.';
    this.options.listener.stopped({
      reason: 'branch',
      text,
      standing: this.#standing,
      event: null,
      breakpoints: [],
    });
    return run;
  }

  async parameters(): Promise<ParameterNumbers> {
    const { place, step } = this.#required();
    const start = this.run.snapshotPath(0, this.connection.description.objectiveIndex);
    const isOneStep = place === 'boundary' && this.#before === step - 1 && this.#weightsOf === null;
    return {
      weights: await this.statistics('current'),
      gradient: place === 'gradient' ? await this.statistics('gradient') : null,
      fromStart: await differenceFrom(this.connection, { file: start }),
      update: isOneStep ? await differenceFrom(this.connection, 'debugger-before') : null,
    };
  }

  loss(split: 'train' | 'validation'): Promise<LossValue> {
    this.#required();
    return this.options.helpers.loss(this.connection, split);
  }

  /** Measures λ₁ at the weights that stand. */
  async measureSharpness(): Promise<LiveSharpness> {
    this.#lastSharpness = await this.options.helpers.sharpness(this.connection);
    return this.#lastSharpness;
  }

  async snapshot(): Promise<number> {
    const { reason, step } = this.#required();
    // Behind a script's end recording is over, and the last snapshot has these weights.
    return reason === 'ended' ? step : (await this.connection.snapshot({})).step;
  }

  #required(): Standing {
    if (this.#standing !== null) return this.#standing;
    throw new BasinError('busy', 'Training is on its way.', 'Pause it first.');
  }

  get #watches(): boolean {
    return this.#stopPoints.length > 0 || this.#ranges.length > 0 || this.#events.size > 0;
  }

  /** Whether the weights are to be read at every step; recording alone does when it is cheap. */
  get #readsWeights(): boolean {
    // A cycle is seen in successive weights alone.
    const events = ['non-finite', 'limit-cycle'] as const;
    return events.some((id) => this.#events.has(id)) || [...this.#reads].some((r) => weightReading.has(r));
  }

  /** Goes on until the goal, or until something on the way makes it stop. */
  async #drive(goal: Target): Promise<void> {
    let from = this.#required();
    if (from.reason === 'ended') {
      throw new BasinError(
        'unsupported',
        'The script is done: there are no more steps.',
        'Restart it, or end the session.',
      );
    }
    const begunIn = from.values?.epoch ?? null;
    this.#before = null;
    if (goal.place === 'boundary' && goal.step === from.step + 1) {
      await this.connection.load({ into: 'debugger-before', from: 'current' });
      this.#before = from.step;
    }
    this.#standing = null;
    this.#weightsOf = null;
    try {
      for (;;) {
        const target = this.#watches ? nextLook(from, goal) : goal;
        // What a spike's layer is known by.
        const layers = this.#watches && this.#events.has('loss-spike');
        const norms = layers || (this.#watches && this.#readsWeights);
        const { whenGone } = this.options;
        const standing = await this.connection.proceed({ target, norms, layers, whenGone });
        if (standing.reason === 'ended') return await this.#stop(standing, endOf(standing));
        const found = await this.#look(standing);
        if (found !== null) return await this.#stop(standing, found);
        if (this.#pauseAsked || standing.reason === 'pause')
          return await this.#stop(standing, { reason: 'pause', text: whereText(standing) });
        if (isReached(goal, standing, begunIn)) {
          const reason = goal.epoch === true ? 'epoch' : 'step';
          const text =
            goal.epoch === true
              ? `Epoch ${begunIn ?? '?'} is over. ${whereText(standing)}`
              : whereText(standing);
          return await this.#stop(standing, { reason, text });
        }
        from = standing;
      }
    } catch (error) {
      if (isCancelled(error) || (error instanceof BasinError && error.code === 'process-ended')) return;
      throw error;
    }
  }

  async #stop(standing: Standing, why: Partial<Stop> & Pick<Stop, 'reason' | 'text'>): Promise<void> {
    if (standing.place === 'boundary' && standing.reason !== 'ended') await this.#checkpoint(standing.step);
    this.#optimizer = (await this.connection.status({})).optimizer;
    this.#pauseAsked = false;
    this.#standing = standing;
    this.options.listener.stopped({ event: null, breakpoints: [], ...why, standing });
  }

  /** What of this step makes it stop; inside of a step for everything that its loss and gradient tell. */
  async #look(standing: Standing): Promise<Omit<Stop, 'standing'> | null> {
    const { values, place } = standing;
    if (values === null || place !== 'gradient' || !this.#watches) return null;
    const event = await this.#eventAt(values);
    if (event !== null) return { reason: 'event', text: event.text, event, breakpoints: [] };
    const range = await this.#leftRange();
    if (range !== null) return { reason: 'data', ...range, event: null };
    return this.#breakpointAt(values);
  }

  async #breakpointAt(step: StepRecord): Promise<Omit<Stop, 'standing'> | null> {
    if (this.#stopPoints.length === 0) return null;
    if (this.#reads.has('lambda1') || this.#reads.has('bound')) await this.measureSharpness();
    const scope: Scope = { values: stepValues(step, this.#lastSharpness), functions: {} };
    const hit: StepBreakpoint[] = [];
    for (const point of this.#stopPoints) {
      const outcome = await point.at(scope);
      if (outcome === true) hit.push(point);
      else if (outcome !== null) this.options.listener.said(outcome);
    }
    if (hit.length === 0) return null;
    return {
      reason: 'breakpoint',
      text: `${hit.map((point) => point.text).join(', ')} at step ${step.step}`,
      event: null,
      breakpoints: hit.map((point) => point.id),
    };
  }

  async #leftRange(): Promise<Pick<Stop, 'text' | 'breakpoints'> | null> {
    if (this.#ranges.length === 0) return null;
    const { parameters } = this.connection.description.objective;
    const weights = await this.statistics('current');
    for (const { id, parameter, low, high } of this.#ranges) {
      const norm = weights[parameters.findIndex((p) => p.name === parameter)]?.norm;
      if (norm === undefined || (norm >= low && norm <= high)) continue;
      return { text: `The norm of ${parameter} is ${norm.toPrecision(6)}.`, breakpoints: [id] };
    }
    return null;
  }

  async #eventAt(step: StepRecord): Promise<TrainingEvent | null> {
    const wanted = this.#events;
    const { parameters } = this.connection.description.objective;
    const finite = [step.loss, step.gradientNorm].every(
      (x) => x === null || Number.isFinite(decodeNumber(x)),
    );
    if (!finite && wanted.has('non-finite')) {
      const { text, ...where } = whereNonFinite(step, parameters, await this.statistics('gradient'));
      return {
        id: 'non-finite',
        text: `${text} Step ${step.step} has not been applied: the weights are those before it.`,
        ...where,
      };
    }
    if (wanted.has('loss-spike')) {
      const spike = this.#finder.next(step).find((event) => event.kind === 'spike');
      if (spike?.kind === 'spike') return this.#spike(spike, parameters);
    }
    const plateau = wanted.has('plateau') ? this.#plateau.next(knownNumber(step.loss) ?? NaN) : null;
    if (plateau !== null) return { id: 'plateau', text: plateauSentence(plateau) };
    if (
      ['gradient-vanished', 'gradient-exploded', 'dead-units'].some((id) => wanted.has(id as TrainingEventId))
    ) {
      const gradient = await this.statistics('gradient');
      const [event] = this.#gradients.next(gradient, await this.statistics('current'), wanted);
      if (event !== undefined) return event;
    }
    if (wanted.has('edge-of-stability')) {
      const event = await this.#edge(step);
      if (event !== null) return event;
    }
    if (wanted.has('limit-cycle') && step.step >= this.#asksCycle && !this.#toldCycle) {
      this.#asksCycle = step.step + Math.max(FIRST_EVIDENCE, Math.floor(FURTHER_EVIDENCE * step.step));
      const text = await this.options.helpers.limitCycle(this.run, step.objective);
      this.#toldCycle = text !== null;
      if (text !== null) return { id: 'limit-cycle', text };
    }
    return null;
  }

  async #spike(spike: LossSpike, parameters: readonly ParameterInfo[]): Promise<TrainingEvent> {
    const recorded = await this.run.readLayers(spike.objective).catch(() => null);
    const told = withOrigin(spike, recorded?.records ?? [], parameters);
    const first = told.origin?.first;
    return {
      id: 'loss-spike',
      text: eventSentence(told),
      ...(first == null ? {} : { parameter: first.parameter }),
    };
  }

  /** λ₁ as it was measured while the run trains, within its budget: no step waits for it here. */
  async #edge(step: StepRecord): Promise<TrainingEvent | null> {
    const before = this.#wasStable;
    const latest = await this.#readSharpness();
    if (latest === null || before === false || this.#wasStable !== false) return null;
    const bound = latest.bound === null ? null : decodeNumber(latest.bound);
    const numbers = `λ₁ ${decodeNumber(latest.lambda1).toPrecision(3)} at step ${latest.step}, bound ${bound?.toPrecision(3) ?? '?'}`;
    // Nothing is known of the time before the first measurement.
    const what = before === null ? 'is at, or beyond,' : 'has come to';
    return {
      id: 'edge-of-stability',
      text: `Training ${what} the edge of stability: ${numbers} (now step ${step.step}).`,
    };
  }

  /** @returns the newest of what was measured since the last call; without a bound it says nothing of stability */
  async #readSharpness(): Promise<LiveSharpness | null> {
    // Only what is new: the file grows with the run, and this is asked at every step.
    const latest = (await this.#live.read()).records.at(-1);
    if (latest === undefined) return null;
    this.#lastSharpness = latest;
    const bound = latest.bound === null ? null : decodeNumber(latest.bound);
    const verdict = verdictOf(decodeNumber(latest.lambda1), bound);
    if (verdict !== 'unknown') this.#wasStable = verdict === 'below';
    return latest;
  }

  statistics(of: 'current' | 'gradient'): Promise<readonly ParameterStatistics[]> {
    return statisticsOf(this.connection, of);
  }

  async #checkpoint(step: number): Promise<void> {
    if (this.#checkpoints.some((point) => point.step === step)) return;
    const name = `step ${step}`;
    await this.connection.checkpoint({ name });
    this.#checkpoints.push({ name, step });
    if (this.#checkpoints.length > MOST_CHECKPOINTS) {
      const dropped = this.#checkpoints.shift();
      if (dropped !== undefined) await this.connection.forget({ names: [dropped.name] });
    }
  }

  /** @param choose among the steps before the weights that stand */
  async #backTo(choose: (...steps: number[]) => number): Promise<void> {
    let standing = this.#required();
    if (standing.reason === 'ended')
      throw new BasinError('unsupported', 'The script is done.', 'Attach to its run to walk its snapshots.');
    const now = this.weightsOf ?? standing.step;
    const snapshots = (await this.run.snapshots(this.connection.description.objectiveIndex)).map(
      (s) => s.step,
    );
    const kept = this.#checkpoints.map((point) => point.step);
    const before = [...new Set([...snapshots, ...kept])].filter((step) => step < now);
    if (before.length === 0)
      throw new BasinError('not-found', 'These are the first weights of the run.', 'Step on instead.');
    standing = await this.#atBoundary();
    if (standing.reason === 'ended')
      return this.#stop(standing, { reason: 'ended', text: 'That was the last step of the script.' });
    const to = choose(...before);
    const contents = await this.#restore(to);
    this.#weightsOf = to;
    this.#standing = standing;
    const missing =
      contents.notRestored.length === 0 ? '' : ` Not put back: ${contents.notRestored.join(', ')}.`;
    const text =
      `Back at the weights of step ${to}: ${contents.restored.join(', ')}.${missing} ` +
      `Steps are counted on from ${standing.step}, and the run notes the jump.`;
    this.options.listener.stopped({ reason: 'back', text, standing, event: null, breakpoints: [] });
  }

  /** The gradient that waits belongs to these weights: it is applied before others are put there, or counted anew. */
  async #atBoundary(): Promise<Standing> {
    const { place, step } = this.#required();
    if (place === 'boundary') return this.#required();
    const target = { place: 'boundary', step: step + 1 } as const;
    const { whenGone } = this.options;
    this.#standing = await this.connection.proceed({ target, norms: false, whenGone });
    return this.#standing;
  }

  async #restore(step: number): Promise<CheckpointContents> {
    const kept = this.#checkpoints.find((point) => point.step === step);
    if (kept !== undefined) return this.connection.rewind({ name: kept.name });
    const file = this.run.snapshotPath(step, this.connection.description.objectiveIndex);
    await this.connection.load({ into: 'debugger-back', from: { file } });
    return this.connection.assign({ vector: 'debugger-back' });
  }
}

/** The next place to look at something on the way to a goal. */
function nextLook(from: Standing, goal: Target): Target {
  const next = from.place === 'boundary' ? from.step : from.step + 1;
  const near = goal.place === 'boundary' && goal.step !== undefined && goal.step <= next;
  return near ? goal : { place: 'gradient', step: next };
}

function isReached(goal: Target, standing: Standing, begunIn: number | null): boolean {
  if (goal.epoch === true) return standing.values?.epoch != null && standing.values.epoch !== begunIn;
  if (goal.step === undefined) return false;
  return standing.place === goal.place ? standing.step >= goal.step : standing.step > goal.step;
}

function endOf({ why }: Standing): Pick<Stop, 'reason' | 'text'> {
  return why === undefined
    ? { reason: 'ended', text: 'The script is done; its model can still be asked.' }
    : {
        reason: 'failed',
        text: `The script has failed: ${why} What it has left can still be asked; to go on lets it end.`,
      };
}

function whereText({ place, step, values }: Standing): string {
  const epoch = values?.epoch == null ? '' : ` of epoch ${values.epoch}`;
  return place === 'gradient'
    ? `Inside of step ${step}${epoch}: its gradient is there and not applied.`
    : `After ${step} steps${epoch}.`;
}
