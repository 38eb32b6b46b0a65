/**
 * The probe in a training process: tells objectives apart, has each of them recorded, and lets questions be answered
 * between their steps. Whatever goes wrong in here is noted and ends the recording; the script never sees it.
 */
import { openSync, closeSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import { BasinError } from '../../protocol/errors.ts';
import {
  CLAIM_FILE,
  LOADED_FILE,
  UNSEEN_FILE,
  UNSEEN_UPDATES,
  type ProbeOptions,
} from '../../protocol/launch.ts';
import { parseStartTime } from '../../protocol/processIdentity.ts';
import { encodeNumber, type RunState, type StepRecord } from '../../protocol/run.ts';
import type { Standing } from '../../protocol/standing.ts';
import { callSiteOf, captureStack } from './callSite.ts';
import {
  createCapture,
  observeStep,
  readLeaf,
  type Batch,
  type Capture,
  type HostTensor,
  type Observation,
} from './capture.ts';
import { frozenControl, FrozenObjective } from './frozenObjective.ts';
import { addToCheckpoints, completeCheckpoints, type Checkpoint } from './checkpoint.ts';
import { Debuggee } from './debuggee.ts';
import { createSession, type EvaluatorHost, type TrainingControl } from './handlers.ts';
import { beforeMoved, type EngineHooks, type Exports } from './hooks.ts';
import {
  layersContext,
  patchLayers,
  type FitCall,
  type TrainingTensors,
  type LayersContext,
  type LayersHooks,
} from './hooksLayers.ts';
import {
  patchOptimizers,
  type AppliedGradients,
  type Optimizer,
  type OptimizerHooks,
} from './hooksOptimizer.ts';
import { noteLayerClass } from './layers.ts';
import { safetensorsDtype } from './layout.ts';
import { ObjectiveRecorder, type RecordingEnvironment, type StepOfObjective } from './objectiveRecorder.ts';
import { Dispatcher } from './serve.ts';
import { ownFiles } from './sourceFiles.ts';
import { currentEngine, type Engine, type LayersModel, type Tensor, type Variable } from './tf.ts';
import { DatasetWanted, FitDataset } from './fitDataset.ts';
import { FitTensors, TrainingData } from './trainingData.ts';
import { WorkerLink } from './workerLink.ts';

/**
 * A gradient call as it comes: the variables asked for, and those of them that got a gradient, which tell objectives apart.
 * variableGrads without a list asks for every variable, an optimizer's own included.
 */
interface Entry {
  readonly asked: readonly Variable[];
  readonly moved: readonly Variable[];
  readonly index: number;
}

type GradientResult = ReturnType<Engine['gradients']>;

/** A first gradient whose application is waited for. */
interface AwaitedMove {
  readonly grads: GradientResult['grads'];
  readonly end: () => void;
}

const isDisposed = (grads: GradientResult['grads']): boolean =>
  grads.some((grad) => grad?.isDisposed === true);

export class Recorder implements EngineHooks, OptimizerHooks, LayersHooks {
  private readonly entries: Entry[] = [];
  /** By index; in evaluate mode none. */
  private readonly objectives: ObjectiveRecorder[] = [];
  private count = 0;
  private link: WorkerLink | null = null;
  private dispatcher: Dispatcher | null = null;
  private debuggee: Debuggee | null = null;
  private readonly checkpoints = new Map<string, Checkpoint>();
  /** Gradients of the step under way, while the process stands between them and their update. */
  private gradients: GradientResult['grads'] | null = null;
  /** Another process records this run, or recording has failed: training goes on alone. */
  private off = false;
  private held = false;
  private released = false;
  private watchNext = false;
  private firstStep: number | null = null;
  private failure: string | null = null;
  /** Whose gradients are being taken; null between, and where the script takes them by itself. */
  private optimizerAtWork: Optimizer | null = null;
  /** The objective whose first gradient is being looked at. */
  private newcomer: ObjectiveRecorder | null = null;
  /**
   * Objectives whose first gradient the script has taken itself, which may be one of several that make the update: they
   * stand where it is applied, or before the script moves the weights by hand.
   */
  private readonly awaited = new Map<ObjectiveRecorder, AwaitedMove>();
  /** Whose update is being made. */
  private updating: Optimizer | null = null;
  /** Updates before anything was recorded. */
  private unseen = 0;
  private readonly versions: Record<string, string> = { node: process.versions.node };
  private readonly calls = new WeakMap<LayersModel, Error>();
  private readonly validations = new WeakMap<LayersModel, NonNullable<FitCall['validation']>>();
  private readonly updates = new WeakMap<LayersModel, number>();
  private readonly trainings = new WeakMap<LayersModel, FitTensors | FitDataset>();
  /** Serves on where {@link freeze} was left to go through a data set. */
  private thaw: ((wanted: DatasetWanted) => Promise<never>) | null = null;

  /**
   * @param file the probe's own bundle, which is its worker too
   * @param version of Basin
   */
  constructor(
    private readonly options: ProbeOptions,
    private readonly file: string,
    version: string,
  ) {
    this.versions.probe = version;
  }

  /** A copy of TensorFlow.js was loaded. */
  patchModule(exports: Exports): void {
    this.guard(() => {
      patchLayers(exports, this);
      patchOptimizers(exports, this);
      noteLayerClass((exports.LayersModel as { prototype?: unknown } | undefined)?.prototype);
      const { version, version_core: core } = exports as {
        version?: Record<string, string>;
        version_core?: string;
      };
      const found = core ?? version?.['tfjs-core'];
      if (typeof found === 'string') this.versions.tfjs = found;
    });
  }

  loaded(): void {
    if (this.options.mode !== 'record') return;
    this.guard(() => {
      closeSync(openSync(join(this.options.runDirectory, LOADED_FILE), 'a'));
    });
  }

  step(
    engine: Engine,
    f: () => Tensor,
    asked: readonly Variable[],
    call: (f: () => Tensor) => GradientResult,
  ): GradientResult {
    if (this.off || this.held || this.dispatcher?.isAnswering === true) return call(f);
    const entered = performance.now();
    const prepared = this.guard(() => {
      for (const objective of this.objectives) {
        objective.settle(false);
        objective.refresh();
      }
      this.dispatcher?.poll();
      this.standAtBoundary(this.objectives);
      const entry = this.entries.find((one) => sameVariables(one.asked, asked));
      const known = entry === undefined ? null : (this.objectives[entry.index] ?? null);
      known?.begin(entered);
      const watch = this.watchNext || entry === undefined || known?.wantsObservation === true;
      this.watchNext = false;
      return { watch, before: entry === undefined ? readState(engine, asked) : null };
    });
    if (prepared === null) return call(f);
    const asking = performance.now();
    let result: GradientResult;
    let observation: Observation | null = null;
    if (prepared.watch) ({ result, observation } = observeStep(engine, f, call));
    else result = call(f);
    const answered = performance.now();
    this.guard(() => {
      const taken = this.after(engine, f, asked, result, observation, prepared.before);
      if (taken === null) return;
      const { objective, grads } = taken;
      if (this.newcomer === objective && objective.isTakenByScript) this.awaitMove(engine, objective, grads);
      else if (!objective.isWholeWhenApplied && !this.awaited.has(objective))
        this.standAtGradient(objective, grads);
      this.newcomer = null;
      objective.spent(performance.now() - answered + (asking - entered));
    });
    return result;
  }

  computing(optimizer: Optimizer | null): void {
    this.optimizerAtWork = optimizer;
  }

  applying(optimizer: Optimizer, gradients: AppliedGradients): void {
    if (this.off || this.dispatcher?.isAnswering === true) return;
    const started = performance.now();
    this.guard(() => {
      if (this.link === null) this.noteUnseen();
      for (const objective of this.objectives) {
        const { variables } = objective.capture;
        if (!variables.some((v) => gradients.has(v.name))) continue;
        const grads = variables.map((v) => gradients.get(v.name));
        objective.applying(optimizer, grads, () => callSiteOf(captureStack(), this.file));
        const awaited = this.awaited.get(objective);
        if (objective.isWholeWhenApplied) this.standAtGradient(objective, grads);
        // As at later steps: what was taken, whatever the script has made of it since (clipping).
        else if (awaited !== undefined)
          this.standAtGradient(objective, isDisposed(awaited.grads) ? grads : awaited.grads);
        objective.spent(performance.now() - started);
      }
      completeCheckpoints(this.checkpoints.values(), optimizer, (name) => gradients.has(name));
      this.updating = optimizer;
    });
  }

  made(variable: Variable): void {
    const { updating } = this;
    if (updating !== null && this.checkpoints.size > 0)
      this.guard(() => {
        addToCheckpoints(this.checkpoints.values(), updating, variable);
      });
  }

  /** Gradients are applied, and nobody has seen any being taken. */
  private noteUnseen(): void {
    if (this.options.mode !== 'record' || ++this.unseen !== UNSEEN_UPDATES) return;
    closeSync(openSync(join(this.options.runDirectory, UNSEEN_FILE), 'a'));
  }

  applied(done: boolean): void {
    this.updating = null;
    if (!done || this.off || this.dispatcher?.isAnswering === true) return;
    const started = performance.now();
    this.guard(() => {
      this.standAtBoundary(this.objectives.filter((objective) => objective.settle(true)));
    });
    const spent = performance.now() - started;
    for (const objective of this.objectives) objective.spent(spent);
  }

  entered(model: LayersModel): void {
    // A model's first call is its call site; a later fit from elsewhere is the same objective.
    if (!this.off && !this.calls.has(model)) this.calls.set(model, captureStack());
  }

  fitting({ model, updates, validation, training, dataset }: FitCall): void {
    if (this.off) return;
    this.guard(() => {
      if (training !== null) this.noteTraining(model, training);
      if (dataset !== null && this.willStand)
        this.trainings.set(model, new FitDataset(dataset, this.options.mode === 'evaluate'));
      if (updates !== null) this.updates.set(model, updates);
      if (validation !== null) this.validations.set(model, validation);
      const objective = this.objectiveOf(model);
      if (objective !== null && updates !== null) objective.expect(updates);
    });
  }

  /** A process that only trains is not asked to train more. */
  private get willStand(): boolean {
    return this.options.mode === 'evaluate' || this.options.holdSeconds > 0;
  }

  private noteTraining(model: LayersModel, training: TrainingTensors): void {
    if (!this.willStand) return;
    const noted = new FitTensors(training);
    // fit disposes of what it has made by itself (a split, a shape completed): a held process is asked behind its end.
    const engine = currentEngine();
    if (this.options.mode === 'record' && engine !== null) noted.read(engine);
    this.trainings.set(model, noted);
  }

  private trainingData(capture: Capture, data: (split: 'train') => readonly Batch[] | null): TrainingData {
    return new TrainingData(capture, data('train') ?? [], capture.model && this.trainings.get(capture.model));
  }

  fittingDataset(model: LayersModel, trained: Promise<unknown>): Promise<unknown> {
    if (this.options.mode !== 'evaluate') return trained;
    return trained
      .catch((error: unknown) => {
        if (error instanceof DatasetWanted && this.thaw !== null) return this.thaw(error);
        throw error;
      })
      .finally(() => {
        // Whatever trains the model from now on, this call cannot be left any more.
        this.trainings.delete(model);
      });
  }

  validating(model: LayersModel, data: readonly Tensor[]): void {
    if (this.off || this.dispatcher?.isAnswering === true || this.validations.has(model)) return;
    this.guard(() => {
      const objective = this.objectiveOf(model);
      if (objective?.wantsValidation === true) objective.validation(data, data[0]?.shape[0] ?? 1);
    });
  }

  disposing(variable: Variable): void {
    if (this.off || this.dispatcher?.isAnswering === true) return;
    this.guard(() => {
      for (const objective of this.objectives) {
        const { variables, state } = objective.capture;
        if (!variables.includes(variable) && !state.includes(variable)) continue;
        // A gradient that was only looked at: what comes now is no update.
        this.stopAwaiting(objective);
        objective.end();
      }
    });
  }

  /** Something was thrown that the script does not catch. */
  crashed(error: unknown): void {
    this.failure = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  }

  /** The process ends: the last snapshot, time for questions, and the run's final state. */
  exiting(code: number): void {
    const { link } = this;
    // A data set that never gives its next batch lets the event loop run dry.
    if (this.thaw !== null) endAtOnce();
    if (link === null || this.options.mode !== 'record') return;
    const failed = code !== 0;
    const reason = failed ? (this.failure ?? `The script exited with code ${code}.`) : null;
    this.guard(() => {
      const alive = this.objectives.filter((objective) => !objective.hasEnded);
      for (const objective of alive) objective.end();
      if (alive.length === 0 || link.failed) return;
      const [{ steps = 0, stepDone = null } = {}] = this.objectives;
      this.debuggee?.ended(
        { place: 'boundary', step: steps, epoch: null, values: () => written(stepDone) },
        reason,
      );
      if (this.options.holdSeconds > 0 && !failed)
        this.hold(link, () => false, performance.now() + 1000 * this.options.holdSeconds);
      // A debugger that is there may look at what a script has left that failed.
      else if (failed && this.debuggee?.isDriven === true)
        this.hold(link, () => this.debuggee?.isDriven !== true, Infinity, reason);
    });
    try {
      const state: RunState = failed ? 'failed' : 'finished';
      link.end({
        type: 'end',
        patch: {
          state,
          stateReason: reason,
          ended: new Date().toISOString(),
          process: { ...thisProcess(), exitCode: code },
        },
      });
    } catch {
      // Nothing is left that could be told of it.
    }
  }

  private hold(
    link: WorkerLink,
    forsaken: () => boolean,
    deadline: number,
    stateReason: string | null = null,
  ): void {
    this.held = true;
    link.post({ type: 'manifest', patch: { state: 'held', stateReason } });
    this.dispatcher?.serveUntil(() => this.released || link.failed || forsaken(), deadline);
    this.held = false;
  }

  /** @returns the objective that the gradient is of, and what it is for each of its capture's variables */
  private after(
    engine: Engine,
    f: () => Tensor,
    asked: readonly Variable[],
    { value, grads }: GradientResult,
    observation: Observation | null,
    before: ReadonlyMap<Variable, HostTensor> | null,
  ): { readonly objective: ObjectiveRecorder; readonly grads: GradientResult['grads'] } | null {
    const moved = grads.map((grad) => grad != null);
    if (value.size !== 1 || !moved.includes(true)) return null;
    const variables = asked.filter((_, i) => moved[i]);
    // What else was asked for says nothing: an optimizer that is made anew may bring variables of its own.
    let entry = this.entries.find((one) => sameSet(one.moved, variables));
    if (entry !== undefined && !this.entries.some((one) => sameVariables(one.asked, asked)))
      this.entries.push({ ...entry, asked: [...asked] });
    const context = layersContext();
    if (entry === undefined) {
      // Without an observation (variables that are known, gradients that are not) this step only shows that there is
      // an objective to watch for: the next one is its first.
      if (observation === null) {
        this.watchNext = true;
        return null;
      }
      entry = { asked: [...asked], moved: variables, index: this.count++ };
      this.entries.push(entry);
      this.meet(
        engine,
        f,
        variables,
        observation,
        before ?? new Map<Variable, HostTensor>(),
        context,
        entry.index,
      );
    }
    const objective = this.objectives[entry.index];
    if (objective === undefined) return null;
    const loss = readLoss(engine, value);
    const inOrder = sameVariables(entry.moved, variables)
      ? grads.filter((_, i) => moved[i])
      : entry.moved.map((v) => grads[asked.indexOf(v)]);
    objective.evaluated(loss, inOrder, context, observation, f, this.optimizerAtWork);
    const validation = context === null ? undefined : this.validations.get(context.model);
    if (validation !== undefined && objective.wantsValidation && objective.data('validation') === null) {
      objective.validation(validation.tensors, validation.batchSize);
    }
    return { objective, grads: inOrder };
  }

  /** An objective's first step. */
  private meet(
    engine: Engine,
    f: () => Tensor,
    variables: readonly Variable[],
    observation: Observation,
    before: ReadonlyMap<Variable, HostTensor>,
    context: LayersContext | null,
    index: number,
  ): void {
    const made = createCapture(engine, f, variables, observation, context);
    const capture: Capture = { ...made, state: made.state.filter((v) => safetensorsDtype(v.dtype) !== null) };
    noteLayerClass(capture.model);
    if (this.options.mode === 'evaluate') {
      if (index === this.options.objective) this.freeze(capture);
      return;
    }
    if (this.link === null && !this.startRecording(engine)) return;
    const called = context === null ? captureStack() : this.calls.get(context.model);
    const callSite = called === undefined ? null : callSiteOf(called, this.file);
    const objective = new ObjectiveRecorder(index, capture, this.environment(), context, callSite, before);
    this.objectives[index] = this.newcomer = objective;
    const updates = context === null ? undefined : this.updates.get(context.model);
    if (updates !== undefined) objective.expect(updates);
    if (index === 0) {
      this.link?.post({
        type: 'manifest',
        patch: {
          recording: {
            snapshotEvery: objective.every,
            weightsEvery: 1,
            layersEvery: objective.layersEvery,
            requestedEvery: this.options.every,
          },
        },
      });
      const model = context?.outer ?? capture.model;
      if (model !== null)
        this.link?.post({ type: 'topology', json: JSON.stringify(model.toJSON(null, false)) });
    }
  }

  /** @returns false when another process of the same command records already */
  private startRecording(engine: Engine): boolean {
    try {
      closeSync(openSync(join(this.options.runDirectory, CLAIM_FILE), 'wx'));
    } catch {
      this.off = true;
      return false;
    }
    this.firstStep = performance.now();
    const link = this.startWorker();
    link.post({
      type: 'manifest',
      patch: {
        state: 'training',
        stateReason: null,
        script: process.argv[1] ?? null,
        sources: ownFiles(process.argv[1], Object.keys(createRequire(this.file).cache)),
        versions: this.versions,
        framework: 'tfjs',
        backend: engine.backendName,
        process: { ...thisProcess(), exitCode: null },
      },
    });
    link.post({ type: 'listen', role: 'live' });
    const dispatcher = new Dispatcher(link, (objective) => createSession(this.liveHost(objective)));
    this.dispatcher = dispatcher;
    this.debuggee = new Debuggee(
      {
        serveUntil: (done, deadline) => {
          dispatcher.serveUntil(() => done() || link.failed, deadline);
        },
        show: (state) => {
          link.post({ type: 'manifest', patch: { state } });
        },
        answer: (request, result) => {
          link.post({ type: 'answer', request, result });
        },
        fail: (request, error) => {
          link.post({ type: 'failure', request, error });
        },
      },
      millisecondsToStand(this.options.standFirst),
    );
    dispatcher.setDebuggee(this.debuggee);
    return true;
  }

  private startWorker(): WorkerLink {
    this.link = new WorkerLink(this.file, this.options, () => {
      this.off = true;
    });
    return this.link;
  }

  private environment(): RecordingEnvironment {
    const { link, options } = this;
    if (link === null) throw new BasinError('internal', 'The worker was not started.');
    return {
      link,
      requestedEvery: options.every,
      everyStep: options.everyStep,
      evaluationSamples: options.evaluationSamples,
      now: () => this.seconds(),
    };
  }

  private seconds(): number {
    if (this.firstStep === null) return 0;
    return ((this.debuggee?.clock ?? performance.now()) - this.firstStep) / 1000;
  }

  private liveHost(index: number): EvaluatorHost {
    const objective = this.objectives[index];
    if (objective === undefined) {
      throw new BasinError('not-found', `This run has no objective ${index}.`);
    }
    if (objective.capture.variables.some((v) => v.isDisposed)) {
      throw new BasinError(
        'process-ended',
        'The script has disposed its model.',
        'Ask again when the run has ended: Basin starts the script anew.',
      );
    }
    let training: TrainingData | null = null;
    return {
      capture: objective.capture,
      get objective() {
        return objective.objectiveInfo;
      },
      objectiveIndex: index,
      role: 'live',
      versions: this.versions,
      data: (split) => objective.data(split),
      optimizer: () => objective.usedOptimizer,
      status: () => ({
        state: this.held ? 'held' : this.debuggee?.isStanding === true ? 'paused' : 'training',
        ...objective.status(),
        answeringSeconds: this.dispatcher?.answeringSeconds ?? 0,
        seconds: this.seconds(),
        driver: this.debuggee?.drivenBy ?? null,
      }),
      trainingData: () => {
        if (this.held) return (training ??= this.trainingData(objective.capture, (s) => objective.data(s)));
        throw new BasinError(
          'busy',
          'This process trains: Basin does not train on its data beside it.',
          'Wait until the run has ended; a process kept at its end (--hold) or started again answers.',
        );
      },
      resume: () => {
        this.released = true;
      },
      training: this.control(objective),
    };
  }

  private control(objective: ObjectiveRecorder): TrainingControl {
    return {
      gradient: () => {
        if (this.gradients === null || objective.stepUnderWay === null) {
          throw new BasinError(
            'not-allowed',
            'There is no gradient here: training does not stand inside of a step.',
            'Step into the next step first.',
          );
        }
        return flatGradient(objective.capture, this.gradients);
      },
      snapshot: (of) => objective.snapshot(of),
      requireBoundary: () => {
        this.debuggee?.requireBoundary();
      },
      optimizer: () => objective.nextOptimizer,
      rewound: (to) => {
        objective.rewound(to);
      },
      checkpoints: this.checkpoints,
      branch: (directory) => this.branch(objective, directory),
    };
  }

  /** What is there of every objective goes on in another run. */
  private branch(from: ObjectiveRecorder, directory: string): Standing {
    const { debuggee, link } = this;
    if (debuggee === null || link === null) throw new BasinError('internal', 'This process records nothing.');
    debuggee.requireBoundary();
    if (this.objectives.some((objective) => objective.hasEnded)) {
      throw new BasinError(
        'unsupported',
        'The script has disposed of a model: nothing goes on with it.',
        'Start the run again.',
      );
    }
    const step = from.steps;
    for (const objective of this.objectives) objective.close();
    const now = new Date().toISOString();
    link.post({
      type: 'branch',
      directory,
      last: {
        state: 'finished',
        stateReason: null,
        ended: now,
        successor: { run: basename(directory), step },
      },
      first: { process: { ...thisProcess(), exitCode: null } },
    });
    this.firstStep = debuggee.clock;
    this.checkpoints.clear();
    for (const objective of this.objectives) objective.reopen();
    return debuggee.restarted();
  }

  /** Between two steps: the last updates of these objectives are done. */
  private standAtBoundary(objectives: readonly ObjectiveRecorder[]): void {
    const { debuggee } = this;
    if (debuggee === null || debuggee.idle) return;
    for (const objective of objectives) {
      if (objective.stepUnderWay !== null || objective.stepDone === null) continue;
      const { index, steps, stepDone } = objective;
      debuggee.reached({
        place: 'boundary',
        objective: index,
        step: steps,
        epoch: stepDone.epoch,
        values: () => written(stepDone),
      });
      objective.readEveryStep = debuggee.wantsNorms;
      objective.layersEveryStep = debuggee.wantsLayers;
    }
  }

  /** @param grads its first gradient, which is looked at where the script itself moves the weights by it */
  private awaitMove(engine: Engine, objective: ObjectiveRecorder, grads: GradientResult['grads']): void {
    if (this.debuggee === null || this.debuggee.idle) return;
    const end = beforeMoved(engine, new Set(objective.capture.variables), () => {
      if (this.dispatcher?.isAnswering === true) return;
      this.guard(() => {
        // What the script has disposed of cannot be shown any more: it stands behind its update then.
        if (isDisposed(grads)) this.stopAwaiting(objective);
        else this.standAtGradient(objective, grads);
      });
    });
    this.awaited.set(objective, { grads, end });
  }

  /** @returns whether it was waited for */
  private stopAwaiting(objective: ObjectiveRecorder): boolean {
    this.awaited.get(objective)?.end();
    return this.awaited.delete(objective);
  }

  /**
   * The gradient is there, and nothing has applied it.
   * @param grads for each of the capture's variables; nothing stands for zero
   */
  private standAtGradient(objective: ObjectiveRecorder, grads: GradientResult['grads']): void {
    const isNew = this.stopAwaiting(objective) || this.newcomer === objective;
    const { debuggee } = this;
    if (debuggee === null || debuggee.idle) return;
    const { stepUnderWay } = objective;
    if (stepUnderWay === null) return;
    this.gradients = grads;
    // Before the debugger hears of this step: it may ask which layer a loss spike began in.
    objective.postLayers();
    debuggee.reached({
      place: 'gradient',
      objective: objective.index,
      step: objective.steps,
      epoch: stepUnderWay.epoch,
      values: () => written(stepUnderWay),
      isNew,
    });
    this.gradients = null;
    objective.readEveryStep = debuggee.wantsNorms;
    objective.layersEveryStep = debuggee.wantsLayers;
  }

  /**
   * Stands still before the objective's first update for as long as there are questions. Never returns.
   * @throws DatasetWanted to leave the training call, whose promise then stays open: {@link thaw} serves on
   */
  private freeze(capture: Capture): void {
    this.firstStep = performance.now();
    const link = this.startWorker();
    const serve = (dispatcher: Dispatcher): DatasetWanted | null => {
      try {
        dispatcher.serveUntil(() => this.released || link.failed);
      } catch (error) {
        if (error instanceof DatasetWanted) return error;
        throw error;
      }
      link.end({ type: 'end', patch: null });
      return null;
    };
    let wanted: DatasetWanted | null = null;
    try {
      const frozen = new FrozenObjective(this.options, capture);
      let training: TrainingData | null = null;
      const dispatcher: Dispatcher = new Dispatcher(link, (index) => {
        if (index !== this.options.objective) {
          throw new BasinError('bad-input', `This process is frozen at objective ${this.options.objective}.`);
        }
        return createSession({
          capture,
          objective: frozen.objective(),
          objectiveIndex: index,
          role: 'frozen',
          versions: this.versions,
          data: (split) => frozen.data(split),
          optimizer: () => null,
          trainingData: () => (training ??= this.trainingData(capture, (s) => frozen.data(s))),
          status: () => ({
            state: 'frozen',
            step: 0,
            learningRate: null,
            optimizer: frozen.objective().optimizer,
            answeringSeconds: dispatcher.answeringSeconds,
            seconds: this.seconds(),
            driver: null,
          }),
          resume: () => {
            this.released = true;
          },
          training: frozenControl(),
        });
      });
      this.dispatcher = dispatcher;
      link.post({ type: 'listen', role: 'frozen' });
      this.thaw = async ({ dataset }) => {
        try {
          await dataset.read();
          dispatcher.answerWaiting();
          serve(dispatcher);
        } finally {
          endAtOnce();
        }
        return new Promise<never>(() => undefined);
      };
      wanted = serve(dispatcher);
    } finally {
      if (wanted === null) endAtOnce();
    }
    throw wanted;
  }

  private objectiveOf(model: LayersModel): ObjectiveRecorder | null {
    return this.objectives.find((objective) => objective.capture.model === model) ?? null;
  }

  /** Nothing that the probe does may reach the script: null when it failed, or has before. */
  private guard<T>(work: () => T): T | null {
    if (this.off) return null;
    try {
      const result = work();
      if (this.link?.failed === true) this.off = true;
      return result;
    } catch (error) {
      if (error instanceof DatasetWanted) throw error;
      this.off = true;
      try {
        const text = error instanceof Error ? error.message : String(error);
        this.link?.post({ type: 'note', text: `Recording stopped at a fault of Basin's own: ${text}` });
      } catch {
        // The worker is gone as well.
      }
      return null;
    }
  }
}

/** A process that was launched to stand at its first step waits so long for its debugger, then trains alone. */
const ENTRY_MILLISECONDS = 60_000;

function millisecondsToStand(word: ProbeOptions['standFirst']): number | null {
  if (word === false) return null;
  return word === 'for-good' ? Infinity : ENTRY_MILLISECONDS;
}

/** Not process.exit: the script's own exit handlers would save a model that was never trained. */
function endAtOnce(): never {
  return (process as unknown as { reallyExit(code: number): never }).reallyExit(0);
}

function sameSet(a: readonly Variable[], b: readonly Variable[]): boolean {
  return sameVariables(a, b) || (a.length === b.length && a.every((v) => b.includes(v)));
}

function sameVariables(a: readonly Variable[], b: readonly Variable[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Values of the variables that a forward pass may move: those that are not trained. */
function readState(engine: Engine, asked: readonly Variable[]): ReadonlyMap<Variable, HostTensor> {
  const state = new Map<Variable, HostTensor>();
  for (const variable of Object.values(engine.registeredVariables)) {
    if (variable.trainable || asked.includes(variable) || safetensorsDtype(variable.dtype) === null) continue;
    state.set(variable, readLeaf(engine, variable));
  }
  return state;
}

/** The gradient of the captured variables; zero where the loss does not reach one. */
function flatGradient({ engine, variables }: Capture, grads: GradientResult['grads']): Float32Array {
  const values = new Float32Array(variables.reduce((n, v) => n + v.size, 0));
  let offset = 0;
  variables.forEach((v, i) => {
    const gradient = grads[i];
    if (gradient != null) values.set(readLeaf(engine, gradient).values, offset);
    offset += v.size;
  });
  return values;
}

/** A step as the run has it in its file. */
function written(step: StepOfObjective | null): StepRecord | null {
  if (step === null) return null;
  const { found, nonFinite: _, ...numbers } = step;
  const number = (x: number | null) => (x === null ? null : encodeNumber(x));
  return {
    ...numbers,
    ...(found === null ? {} : { nonFinite: found }),
    loss: encodeNumber(numbers.loss),
    learningRate: number(numbers.learningRate),
    gradientNorm: number(numbers.gradientNorm),
    updateNorm: number(numbers.updateNorm),
    distance: number(numbers.distance),
  };
}

function readLoss(engine: Engine, value: Tensor): number {
  const backend = engine.state.tensorInfo.get(value.dataId)?.backend ?? engine.backend;
  return backend.readSync(value.dataId)[0] ?? NaN;
}

function thisProcess(): { pid: number; startTime: string | null } {
  let startTime: string | null = null;
  try {
    startTime = parseStartTime(readFileSync('/proc/self/stat', 'utf8'));
  } catch {
    // Not Linux.
  }
  return { pid: process.pid, startTime };
}
