/** Standing still inside of training on a debugger's word: who drives, where to stop next, and who is told of it. */
import { BasinError, toErrorData, type ErrorData } from '../../protocol/errors.ts';
import type { StepRecord } from '../../protocol/run.ts';
import {
  DRIVEN_CURE,
  type Standing,
  type StandingPlace,
  type StandingRequests,
  type Target,
  type WhenGone,
} from '../../protocol/standing.ts';

/** A stop that is shorter is not worth a line in the run's manifest. */
const BRIEF_MILLISECONDS = 300;

/** What standing needs of the process. */
export interface Ground {
  /** Answers whatever is asked until `done`, or the deadline on performance.now()'s clock. */
  serveUntil(done: () => boolean, deadline?: number): void;
  /** The run's state, for its manifest. */
  show(state: 'paused' | 'training'): void;
  answer(request: number, result: Standing): void;
  fail(request: number, error: ErrorData): void;
}

/** A point that training has reached, on the way of one objective. */
export interface Reached {
  readonly place: StandingPlace;
  readonly objective: number;
  readonly step: number;
  /** Made only where the process is going to stand. */
  values(): StepRecord | null;
  /** Epoch of the step under way; null where it is not known. */
  readonly epoch: number | null;
  /** Whether this objective has come only now: who drives another one is told of it. */
  readonly isNew?: boolean;
}

interface Proceeding {
  readonly request: number;
  readonly target: Target;
  readonly objective: number;
  /** Epoch when it began. */
  readonly epoch: number | null;
}

interface Driver {
  readonly connection: number;
  readonly objective: number;
  /** What people know it by. */
  name: string;
  whenGone: WhenGone;
  norms: boolean;
  layers: boolean;
}

export class Debuggee {
  private driver: Driver | null = null;
  private readonly pauses: number[] = [];
  private proceeding: Proceeding | null = null;
  private standing: Standing | null = null;
  private epoch: number | null = null;
  private entry: boolean;
  private stood = 0;
  private standsSince: number | null = null;
  /** Whether anyone has ever taken the wheel: from then on a first stop is theirs to end. */
  private met = false;
  /** Its debugger disappeared from where it stood, and wanted it to stand until another one comes. */
  private kept = false;
  /** Of a script that is done: told to whoever asks to stand or to go on. */
  private over: Standing | null = null;
  /** Whether the run's manifest says that it is paused. */
  private shown = false;

  /**
   * @param patience how long to stand before the first update until a debugger comes, in ms; null: not at all
   */
  constructor(
    private readonly ground: Ground,
    private readonly patience: number | null,
  ) {
    this.entry = patience !== null;
  }

  /** Whether training may go past its places without looking. */
  get idle(): boolean {
    return this.proceeding === null && this.pauses.length === 0 && !this.entry;
  }

  /** Whether weights are to be read at every step, whatever it costs. */
  get wantsLayers(): boolean {
    return this.driver?.layers === true;
  }

  get wantsNorms(): boolean {
    return this.driver?.norms === true;
  }

  get isStanding(): boolean {
    return this.standing !== null;
  }

  /** What people know the debugger by that has training in its hands; null where none has. */
  get drivenBy(): string | null {
    return this.driver?.name ?? null;
  }

  /** Whether a debugger has training in its hands, or is waited for. */
  get isDriven(): boolean {
    return this.driver !== null || this.kept;
  }

  /** performance.now() without the time that the process has stood. */
  get clock(): number {
    return (this.standsSince ?? performance.now()) - this.stood;
  }

  /** Only there may weights be written. @throws BasinError `not-allowed` */
  requireBoundary(): void {
    if (this.standing?.place === 'boundary') return;
    throw new BasinError(
      'not-allowed',
      this.standing === null
        ? 'Weights can be put back only while training stands still.'
        : 'The step is under way: its gradient would be applied to other weights.',
      this.standing === null ? 'Pause first.' : 'Let the update happen first (Step Over).',
    );
  }

  /** @throws BasinError `busy` where another client drives */
  pause(
    request: number,
    connection: number,
    objective: number,
    { whenGone, driver: name }: StandingRequests['pause']['params'],
  ): void {
    const driver = this.takeWheel(connection, objective);
    driver.whenGone = whenGone;
    driver.name = name ?? driver.name;
    const standing = this.over ?? this.standing;
    if (standing === null) this.pauses.push(request);
    else this.ground.answer(request, standing);
  }

  /** @throws BasinError `busy`, `bad-input` where training is on its way already */
  proceed(
    request: number,
    connection: number,
    objective: number,
    { target, norms, layers, whenGone }: StandingRequests['proceed']['params'],
  ): void {
    const driver = this.takeWheel(connection, objective);
    if (this.over !== null) return this.ground.answer(request, this.over);
    if (this.standing === null)
      throw new BasinError('bad-input', 'Training is on its way already.', 'Pause it first.');
    driver.whenGone = whenGone;
    driver.norms = norms;
    driver.layers = layers === true;
    this.proceeding = { request, target, objective, epoch: this.epoch };
    this.standing = null;
  }

  /** Lets training go on unattended. */
  detach(connection: number): void {
    if (this.driver?.connection === connection) this.letGo();
  }

  /** A client is gone. Training that is on its way goes on; where it stands, as its driver wanted. */
  closed(connection: number): void {
    if (this.driver?.connection !== connection) return;
    const stands = this.standing !== null || this.over !== null;
    const keeps = stands && this.driver.whenGone === 'hold';
    this.pauses.length = 0;
    if (!keeps) return this.letGo();
    this.driver = null;
    this.kept = true;
  }

  /** Training has come by a place; returns when it may go on. */
  reached(point: Reached): void {
    const reason = this.reasonToStand(point);
    // Every objective of a script passes here; the driver's alone says in which epoch training is.
    if (this.driver === null || this.driver.objective === point.objective)
      this.epoch = point.epoch ?? this.epoch;
    if (reason !== null) this.stand({ reason, ...placeOf(point), values: point.values() });
  }

  /**
   * The script is over. Whoever drives is told, and may ask on while the process is held.
   * @param why where it did not come to its end by itself
   */
  ended(point: Omit<Reached, 'objective'>, why: string | null): void {
    this.over = {
      reason: 'ended',
      ...placeOf(point),
      values: point.values(),
      ...(why === null ? {} : { why }),
    };
    this.tell(this.over);
  }

  /** Steps are counted from 0 from here on. @returns where it stands now */
  restarted(): Standing {
    this.standing = { reason: 'pause', place: 'boundary', step: 0, values: null };
    this.show('paused');
    return this.standing;
  }

  private show(state: 'paused' | 'training'): void {
    this.shown = state === 'paused';
    this.ground.show(state);
  }

  private reasonToStand({ place, objective, step, epoch, isNew }: Reached): Standing['reason'] | null {
    if (this.entry) {
      this.entry = false;
      return 'entry';
    }
    if (this.pauses.length > 0) return 'pause';
    const { proceeding } = this;
    if (proceeding === null) return null;
    if (proceeding.objective !== objective) return isNew === true ? 'steps' : null;
    const { target } = proceeding;
    if (target.epoch === true)
      return place === 'gradient' && epoch !== null && epoch !== proceeding.epoch ? 'epoch' : null;
    if (target.step === undefined) return null;
    // A step whose gradient was not seen is past: the next place counts.
    const missed = target.place === 'gradient' && place === 'boundary' && step > target.step;
    return missed || (place === target.place && step >= target.step) ? 'steps' : null;
  }

  private stand(standing: Standing): void {
    const began = performance.now();
    this.standsSince = began;
    /** When training begins without a debugger; null where there is, or has been, one. */
    const alone = (): number | null =>
      standing.reason === 'entry' && !this.met ? began + (this.patience ?? 0) : null;
    this.standing = standing;
    this.tell(standing);
    const done = (): boolean => this.standing === null || performance.now() >= (alone() ?? Infinity);
    this.ground.serveUntil(done, began + BRIEF_MILLISECONDS);
    if (!done()) {
      this.show('paused');
      while (!done()) this.ground.serveUntil(done, alone() ?? undefined);
    }
    if (this.shown) this.show('training');
    this.standing = null;
    this.standsSince = null;
    this.stood += performance.now() - began;
  }

  private tell(standing: Standing): void {
    for (const request of this.pauses.splice(0)) this.ground.answer(request, standing);
    if (this.proceeding !== null) this.ground.answer(this.proceeding.request, standing);
    this.proceeding = null;
  }

  private letGo(): void {
    for (const request of this.pauses.splice(0))
      this.ground.fail(request, toErrorData(new BasinError('cancelled', 'Cancelled.')));
    this.driver = null;
    this.kept = false;
    this.proceeding = null;
    this.standing = null;
  }

  private takeWheel(connection: number, objective: number): Driver {
    if (this.driver !== null && this.driver.connection !== connection)
      throw new BasinError('busy', `This process is driven by ${this.driver.name} already.`, DRIVEN_CURE);
    this.met = true;
    this.kept = false;
    this.driver ??= {
      connection,
      objective,
      name: 'another debugger',
      whenGone: 'continue',
      norms: false,
      layers: false,
    };
    return this.driver;
  }
}

function placeOf({ place, step }: Pick<Reached, 'place' | 'step'>): Pick<Standing, 'place' | 'step'> {
  return { place, step };
}
