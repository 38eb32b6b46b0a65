/**
 * One debugged training run: drives the process from stop to stop, looks at each step while there is something to look
 * for, and knows how to go back. No editor and no protocol: an adapter turns its stops into what its client speaks.
 *
 * While nothing is watched for, training goes free and pays nothing; else it stands for a moment inside of every step.
 */
import type { TrainingConnection } from '../evaluators/connection.ts';
import { refuseWhatDoesNotReplay } from '../evaluators/openEvaluator.ts';
import { BasinError, isCancelledOrEnded, sentenceOf } from '../protocol/errors.ts';
import type { LossValue } from '../protocol/evaluator.ts';
import { knownNumber, type LiveSharpness, type OptimizerInfo, type StepRecord } from '../protocol/run.ts';
import { stabilityBound, type StabilityBound } from '../protocol/stability.ts';
import type {
  CheckpointContents,
  ParameterStatistics,
  Standing,
  StandingPlace,
  Target,
  WhenGone,
} from '../protocol/standing.ts';
import type { Run } from '../runs/run.ts';
import { RunStore } from '../runs/runStore.ts';
import type { NormRange, StepBreakpoint } from './breakpoints.ts';
import type { TrainingEventId } from './events.ts';
import { EventWatch, together } from './eventWatch.ts';
import type { Scope, Value } from './expression.ts';
import { leftSentence, NormWatch } from './normWatch.ts';
import { snapshotSteps } from './snapshotWalk.ts';
import { differenceFrom, statisticsOf } from './standingWeights.ts';
import { stepValues, weightReading, withOtherNames } from './stepValues.ts';
import type { DebugTarget, Helpers, ParameterNumbers, SessionListener, Stop } from './target.ts';
import { WeightPath } from './weightPath.ts';
import { wholeNorm } from './wholeNorm.ts';

export interface SessionOptions {
  readonly run: Run;
  readonly connection: TrainingConnection;
  readonly helpers: Helpers;
  readonly listener: SessionListener;
  readonly whenGone: WhenGone;
  /** What people know this session by. */
  readonly name: string;
}

/** Checkpoints that are kept in the process, the latest ones. */
const MOST_CHECKPOINTS = 8;

/** A GAN's other half: its own steps are not those that are gone back over. */
const OF_OTHERS = 'what the other optimizers have kept, losses of theirs that are under way';

interface KeptPoint {
  readonly name: string;
  readonly step: number;
  /** gradient: the moving statistics and random streams are those behind the step's loss. */
  readonly place: StandingPlace;
}

export class TrainingSession implements DebugTarget {
  #standing: Standing | null = null;
  /** Whether someone has asked for a pause since training was let go. */
  #pauseAsked = false;
  #optimizer: OptimizerInfo | null = null;
  #stopPoints: readonly StepBreakpoint[] = [];
  /** Values that they need. */
  #reads: ReadonlySet<string> = new Set();
  #norms = new NormWatch();
  readonly #events: EventWatch;
  #run: Run;
  #lastSharpness: LiveSharpness | null = null;
  /** Of the weights on the way to those that stand. */
  #checkpoints: KeptPoint[] = [];
  #path = new WeightPath();
  /** Training is on its way and nobody looks at its steps. */
  #isFree = false;
  /** It was made to stand in order to be looked at from there on. */
  #interrupted = false;
  /** The step before whose update the weights are kept in the process: one step is on its way, or was made. */
  #before: number | null = null;

  constructor(private readonly options: SessionOptions) {
    this.#run = options.run;
    this.#events = new EventWatch(options.run, {
      connection: options.connection,
      helpers: options.helpers,
      measured: (latest) => (this.#lastSharpness = latest),
      said: (text) => options.listener.said(text),
    });
    void options.connection.closed.then(() => {
      options.listener.lost();
    });
    options.connection.onStanding((standing) => {
      const torn = `A signal has taken the script away from where it stood. ${whereText(standing)}`;
      const why = standing.reason === 'ended' ? endOf(standing) : { reason: 'pause' as const, text: torn };
      void this.#stay()
        .then(() => this.#stop(standing, why))
        .catch(() => undefined);
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
    return this.#standing === null ? null : this.#path.weightsOf(this.#standing.step);
  }

  /** The optimizer's bound on λ₁, at the learning rate of the step that stands. */
  get stability(): StabilityBound {
    return stabilityBound(this.#optimizer, knownNumber(this.#standing?.values?.learningRate ?? null));
  }

  /** The values of the step that stands, by name. */
  get values(): Readonly<Record<string, Value>> {
    return stepValues(this.#standing?.values ?? null, this.#lastSharpness, this.stability.bound);
  }

  get isOver(): boolean {
    return this.#standing?.reason === 'ended';
  }

  setBreakpoints(points: readonly StepBreakpoint[]): void {
    this.#stopPoints = points;
    this.#reads = new Set(points.flatMap((point) => [...point.reads]));
    this.#lookFromNowOn();
  }

  setRanges(ranges: readonly NormRange[]): void {
    this.#norms = new NormWatch(ranges, this.#norms);
    this.#lookFromNowOn();
  }

  setEvents(events: ReadonlySet<TrainingEventId>): void {
    this.#events.want(events);
    this.#lookFromNowOn();
  }

  /** Training that goes free comes by no place of itself: it is made to stand at its next one, and goes on looked at. */
  #lookFromNowOn(): void {
    if (!this.#isFree || !this.#watches) return;
    this.#isFree = false;
    this.#interrupted = true;
    // Where it is standing already, or is gone, the way that it is on tells.
    this.connection.pause({ whenGone: 'continue' }).catch(() => undefined);
  }

  /**
   * Has training stand still, wherever it is; goes on at once where nothing is found at this step, unless it is to stop
   * here in any case.
   */
  async start(stopInAnyCase: boolean): Promise<void> {
    const { whenGone, name: driver } = this.options;
    const standing = await this.connection.pause({ whenGone, driver });
    this.options.listener.drives();
    if (standing.reason === 'ended') return this.#stop(standing, endOf(standing));
    await this.#events.start();
    const found = await this.#look(standing, false);
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
   * Back to the latest checkpoint or snapshot before the weights that stand; from inside of a step to its beginning.
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
    const parent = { run: this.run.id, step: this.#path.weightsOf(standing.step) };
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
    this.#events.branched(run);
    this.#norms.rewound();
    this.#checkpoints = [];
    this.#path = new WeightPath();
    this.#before = this.#lastSharpness = null;
    await this.#checkpoint(this.#standing);
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
    const isOneStep = place === 'boundary' && this.#before === step - 1;
    return {
      weights: await this.statistics('current'),
      gradient: place === 'gradient' ? await this.statistics('gradient') : null,
      fromStart: await differenceFrom(this.connection, { file: start }),
      update: isOneStep ? await differenceFrom(this.connection, 'debugger-before') : null,
    };
  }

  async loss(split: 'train' | 'validation'): Promise<LossValue> {
    this.#required();
    await this.#requireReplay();
    return this.options.helpers.loss(this.connection, split);
  }

  /** Measures λ₁ at the weights that stand. */
  async measureSharpness(): Promise<LiveSharpness> {
    await this.#requireReplay();
    this.#lastSharpness = await this.options.helpers.sharpness(this.connection);
    return this.#lastSharpness;
  }

  async snapshot(): Promise<number> {
    const { reason, step } = this.#required();
    // Behind a script's end recording is over, and the last snapshot has these weights.
    if (reason === 'ended') return step;
    const of = this.#path.weightsOf(step);
    if (of === step) return (await this.connection.snapshot({})).step;
    // The count has a snapshot of its own, of the weights that were left.
    const isKept = (await this.#snapshots()).includes(of);
    return isKept ? of : (await this.connection.snapshot({ of })).step;
  }

  #required(): Standing {
    if (this.#standing !== null) return this.#standing;
    throw new BasinError('busy', 'Training is on its way.', 'Pause it first.');
  }

  get #watches(): boolean {
    return this.#stopPoints.length > 0 || !this.#norms.isEmpty || !this.#events.isEmpty;
  }

  /** Whether the weights are to be read at every step; recording alone does when it is cheap. */
  get #readsWeights(): boolean {
    // A cycle is seen in successive weights alone.
    const events = ['non-finite', 'limit-cycle'] as const;
    return events.some((id) => this.#events.wants(id)) || [...this.#reads].some((r) => weightReading.has(r));
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
    try {
      for (;;) {
        const norms = this.#watches && (this.#events.wants('loss-spike') || this.#readsWeights);
        const standing = await this.#goOn(from, goal, norms);
        if (this.#isAnothersFirst(standing)) {
          from = standing;
          continue;
        }
        const interrupted = this.#interrupted;
        this.#interrupted = false;
        if (standing.reason === 'ended') return await this.#stop(standing, endOf(standing));
        const forced = interrupted && standing.reason === 'pause';
        // Nobody had asked for what is to be looked at when this step was recorded.
        const found = forced ? null : await this.#look(standing, norms);
        const asked = this.#pauseAsked || (standing.reason === 'pause' && !forced);
        const why = found ?? (asked ? pausedAt(standing) : reached(goal, standing, begunIn));
        if (why !== null) {
          await this.#stay();
          return await this.#stop(standing, why);
        }
        from = standing;
      }
    } catch (error) {
      if (isCancelledOrEnded(error)) return;
      await this.#standAfter(error);
    }
  }

  /** Weights that the script trains from now on as well are another objective's, whose steps none of this session's are: said. */
  #isAnothersFirst({ reason, values }: Standing): boolean {
    const { objectiveIndex: own } = this.connection.description;
    if (reason !== 'steps' || values === null || values.objective === own) return false;
    this.options.listener.said(
      `The script has begun to train other weights than those that this session follows: they are objective ${values.objective} ` +
        `of the run. Steps, breakpoints and events here are those of objective ${own} alone; Pause stops at either.`,
    );
    return true;
  }

  /** To the next place to look at on the way to the goal; to the goal itself while nothing is to be looked at. */
  async #goOn(from: Standing, goal: Target, norms: boolean): Promise<Standing> {
    const looks = this.#watches;
    const target = looks ? nextLook(from, goal, this.connection.description.objectiveIndex) : goal;
    // What a spike's layer is known by.
    const layers = looks && this.#events.wants('loss-spike');
    this.#isFree = !looks;
    // A place that it only stands at to be looked at is on its way: without its debugger it goes on from there.
    const whenGone = target === goal ? this.options.whenGone : 'continue';
    try {
      return await this.connection.proceed({ target, norms, layers, whenGone });
    } finally {
      this.#isFree = false;
    }
  }

  /** What was looked at has become a stop: from here on the place is kept where the debugger is to be waited for. */
  async #stay(): Promise<void> {
    const { whenGone } = this.options;
    if (whenGone === 'hold') await this.connection.pause({ whenGone });
  }

  /** Something has gone wrong on the way: wherever training is, it is made to stand, and says what it was. */
  async #standAfter(error: unknown): Promise<void> {
    let standing: Standing;
    try {
      standing = await this.connection.pause({ whenGone: this.options.whenGone });
    } catch {
      throw error;
    }
    const text = sentenceOf(error);
    this.options.listener.said(text);
    await this.#stop(
      standing,
      standing.reason === 'ended'
        ? endOf(standing)
        : { reason: 'pause', text: `${text} ${whereText(standing)}` },
    );
  }

  /** Whatever fails of what belongs to a stop is said: training stands all the same. */
  async #stop(standing: Standing, why: Partial<Stop> & Pick<Stop, 'reason' | 'text'>): Promise<void> {
    try {
      if (standing.reason !== 'ended') await this.#checkpoint(standing);
      this.#optimizer = (await this.connection.status({})).optimizer;
    } catch (error) {
      if (isCancelledOrEnded(error)) throw error;
      this.options.listener.said(`This stop cannot be gone back to: ${sentenceOf(error)}`);
    }
    this.#pauseAsked = false;
    this.#standing = standing;
    this.options.listener.stopped({ event: null, breakpoints: [], ...why, standing });
  }

  /**
   * What of this step makes it stop; inside of a step for everything that its loss and gradient tell. What cannot be looked
   * at makes it stop as well, and says so.
   * @param norms whether the step was recorded with everything that conditions may read
   */
  async #look(standing: Standing, norms: boolean): Promise<Omit<Stop, 'standing'> | null> {
    const { values, place } = standing;
    if (values === null || place !== 'gradient' || !this.#watches) return null;
    if (values.objective !== this.connection.description.objectiveIndex) return null;
    try {
      const event = together(await this.#events.at(values));
      const range = await this.#leftRange();
      const point = await this.#breakpointAt(values, norms);
      const reasons = [
        ...(event === null ? [] : [{ reason: 'event' as const, text: event.text, event, breakpoints: [] }]),
        ...(range === null ? [] : [{ reason: 'data' as const, ...range, event: null }]),
        ...(point === null ? [] : [point]),
      ];
      const [first] = reasons;
      if (first === undefined) return null;
      return { ...first, breakpoints: reasons.flatMap(({ breakpoints }) => breakpoints) };
    } catch (error) {
      if (isCancelledOrEnded(error)) throw error;
      const text = `This step cannot be looked at: ${sentenceOf(error)}`;
      this.options.listener.said(text);
      return { reason: 'pause', text: `${text} ${whereText(standing)}`, event: null, breakpoints: [] };
    }
  }

  async #breakpointAt(step: StepRecord, norms: boolean): Promise<Omit<Stop, 'standing'> | null> {
    if (this.#stopPoints.length === 0) return null;
    const scope = this.#scopeAt(step);
    const said = (text: string): void => this.options.listener.said(text);
    const hit: StepBreakpoint[] = [];
    const troubles: string[] = [];
    for (const point of this.#stopPoints) {
      try {
        const outcome = await point.at(scope);
        if (outcome?.kind === 'stop') hit.push(point);
        else if (outcome?.kind === 'say') said(outcome.text);
        else if (outcome?.kind === 'unknown' && (norms || !outcome.names.every((n) => weightReading.has(n))))
          said(
            `Whether ${point.text} cannot be told: ${outcome.names.join(' and ')} is not known at step ${step.step}.`,
          );
      } catch (error) {
        if (isCancelledOrEnded(error)) throw error;
        hit.push(point);
        troubles.push(`${point.text} cannot be told: ${sentenceOf(error)}`);
      }
    }
    if (hit.length === 0) return null;
    for (const trouble of troubles) said(trouble);
    const held = `${hit.map((point) => point.text).join(', ')} at step ${step.step}`;
    return {
      reason: 'breakpoint',
      text: troubles.length === 0 ? held : `Step ${step.step}: ${troubles.join(' ')}`,
      event: null,
      breakpoints: hit.map((point) => point.id),
    };
  }

  /** λ₁ is measured, and the bound asked for, once a step at most, and only where a condition comes to need it. */
  #scopeAt(step: StepRecord): Scope {
    let measured: Promise<LiveSharpness> | null = null;
    let status: ReturnType<TrainingConnection['status']> | null = null;
    return {
      values: withOtherNames<Scope['values'][string]>({
        ...stepValues(step, null, null),
        lambda1: async () => knownNumber((await (measured ??= this.measureSharpness())).lambda1),
        bound: async () => {
          const { optimizer } = await (status ??= this.connection.status({}));
          return stabilityBound(optimizer, knownNumber(step.learningRate)).bound;
        },
      }),
      functions: {},
    };
  }

  async #leftRange(): Promise<Pick<Stop, 'text' | 'breakpoints'> | null> {
    if (this.#norms.isEmpty) return null;
    const { parameters } = this.connection.description.objective;
    const weights = await this.statistics('current');
    const left = this.#norms.left(
      new Map(parameters.map(({ name }, i) => [name, wholeNorm(weights[i])] as const)),
    );
    if (left.length === 0) return null;
    return { text: left.map(leftSentence).join(' '), breakpoints: left.map(({ range }) => range.id) };
  }

  statistics(of: 'current' | 'gradient'): Promise<readonly ParameterStatistics[]> {
    return statisticsOf(this.connection, of);
  }

  /** Also inside of a step, where the update that may spoil the optimizer is still to come. */
  async #checkpoint({ step: count, place }: Pick<Standing, 'step' | 'place'>): Promise<void> {
    const step = this.#path.weightsOf(count);
    if (this.#checkpoints.some((point) => point.step === step)) return;
    const name = `step ${step}`;
    await this.connection.checkpoint({ name });
    this.#checkpoints.push({ name, step, place });
    const last = this.#checkpoints.slice(-MOST_CHECKPOINTS);
    await this.#dropCheckpoints((one) => !last.some((point) => point.step === one));
  }

  async #dropCheckpoints(isOld: (step: number) => boolean): Promise<void> {
    const names = this.#checkpoints.filter(({ step }) => isOld(step)).map(({ name }) => name);
    if (names.length === 0) return;
    this.#checkpoints = this.#checkpoints.filter(({ step }) => !isOld(step));
    await this.connection.forget({ names });
  }

  /** @param choose among the steps before the weights that stand */
  async #backTo(choose: (...steps: number[]) => number): Promise<void> {
    let standing = this.#required();
    if (standing.reason === 'ended')
      throw new BasinError('unsupported', 'The script is done.', 'Attach to its run to walk its snapshots.');
    const now = this.#path.weightsOf(standing.step);
    // The beginning of a step is before its inside.
    const inside =
      standing.place === 'gradient' ? this.#checkpoints.find((point) => point.step === now) : undefined;
    const kept = this.#checkpoints.map((point) => point.step);
    const before = [...new Set([...(await this.#snapshots()), ...kept])].filter(
      (step) => (step < now || inside?.step === step) && this.#path.has(step),
    );
    if (before.length === 0)
      throw new BasinError('not-found', 'These are the first weights of the run.', 'Step on instead.');
    standing = await this.#atBoundary();
    if (standing.reason === 'ended') return this.#endedInstead(standing);
    const to = choose(...before);
    let contents: CheckpointContents;
    try {
      // Its update is undone first: what it did to the optimizer, weights alone would not put right.
      if (inside !== undefined && to !== now) await this.#restore(now);
      contents = await this.#restore(to);
    } catch (error) {
      if (isCancelledOrEnded(error)) throw error;
      // Its update may have been made: this is another place than before.
      const why = `The weights of step ${to} cannot be put back: ${sentenceOf(error)}`;
      this.options.listener.said(why);
      return this.#stop(standing, { reason: 'step', text: `${why} ${whereText(standing)}` });
    }
    this.#path.jump(standing.step, to);
    await this.#dropCheckpoints((step) => !this.#path.has(step));
    this.#events.rewound(standing.step);
    this.#norms.rewound();
    this.#before = this.#lastSharpness = null;
    this.#standing = standing;
    const left = [...contents.notRestored, ...((await this.#isOneOfSeveral()) ? [OF_OTHERS] : [])];
    const missing = left.length === 0 ? '' : ` Not put back: ${left.join(', ')}.`;
    const undone = inside === undefined ? '' : ' The update of the step that was under way is undone.';
    const behind =
      this.#checkpoints.find((point) => point.step === to)?.place === 'gradient'
        ? ` Moving statistics and random streams are those behind that step's loss.`
        : '';
    const text =
      `Back at the weights of step ${to}: ${contents.restored.join(', ')}.${undone}${behind}${missing} ` +
      `Steps are counted on from ${standing.step}, and the run notes the jump.`;
    this.options.listener.stopped({ reason: 'back', text, standing, event: null, breakpoints: [] });
  }

  /** The process may be gone at once: what is said is heard in any case. */
  async #endedInstead(standing: Standing): Promise<void> {
    const text = 'That was the last step of the script: there is no place behind it to go back from.';
    this.options.listener.said(text);
    await this.#stop(standing, { reason: 'ended', text });
  }

  /** The gradient that waits belongs to these weights: it is applied before others are put there, or counted anew. */
  async #atBoundary(): Promise<Standing> {
    const from = this.#required();
    if (from.place === 'boundary') return from;
    const target = { place: 'boundary', step: from.step + 1 } as const;
    const { whenGone } = this.options;
    this.#standing = null;
    try {
      this.#standing = await this.connection.proceed({ target, norms: false, whenGone });
    } catch (error) {
      if (!isCancelledOrEnded(error)) this.#standing = from;
      throw error;
    }
    return this.#required();
  }

  /** Asked past the engine, the process would answer for a loss that is another one at each call. */
  async #requireReplay(): Promise<void> {
    refuseWhatDoesNotReplay(await this.run.readManifest(), this.connection.description.objectiveIndex);
  }

  async #isOneOfSeveral(): Promise<boolean> {
    return (await this.run.readManifest()).objectives.length > 1;
  }

  /** Steps that there are snapshots of, in order. */
  #snapshots(): Promise<number[]> {
    return snapshotSteps(this.run, this.connection.description.objectiveIndex);
  }

  async #restore(step: number): Promise<CheckpointContents> {
    const kept = this.#checkpoints.find((point) => point.step === step);
    if (kept !== undefined) return this.connection.rewind({ name: kept.name });
    const file = this.run.snapshotPath(step, this.connection.description.objectiveIndex);
    await this.connection.load({ into: 'debugger-back', from: { file } });
    return this.connection.assign({ vector: 'debugger-back', of: step });
  }
}

/** The next place to look at something on the way to a goal. */
function nextLook(from: Standing, goal: Target, objective: number): Target {
  // Where another objective stands, its steps say nothing of this one's: the next place of its own is looked at.
  if (from.values !== null && from.values.objective !== objective) return { place: 'gradient', step: 0 };
  const next = from.place === 'boundary' ? from.step : from.step + 1;
  const near = goal.place === 'boundary' && goal.step !== undefined && goal.step <= next;
  return near ? goal : { place: 'gradient', step: next };
}

type Why = Pick<Stop, 'reason' | 'text'>;

const pausedAt = (standing: Standing): Why => ({ reason: 'pause', text: whereText(standing) });

/** null where the goal is further on. */
function reached(goal: Target, standing: Standing, begunIn: number | null): Why | null {
  if (!isReached(goal, standing, begunIn)) return null;
  if (goal.epoch !== true) return { reason: 'step', text: whereText(standing) };
  return { reason: 'epoch', text: `Epoch ${begunIn ?? '?'} is over. ${whereText(standing)}` };
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
