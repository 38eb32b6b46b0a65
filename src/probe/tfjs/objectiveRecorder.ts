/**
 * Records one objective: what each of its updates was, and what it did to the weights.
 *
 * A step begins with a gradient (observe the batch, read loss and norms at the weights θ_k) and ends when the weights
 * have moved (settle). Gradients at weights that have not moved since the last one belong to the same update:
 * accumulated gradients are one step.
 */
import { evaluationSetFile } from '../../protocol/evaluationSet.ts';
import { BasinError } from '../../protocol/errors.ts';
import type { EvaluatorStatus } from '../../protocol/evaluator.ts';
import type { NonFinite, ObjectiveInfo } from '../../protocol/run.ts';
import { ReadingBudget } from './budget.ts';
import type { CallSite } from './callSite.ts';
import type { Batch, Capture, HostTensor, Observation } from './capture.ts';
import { readLeaf } from './capture.ts';
import type { OutgoingTensor, StepNumbers } from './channel.ts';
import { EvaluationCollector } from './evaluationCollector.ts';
import { encodeEvaluationSet } from './evaluationSetFile.ts';
import { compiled } from './layers.ts';
import { epochOf, type LayersContext } from './hooksLayers.ts';
import { LearningRate, describeOptimizer, isOptimizer, type Optimizer } from './hooksOptimizer.ts';
import { LayerStatistics } from './layerStatistics.ts';
import { describeParameters, safetensorsDtype } from './layout.ts';
import { originInForward, parametersNotFinite } from './nonFinite.ts';
import { replay } from './replay.ts';
import { ReplayCheck } from './replayCheck.ts';
import { planSketch, type SketchPlan } from './sketchCoordinates.ts';
import { SnapshotSchedule } from './snapshotSchedule.ts';
import type { DataId, Engine, Tensor, Variable } from './tf.ts';
import { copyValues, createWeightReader, type Held, type WeightReader } from './weightReader.ts';
import type { WorkerLink } from './workerLink.ts';

/** What the recorder of the process gives to that of an objective. */
export interface RecordingEnvironment {
  readonly link: WorkerLink;
  readonly requestedEvery: number | null;
  readonly everyStep: boolean;
  readonly evaluationSamples: number;
  /** Seconds since the run's first step. */
  now(): number;
}

/** Numbers of a gradient whose update has not happened yet. */
interface Pending {
  readonly dataIds: readonly DataId[];
  loss: number;
  /** Gradients taken at the same weights. */
  evaluations: number;
  samples: number | null;
  readonly epoch: number | null;
  gradientNorm: number | null;
  readonly updateNorm: number | null;
  readonly distance: number | null;
  readonly sketch: Float32Array | null;
  /** Each parameter's own numbers, where they were read. */
  layers: Float32Array | null;
  nonFinite: NonFinite | null;
  readonly time: number;
}

/** A step's numbers, and where NaN began in it. */
export type StepOfObjective = StepNumbers & { readonly found: NonFinite | null };

/** Records of layers.bin on their way to the worker: so many, or for so long. */
const LAYER_RECORDS = 32;
const LAYER_MILLISECONDS = 100;

export class ObjectiveRecorder {
  /** Weights are read at every step: a debugger looks at each of them. */
  readEveryStep = false;
  /** So are each parameter's own numbers. */
  layersEveryStep = false;
  private lastStep: StepOfObjective | null = null;
  private schedule: SnapshotSchedule;
  private readonly budget: ReadingBudget;
  private readonly evaluation: EvaluationCollector;
  private readonly replayCheck = new ReplayCheck();
  private readonly rate = new LearningRate();
  private readonly sketch: SketchPlan;
  private readonly statistics: LayerStatistics;
  private layerRecords: { readonly step: number; readonly values: Float32Array }[] = [];
  private layersPosted = 0;
  /** Something was not finite at the last step that was looked at: it is told once. */
  private alarmed = false;
  private reader: WeightReader;
  private start: Held;
  private previous: { readonly step: number; readonly held: Held } | null = null;
  private pending: Pending | null = null;
  private updates = 0;
  private optimizer: Optimizer | null = null;
  /** The one that is going to make the next update, where that is known before and is another. */
  private foreseen: Optimizer | null = null;
  /** Several gradients have been taken for one update: when the last of them is there, only the update tells. */
  private accumulates = false;
  /** Whether updates are seen in an optimizer: then only those count as steps. */
  private seenApplying = false;
  private takenByScript = false;
  private learningRate: number | null = null;
  private snapshotAt: { readonly step: number; readonly dataIds: readonly DataId[] } | null = null;
  private lastBegin: number | null = null;
  private ownTime = 0;
  private batchesWritten = 0;
  private info: ObjectiveInfo;
  private ended = false;

  /**
   * @param before values of state variables from before the first step's forward pass, which moves batch-norm averages
   */
  constructor(
    readonly index: number,
    readonly capture: Capture,
    private readonly environment: RecordingEnvironment,
    context: LayersContext | null,
    callSite: CallSite | null,
    before: ReadonlyMap<Variable, HostTensor>,
  ) {
    const { variables, state } = capture;
    const bytes = [...variables, ...state].reduce((sum, v) => sum + 4 * v.size, 0);
    this.schedule = new SnapshotSchedule(environment.requestedEvery, bytes);
    this.budget = new ReadingBudget(environment.everyStep);
    this.evaluation = new EvaluationCollector(environment.evaluationSamples);
    this.sketch = planSketch(variables.map((v) => v.size));
    this.reader = createWeightReader(capture.engine, variables);
    this.start = this.reader.hold(variables);
    this.info = this.describe(context, callSite);
    this.statistics = new LayerStatistics(this.info.parameters);
    this.publish();
    this.writeSnapshot(0, { before });
  }

  get every(): number {
    return this.schedule.every;
  }

  get weightsEvery(): number {
    return this.budget.every;
  }

  get layersEvery(): number {
    return this.budget.layersEvery;
  }

  get steps(): number {
    return this.updates;
  }

  /** The optimizer of the last update; null when none was seen. */
  get usedOptimizer(): Optimizer | null {
    return this.optimizer;
  }

  /** The optimizer of the next update, where it is known; else that of the last one. */
  get nextOptimizer(): Optimizer | null {
    return this.foreseen ?? this.optimizer;
  }

  /** Whether the gradient of the step under way is whole when its optimizer applies it, and not before. */
  get isWholeWhenApplied(): boolean {
    return this.accumulates && this.seenApplying;
  }

  /** Whether the script takes gradients by itself, so that one of them may be a part of an update's. */
  get isTakenByScript(): boolean {
    return this.takenByScript;
  }

  get objectiveInfo(): ObjectiveInfo {
    return this.info;
  }

  data(split: 'train' | 'validation'): readonly Batch[] | null {
    const batches = split === 'train' ? this.evaluation.train : this.evaluation.valid;
    return batches.length === 0 ? null : batches;
  }

  status(): Pick<EvaluatorStatus, 'step' | 'learningRate' | 'optimizer'> {
    return { step: this.updates, learningRate: this.learningRate, optimizer: this.info.optimizer };
  }

  /** Whether the next step's closure should be watched: for its batch, or to check that it replays. */
  get wantsObservation(): boolean {
    return !this.ended && (this.evaluation.open || this.replayCheck.open);
  }

  /** A training call tells how many updates it will make. */
  expect(updates: number): void {
    const drop = this.schedule.expect(this.updates + updates);
    if (drop.length > 0) {
      this.environment.link.post({
        type: 'drop',
        objective: this.index,
        steps: drop,
        every: this.schedule.every,
      });
    }
  }

  /** A step of this objective begins: time since the last one is training's. */
  begin(now: number): void {
    if (this.lastBegin !== null) {
      const changed = this.budget.step(now - this.lastBegin - this.ownTime);
      if (changed) {
        this.environment.link.post({
          type: 'manifest',
          patch:
            this.index === 0
              ? { recording: { weightsEvery: this.weightsEvery, layersEvery: this.layersEvery } }
              : {},
        });
      }
    }
    this.lastBegin = now;
    this.ownTime = 0;
  }

  /** Milliseconds that the probe itself has taken since {@link begin}. */
  spent(milliseconds: number): void {
    this.ownTime += milliseconds;
  }

  /**
   * A gradient was taken at the present weights, which have not moved yet.
   * @param grads one for each of the capture's variables
   * @param observation what the closure read, when it was watched
   * @param f the closure itself
   * @param taker the optimizer that takes the gradient, which it will apply; null where the script takes it
   */
  evaluated(
    loss: number,
    grads: readonly (Tensor | null | undefined)[],
    context: LayersContext | null,
    observation: Observation | null,
    f: () => Tensor,
    taker: Optimizer | null,
  ): void {
    if (this.ended) return;
    const { variables, engine } = this.capture;
    const samples = context?.data[0]?.shape[0] ?? null;
    this.foresee(context === null || this.optimizer !== null ? taker : compiled(context.model).optimizer);
    if (observation !== null) this.observe(loss, observation);
    if (this.pending !== null && !this.moved(this.pending.dataIds)) {
      // One more gradient before the update: their mean is the step's loss.
      const { evaluations } = this.pending;
      this.accumulates = true;
      // Of its gradient the update tells, which all of them go into.
      const lost = { grads, gradientNorm: null, distance: null };
      if (!Number.isFinite(loss)) this.pending.nonFinite ??= this.nonFinite(this.updates, loss, lost, f);
      this.pending.loss = (this.pending.loss * evaluations + loss) / (evaluations + 1);
      this.pending.evaluations++;
      this.pending.gradientNorm = null;
      // Those of the parameters are those of one of the gradients alone.
      this.pending.layers = null;
      this.statistics.forget();
      this.pending.samples = this.pending.samples === null ? null : this.pending.samples + (samples ?? 0);
      return;
    }
    const step = this.updates;
    if (step === 0) this.takenByScript = context === null && taker === null;
    const read = this.readEveryStep || this.budget.due(step);
    const started = performance.now();
    let gradientNorm: number | null = null;
    let updateNorm: number | null = null;
    let distance: number | null = null;
    let sketch: Float32Array | null = null;
    let layers: Float32Array | null = null;
    this.checkBackend(engine);
    let readLayers = 0;
    if (read) {
      const squaredGradients = this.reader.squaredNorms(grads);
      const before = this.previous?.step === step - 1 ? this.previous.held : null;
      const squaredUpdates = before === null ? null : this.reader.squaredDistances(variables, before);
      gradientNorm = Math.sqrt(total(squaredGradients));
      if (squaredUpdates !== null) updateNorm = Math.sqrt(total(squaredUpdates));
      distance = step === 0 ? 0 : Math.sqrt(total(this.reader.squaredDistances(variables, this.start)));
      sketch = this.reader.gather(variables, this.sketch.coordinates);
      const { scale } = this.sketch;
      for (let i = 0; i < sketch.length; i++) sketch[i] = (sketch[i] as number) * scale;
      if (this.layersEveryStep || this.budget.dueLayers(step)) {
        const began = performance.now();
        layers = this.statistics.read(this.reader, {
          step,
          weights: variables,
          gradients: grads,
          squaredGradients,
          squaredUpdates,
        });
        readLayers = performance.now() - began;
      }
    }
    if (this.readEveryStep || this.budget.due(step + 1)) {
      this.previous = { step, held: this.reader.hold(variables, this.previous?.held) };
    }
    if (read) this.budget.cost(performance.now() - started - readLayers);
    if (this.layersEveryStep || this.budget.dueLayers(step + 1)) {
      const began = performance.now();
      this.statistics.remember(this.reader, step, grads);
      readLayers += performance.now() - began;
    }
    if (layers !== null) this.budget.costLayers(readLayers);
    const nonFinite = this.nonFinite(step, loss, { grads, gradientNorm, distance }, f);
    this.pending = {
      dataIds: variables.map((v) => v.dataId),
      loss,
      evaluations: 1,
      samples: samples ?? (observation === null ? this.capture.samples : this.observedSamples),
      epoch: context === null ? null : epochOf(context.model),
      gradientNorm,
      updateNorm,
      distance,
      sketch,
      layers,
      nonFinite,
      time: this.environment.now(),
    };
  }

  /** What is not finite at this step, when it was at the step before. */
  private nonFinite(
    step: number,
    loss: number,
    read: {
      readonly grads: readonly (Tensor | null | undefined)[];
      readonly gradientNorm: number | null;
      readonly distance: number | null;
    },
    f: (() => Tensor) | null,
  ): NonFinite | null {
    const suspect = [loss, read.gradientNorm ?? 0, read.distance ?? 0].some((x) => !Number.isFinite(x));
    if (!suspect || this.alarmed) {
      // A step whose weights were not read tells nothing of them.
      if (!suspect && read.distance !== null) this.alarmed = false;
      return null;
    }
    const { parameters } = this.info;
    const { variables } = this.capture;
    const weights = parametersNotFinite(this.reader, parameters, variables);
    this.alarmed = true;
    if (weights !== null) return { what: 'weights', began: Math.max(0, step - 1), ...weights };
    if (!Number.isFinite(loss)) {
      let origin: ReturnType<typeof originInForward> = null;
      try {
        if (f !== null) origin = originInForward(this.capture, f, parameters);
      } catch {
        // A closure that cannot be run twice: where in it is not known.
      }
      const place = origin === null ? null : { parameter: origin.parameter, layer: origin.layer };
      const operation = origin?.operation ?? null;
      const cameIn = origin?.cameIn === true ? { cameIn: true } : {};
      return { what: 'forward', began: step, parameters: 0, first: place, last: place, operation, ...cameIn };
    }
    const gradients = parametersNotFinite(this.reader, parameters, read.grads);
    // Norms can overflow where no value has.
    this.alarmed = gradients !== null;
    return gradients === null ? null : { what: 'gradient', began: step, ...gradients };
  }

  /** The optimizer that a model is compiled with, or that takes the gradient itself, is known before its first update. */
  private foresee(optimizer: unknown): void {
    if (!isOptimizer(optimizer) || optimizer === this.nextOptimizer) return;
    this.foreseen = optimizer;
    this.learningRate = this.rate.read(optimizer);
    this.info = { ...this.info, optimizer: describeOptimizer(optimizer) };
    this.publish();
  }

  /**
   * An optimizer is about to move these variables.
   * @param grads what it is given for each of the capture's variables; nothing for those that it does not move
   * @param site where the script has it do so: the line that takes the step, where the script takes gradients by itself
   */
  applying(
    optimizer: Optimizer,
    grads: readonly (Tensor | null | undefined)[],
    site: () => CallSite | null,
  ): void {
    const { pending } = this;
    if (this.ended || pending === null) return;
    if (!this.seenApplying && this.takenByScript)
      this.info = { ...this.info, callSite: site() ?? this.info.callSite };
    this.seenApplying = true;
    this.learningRate = this.rate.read(optimizer);
    if (pending.evaluations > 1) this.readWhole(pending, grads);
    const known = this.nextOptimizer;
    this.optimizer = optimizer;
    this.foreseen = null;
    if (known === optimizer) return;
    this.info = { ...this.info, optimizer: describeOptimizer(optimizer) };
    this.publish();
  }

  /** The gradients of several batches have become one, which is the step's. */
  private readWhole(pending: Pending, grads: readonly (Tensor | null | undefined)[]): void {
    const step = this.updates;
    if (!this.readEveryStep && !this.budget.due(step)) return;
    const started = performance.now();
    const gradientNorm = Math.sqrt(total(this.reader.squaredNorms(grads)));
    this.budget.cost(performance.now() - started);
    pending.gradientNorm = gradientNorm;
    pending.nonFinite ??= this.nonFinite(step, pending.loss, { grads, gradientNorm, distance: null }, null);
  }

  /**
   * Ends the step if the weights have moved since its gradient was taken.
   * @param applied whether an optimizer has just done so
   * @returns whether it has ended
   */
  settle(applied: boolean): boolean {
    const { pending } = this;
    if (this.ended || pending === null || (this.seenApplying && !applied) || !this.moved(pending.dataIds))
      return false;
    this.pending = null;
    const { link } = this.environment;
    const step = this.updates++;
    const { nonFinite } = pending;
    if (nonFinite !== null) link.post({ type: 'nonFinite', objective: this.index, step, found: nonFinite });
    this.lastStep = this.numbers(step, pending);
    link.pushStep(this.lastStep);
    if (pending.layers !== null) {
      this.layerRecords.push({ step, values: pending.layers });
      const waited = performance.now() - this.layersPosted;
      if (waited > LAYER_MILLISECONDS || this.layerRecords.length >= LAYER_RECORDS) this.postLayers();
    }
    if (pending.sketch !== null) link.pushSketch({ step, objective: this.index, values: pending.sketch });
    if (this.schedule.due(this.updates)) this.writeSnapshot(this.updates);
    return true;
  }

  /** The step whose gradient waits for its update, with the learning rate that it will have; null between two steps. */
  get stepUnderWay(): StepOfObjective | null {
    if (this.pending === null) return null;
    const next = this.nextOptimizer;
    if (next !== null) this.learningRate = this.rate.read(next);
    return this.numbers(this.updates, this.pending);
  }

  /** The last step that is done; null before any. */
  get stepDone(): StepOfObjective | null {
    return this.lastStep;
  }

  private numbers(step: number, pending: Pending): StepOfObjective {
    const { epoch, loss, gradientNorm, updateNorm, distance, time, samples, nonFinite } = pending;
    return {
      step,
      objective: this.index,
      epoch,
      loss,
      learningRate: this.learningRate,
      gradientNorm,
      updateNorm,
      distance,
      time,
      samples,
      nonFinite: nonFinite !== null,
      found: nonFinite,
    };
  }

  /**
   * Writes the present weights as a snapshot that no thinning takes.
   * @param of the step that they are of, where they were put back
   * @returns its step
   */
  snapshot(of = this.updates): number {
    if (this.ended) {
      throw new BasinError(
        'unsupported',
        'Recording has ended: the last snapshot has these weights.',
        'Ask for --at last.',
      );
    }
    this.postSnapshot(of, []);
    return of;
  }

  /** Someone has put other weights into the model. @param to the step that they are of */
  rewound(to: number): void {
    this.previous = null;
    this.snapshotAt = null;
    this.note(`At step ${this.updates} the weights were put back to those of step ${to} by the debugger.`);
    this.statistics.forget();
  }

  /** Hands over what was read of the parameters, for whoever reads the run at this moment. */
  postLayers(): void {
    const records = this.layerRecords;
    if (records.length === 0) return;
    this.layerRecords = [];
    this.layersPosted = performance.now();
    this.environment.link.post(
      { type: 'layers', objective: this.index, records },
      records.map(({ values }) => values.buffer as ArrayBuffer),
    );
  }

  /** Before anything new happens to the model: a snapshot whose weights the script has touched since (clipping). */
  refresh(): void {
    const { snapshotAt } = this;
    if (this.ended || snapshotAt === null || snapshotAt.step !== this.updates || this.pending !== null)
      return;
    if (this.moved(snapshotAt.dataIds)) this.writeSnapshot(this.updates);
    this.snapshotAt = null;
  }

  /** Validation data of the training call, as tensors. */
  validation(tensors: readonly Tensor[], batchSize: number): void {
    if (this.ended || !this.evaluation.validationOpen || this.evaluation.train.length === 0) return;
    const hosts = tensors.map((tensor) => readLeaf(this.capture.engine, tensor));
    if (!this.evaluation.addValidation(this.capture, hosts, batchSize)) {
      this.note('The validation data was left out: the loss also reads tensors of its own for each sample.');
      return;
    }
    this.writeEvaluationSet('validation');
  }

  get wantsValidation(): boolean {
    return !this.ended && this.evaluation.validationOpen;
  }

  /** The last snapshot, and what was collected; nothing is recorded afterwards. */
  end(): void {
    if (this.ended) return;
    this.settle(true);
    this.close();
    this.ended = true;
  }

  /** The run's last words of this objective. */
  close(): void {
    if (this.capture.variables.every((v) => !v.isDisposed)) {
      this.writeSnapshot(this.updates, { last: true });
    }
    if (this.evaluation.train.length > this.batchesWritten) this.writeEvaluationSet('train');
    this.postLayers();
  }

  /** Another run begins at the present weights. */
  reopen(): void {
    const { variables, state, engine } = this.capture;
    const bytes = [...variables, ...state].reduce((sum, v) => sum + 4 * v.size, 0);
    this.schedule = new SnapshotSchedule(this.environment.requestedEvery, bytes);
    this.updates = 0;
    this.lastStep = null;
    this.alarmed = false;
    this.checkBackend(engine);
    this.start = this.reader.hold(variables);
    this.previous = null;
    this.snapshotAt = null;
    this.batchesWritten = 0;
    this.statistics.forget();
    // The data are those of the run before, and their losses belong to weights that this one has no snapshot of.
    this.evaluation.restamp((batch) => {
      try {
        return replay(this.capture, batch);
      } catch {
        // What does not replay is refused by name when it is asked for.
        return batch.loss;
      }
    });
    this.publish();
    if (this.index === 0) {
      const { weightsEvery, layersEvery, every } = this;
      this.environment.link.post({
        type: 'manifest',
        patch: { recording: { snapshotEvery: every, weightsEvery, layersEvery } },
      });
    }
    this.writeSnapshot(0);
    this.writeEvaluationSet('train');
    this.writeEvaluationSet('validation');
  }

  get hasEnded(): boolean {
    return this.ended;
  }

  private observedSamples: number | null = null;

  private observe(loss: number, observation: Observation): void {
    const fits = observation.leaves.length === this.capture.leaves.length;
    const batch = fits ? this.evaluation.read(this.capture, observation, this.updates, loss) : null;
    this.observedSamples = batch?.samples ?? null;
    if (this.replayCheck.open) {
      this.replayCheck.check(loss, () => {
        if (batch === null) {
          throw new BasinError(
            'not-replayable',
            `it read ${this.capture.leaves.length} tensors at first, and ${observation.leaves.length} now.`,
          );
        }
        return replay(this.capture, batch);
      });
      this.info = { ...this.info, replay: this.replayCheck.result };
      this.publish();
    }
    if (batch === null || !this.evaluation.add(batch)) return;
    const count = this.evaluation.train.length;
    // Written whole each time, so at powers of two: a run that is killed early still has some.
    if (!this.evaluation.open || (count & (count - 1)) === 0) this.writeEvaluationSet('train');
  }

  private writeEvaluationSet(split: 'train' | 'validation'): void {
    const batches = split === 'train' ? this.evaluation.train : this.evaluation.valid;
    if (split === 'train') this.batchesWritten = batches.length;
    if (batches.length === 0) return;
    const samples = batches.reduce((sum, batch) => sum + batch.samples, 0);
    const words = split === 'train' ? 'training samples' : 'samples of the validation data';
    try {
      const { tensors, metadata } = encodeEvaluationSet(batches);
      this.environment.link.post({
        type: 'evaluationSet',
        file: evaluationSetFile(split, this.index),
        tensors,
        metadata,
        meta:
          this.index === 0
            ? {
                split,
                info: {
                  samples,
                  batches: batches.length,
                  source: `the first ${samples} ${words}, batches of ${batches[0]?.samples ?? 0}`,
                },
              }
            : null,
      });
    } catch (error) {
      this.note(`The ${split} data was not kept: ${(error as Error).message}`);
    }
  }

  private writeSnapshot(
    step: number,
    {
      before,
      last = false,
    }: { readonly before?: ReadonlyMap<Variable, HostTensor>; readonly last?: boolean } = {},
  ): void {
    const { variables, state } = this.capture;
    if ([...variables, ...state].some((v) => v.isDisposed)) return;
    this.postSnapshot(step, this.schedule.keep(step, last), before);
    this.snapshotAt = { step, dataIds: variables.map((v) => v.dataId) };
  }

  private postSnapshot(
    step: number,
    drop: readonly number[],
    before?: ReadonlyMap<Variable, HostTensor>,
  ): void {
    const { engine, variables, state } = this.capture;
    const tensors: OutgoingTensor[] = [...variables, ...state].flatMap((variable) => {
      const dtype = safetensorsDtype(variable.dtype);
      if (dtype === null) return [];
      const values = before?.get(variable)?.values ?? copyValues(engine, variable);
      return [{ name: variable.name, dtype, shape: variable.shape, values }];
    });
    const { every } = this.schedule;
    const written = this.environment.link.postSnapshot({
      type: 'snapshot',
      objective: this.index,
      step,
      tensors,
      drop,
      every,
    });
    if (!written) this.note('Some snapshots were left out: the disk could not keep up.');
  }

  private moved(dataIds: readonly DataId[]): boolean {
    return this.capture.variables.some((v, i) => v.dataId !== dataIds[i]);
  }

  /** The script may move to another backend; what was held in the old one stays behind. */
  private checkBackend(engine: Engine): void {
    const first = this.capture.variables[0];
    const now = (first && engine.state.tensorInfo.get(first.dataId)?.backend) ?? engine.backend;
    if (now === this.reader.backend) return;
    this.note('The backend was changed during training: distances are measured from there on.');
    this.reader = createWeightReader(engine, this.capture.variables);
    this.start = this.reader.hold(this.capture.variables);
    this.previous = null;
    this.statistics.forget();
  }

  private describe(context: LayersContext | null, callSite: CallSite | null): ObjectiveInfo {
    const { variables } = this.capture;
    const model = context?.outer ?? this.capture.model;
    const name = model?.name ?? (this.index === 0 ? 'loss' : `loss ${this.index + 1}`);
    return {
      name,
      parameters: describeParameters(variables, model),
      state: this.capture.state.map((v) => ({ name: v.name, shape: [...v.shape], dtype: v.dtype })),
      parameterCount: variables.reduce((sum, v) => sum + v.size, 0),
      optimizer: null,
      callSite,
      layersModel:
        model === null
          ? null
          : {
              name: model.name,
              layers: model.layers.length,
              loss: context === null ? null : lossName(model),
            },
      replay: null,
    };
  }

  private publish(): void {
    const { dimension, scale } = this.sketch;
    this.environment.link.post({
      type: 'objective',
      index: this.index,
      info: this.info,
      sketch: { dimension, scale },
    });
  }

  private note(text: string): void {
    this.environment.link.post({ type: 'note', text });
  }
}

const total = (squares: readonly number[]): number => squares.reduce((sum, x) => sum + x, 0);

function lossName(model: Capture['model']): string | null {
  const loss = model === null ? null : compiled(model).loss;
  const names = [loss].flat().map((one) => {
    if (typeof one === 'string') return one;
    return typeof one === 'function' ? one.name || 'custom' : null;
  });
  return names.every((name) => name !== null) ? names.join(', ') : null;
}
