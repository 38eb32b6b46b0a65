/** Loss, score, gradient and Hessian-vector product of one objective on its evaluation set, at any weights. */
import { BasinError, cancelled } from '../../protocol/errors.ts';
import type {
  Combination,
  HowToEvaluate,
  LossValue,
  Predictions,
  SampleValues,
  ScoreValue,
} from '../../protocol/evaluator.ts';
import { countSamples, mergeBatches, requireBatches, selectBatches } from './batches.ts';
import type { Batch, Capture, HostTensor } from './capture.ts';
import { addGaussNewtonDifference, addGaussNewtonProduct, requirePredictions } from './gaussNewton.ts';
import * as ops from './ops.ts';
import { predictionRows } from './predictionRows.ts';
import {
  averagePredictions,
  readPredictions,
  rightAnswers,
  sampleLosses,
  seesPredictions,
  taskOf,
  withPredictions,
  type TargetKind,
  type Task,
} from './predictions.ts';
import { withSession, type Session } from './replay.ts';
import { sampleValues } from './samples.ts';
import { addGradient, addHessianProduct, addMendedGradient } from './secondOrder.ts';
import { batchNormLayers, refreshStatistics } from './statistics.ts';
import type { Tensor, TypedArray } from './tf.ts';
import type { Vector } from './vectorFile.ts';
import { differenceStep, norm } from './vectors.ts';

/** How far the mended gradient may be from the script's before the script must have a gradient of its own making. */
const SAME_GRADIENT = 1e-3;

export type Data = (split: 'train' | 'validation') => readonly Batch[] | null;

export interface HessianProduct {
  readonly values: Float32Array;
  readonly method: 'exact' | 'finite-difference';
  /** Why it is not exact. */
  readonly reason: string | null;
}

/** Running mean and variance of samples. */
class Moments {
  n = 0;
  private sum = 0;
  private squares = 0;
  add(values: Float64Array): void {
    for (const x of values) {
      this.n++;
      this.sum += x;
      this.squares += x * x;
    }
  }
  get mean(): number {
    return this.sum / this.n;
  }
  /** Of the mean. */
  get standardError(): number | null {
    if (this.n < 2) return null;
    const variance = Math.max(0, this.squares - (this.sum * this.sum) / this.n) / (this.n - 1);
    const error = Math.sqrt(variance / this.n);
    return Number.isFinite(error) ? error : null;
  }
}

export class Evaluation {
  /** Merged batches by data and mode: they are worth finding once. */
  private readonly merged = new Map<
    /* key of how */ string,
    { from: readonly Batch[]; to: readonly Batch[] }
  >();
  /** Why exact products are impossible, by mode, once that was found; null when they were found to be right. */
  private readonly exactness = new Map</* mode */ string, string | null>();

  constructor(
    private readonly capture: Capture,
    private readonly data: Data,
    private readonly drawn: (name: string) => readonly Batch[],
  ) {}

  get hasStatistics(): boolean {
    return batchNormLayers(this.capture).length > 0;
  }

  /** Runs `body` with batches chosen and the session in the wanted mode. */
  private evaluate<T>(
    how: HowToEvaluate,
    at: Vector,
    isCancelled: () => boolean,
    body: (point: Point) => T,
  ): T {
    const batches = this.batchesOf(how);
    if (how.mode === 'inference' && this.capture.layers.length === 0) {
      throw new BasinError(
        'unsupported',
        'This loss applies no layers that have an inference mode.',
        'Evaluate it as trained.',
      );
    }
    const refresh = how.refresh && how.mode === 'inference' && this.hasStatistics;
    const train = refresh
      ? selectBatches(
          requireBatches(this.data('train'), 'train'),
          // A range of batches is evaluated at the statistics of all.
          how.data.split === 'train' && how.data.batches === undefined && how.data.drawn === undefined
            ? how.data
            : {},
        )
      : null;
    return withSession(this.capture, (session) => {
      session.behaviour.mode = how.mode;
      session.setState(at.state);
      const check = (): void => {
        if (isCancelled()) throw cancelled();
      };
      const merge = (): readonly Batch[] =>
        how.mode === 'as-trained' || how.data.batches !== undefined || how.data.drawn !== undefined
          ? batches
          : this.merge(session, how, batches, check);
      return body(new Point(session, batches, merge, train, check));
    });
  }

  /** @throws BasinError `not-found` for batches that were not drawn, `bad-input` */
  private batchesOf({ data }: HowToEvaluate): readonly Batch[] {
    if (data.drawn === undefined)
      return selectBatches(requireBatches(this.data(data.split), data.split), data);
    const { samples: _, ...range } = data;
    return selectBatches(this.drawn(data.drawn), range);
  }

  private merge(
    session: Session,
    how: HowToEvaluate,
    from: readonly Batch[],
    check: () => void,
  ): readonly Batch[] {
    const key = `${how.data.split}/${String(how.data.samples)}`;
    const known = this.merged.get(key);
    if (known !== undefined && known.from.length === from.length && known.from.every((b, i) => b === from[i]))
      return known.to;
    const to = mergeBatches(session, from, check);
    this.merged.set(key, { from, to });
    return to;
  }

  /** Loss at origin + Σ coefficients[p][i]·directions[i] for each p; state is the origin's. */
  losses(
    origin: Vector,
    directions: readonly Float32Array[],
    coefficients: readonly (readonly number[])[],
    how: HowToEvaluate,
    isCancelled: () => boolean,
  ): LossValue[] {
    return this.evaluate(how, origin, isCancelled, (point) => {
      const { session } = point;
      const plane = new Plane(session, origin.values, directions);
      return coefficients.map((c, p) => {
        const weights = plane.at(c);
        session.setParameters(weights);
        // Batches give a standard error where samples do not, so the first point is evaluated batch by batch.
        const value = point.loss(p === 0 ? 'batches' : 'merged');
        plane.release(weights);
        return value;
      });
    });
  }

  /** Loss and accuracy of one model. */
  score(vector: Vector, how: HowToEvaluate, isCancelled: () => boolean): ScoreValue {
    return this.evaluate(how, vector, isCancelled, (point) => {
      point.session.setParameters(point.session.parameters(vector.values));
      return point.score(null);
    });
  }

  /** Score of the members' ensemble, by the script's own loss. */
  ensemble(
    members: readonly Vector[],
    how: HowToEvaluate,
    combine: Combination | undefined,
    isCancelled: () => boolean,
  ): ScoreValue {
    const [first] = members;
    if (first === undefined) throw new BasinError('bad-input', 'An ensemble needs members.');
    this.requireOneModel();
    return this.evaluate(how, first, isCancelled, (point) => {
      const probes: number[] = [];
      const { kind, outputs } = this.memberPredictions(point, members, (first) => {
        // A weight penalty in the loss belongs to each member: with the same predictions put in only that differs.
        probes.push(this.lossWith(point.session, point.batches[0], first));
      });
      // The session stands at the last member; the ensemble's penalty is the members' mean.
      const penalty = probes.reduce((a, b) => a + b, 0) / probes.length - (probes[probes.length - 1] ?? 0);
      const score = point.score(outputs.map((o) => averagePredictions(kind, o, combine)));
      return { ...score, loss: score.loss + penalty };
    });
  }

  private requireOneModel(): void {
    if (seesPredictions(this.capture)) return;
    throw new BasinError(
      'unsupported',
      'The loss does not come from the output of exactly one model, so predictions cannot be averaged.',
      'Average the weights instead.',
    );
  }

  /** Each batch's predictions by each member; the session stands at the last one afterwards. */
  private memberPredictions(
    point: Point,
    members: readonly Vector[],
    visit: (predictionOfFirst: HostTensor | undefined) => void,
  ): { readonly kind: TargetKind; readonly outputs: readonly (readonly HostTensor[])[] } {
    const { session, batches } = point;
    const outputs: HostTensor[][] = batches.map(() => []);
    let task: Task | null = null;
    members.forEach((member, m) => {
      const weights = session.parameters(member.values);
      session.setParameters(weights);
      session.setState(member.state);
      point.refresh();
      batches.forEach((batch, b) => {
        point.check();
        const predicted = point.predict(batch);
        task ??= taskOf(this.capture, batch, predicted);
        if (predicted.length !== 1 || predicted[0] === undefined) {
          throw new BasinError(
            'unsupported',
            'Only models with one output can be averaged by their predictions.',
            'Average the weights instead.',
          );
        }
        outputs[b]?.push(predicted[0]);
      });
      visit(outputs[0]?.[0]);
      if (m < members.length - 1) session.free(weights);
    });
    const kind = (task as Task | null)?.kind;
    if (kind === undefined) {
      throw new BasinError(
        'unsupported',
        'It cannot be told whether this model predicts probabilities, logits or plain values.',
        'Use a loss that TensorFlow.js names, or average the weights instead.',
      );
    }
    return { kind, outputs };
  }

  /** Each sample's loss, margin, confidence and correctness; see samples.ts. */
  samples(
    members: readonly Vector[],
    how: HowToEvaluate,
    inputGradient: boolean,
    combine: Combination | undefined,
    isCancelled: () => boolean,
  ): SampleValues {
    const [first] = members;
    if (first === undefined) throw new BasinError('bad-input', 'There is nothing to evaluate.');
    if (members.length > 1) this.requireOneModel();
    return this.evaluate(how, first, isCancelled, (point) => {
      const { session, batches, check } = point;
      const request = { session, batches, check, inputGradient };
      if (members.length === 1) {
        session.setParameters(session.parameters(first.values));
        point.refresh();
        return sampleValues(request, null);
      }
      const { kind, outputs } = this.memberPredictions(point, members, () => undefined);
      return sampleValues(
        request,
        outputs.map((o) => averagePredictions(kind, o, combine)),
      );
    });
  }

  /** What a vector predicts for each sample; see predictionRows.ts. */
  predictions(vector: Vector, how: HowToEvaluate, isCancelled: () => boolean): Predictions {
    return this.evaluate(how, vector, isCancelled, (point) => {
      const { session, batches, check } = point;
      session.setParameters(session.parameters(vector.values));
      point.refresh();
      return predictionRows({ session, batches, check });
    });
  }

  /** The closure's value with the model's predictions replaced. */
  private lossWith(session: Session, batch: Batch | undefined, predictions: HostTensor | undefined): number {
    if (batch === undefined || predictions === undefined) return 0;
    return withPredictions(session, predictions, () => session.loss(batch));
  }

  /**
   * Mean loss and its gradient.
   * @param keepState whether the state that the passes leave is wanted
   */
  gradient(
    at: Vector,
    how: HowToEvaluate,
    isCancelled: () => boolean,
    keepState = false,
  ): { loss: number; values: Float32Array; state: TypedArray[] | null } {
    return this.evaluate(how, at, isCancelled, (point) => {
      point.session.behaviour.keepState = keepState;
      point.session.setParameters(point.session.parameters(at.values));
      point.refresh();
      const sum = new Float64Array(at.values.length);
      const loss = point.gradient(sum);
      return { loss, values: Float32Array.from(sum), state: point.session.movedState };
    });
  }

  /**
   * H(at)·v. Exact by differentiating the gradient; central differences of the gradient where that is impossible.
   * @throws BasinError `unsupported` when `exact` is demanded and impossible
   */
  hessianProduct(
    at: Vector,
    v: Float32Array,
    how: HowToEvaluate,
    method: 'auto' | 'exact' | 'finite-difference',
    isCancelled: () => boolean,
  ): HessianProduct {
    return this.evaluate(how, at, isCancelled, (point) => {
      const { session } = point;
      const weights = session.parameters(at.values);
      session.setParameters(weights);
      point.refresh();
      const remember = (reason: string): void => void this.exactness.set(how.mode, reason);
      const exact = this.exactly(
        point,
        v,
        how.mode,
        method,
        'second derivative',
        addHessianProduct,
        remember,
      );
      if (typeof exact !== 'string') return { values: exact, method: 'exact', reason: null };
      session.free(weights);
      return { values: this.differences(point, at.values, v), method: 'finite-difference', reason: exact };
    });
  }

  /**
   * JᵀH_L J(at)·v, see gaussNewton.ts. Central differences of the predictions where their derivative along v is impossible.
   * @throws BasinError `unsupported` when `exact` is demanded and impossible, or when predictions cannot be seen
   */
  gaussNewtonProduct(
    at: Vector,
    v: Float32Array,
    how: HowToEvaluate,
    method: 'auto' | 'exact' | 'finite-difference',
    isCancelled: () => boolean,
  ): HessianProduct {
    return this.evaluate(how, at, isCancelled, (point) => {
      const { session } = point;
      requirePredictions(session);
      const weights = session.parameters(at.values);
      session.setParameters(weights);
      point.refresh();
      const exact = this.exactly(point, v, how.mode, method, 'Gauss–Newton product', addGaussNewtonProduct);
      if (typeof exact !== 'string') return { values: exact, method: 'exact', reason: null };
      const length = norm(v);
      const sum = new Float64Array(v.length);
      if (length > 0) {
        const h = differenceStep(at.values, length, Math.cbrt);
        const moved = [1, -1].map((sign) =>
          session.parameters(at.values.map((x, i) => x + sign * h * (v[i] ?? 0))),
        );
        const to = (t: number): void => {
          session.setParameters(t === 0 ? weights : ((t > 0 ? moved[0] : moved[1]) ?? weights));
        };
        point.forEach((batch, weight) => {
          addGaussNewtonDifference(session, batch, to, h, weight, sum);
        });
      }
      return { values: Float32Array.from(sum), method: 'finite-difference', reason: exact };
    });
  }

  /**
   * The mean over batches of what `add` adds for each; or why there is none, and differences are to be taken.
   * @param failed told when `add` turned out to be impossible
   * @throws BasinError `unsupported` when `exact` is demanded and impossible
   */
  private exactly(
    point: Point,
    v: Float32Array,
    mode: string,
    method: 'auto' | 'exact' | 'finite-difference',
    what: string,
    add: typeof addHessianProduct,
    failed: (reason: string) => void = () => undefined,
  ): Float32Array | string {
    if (method === 'finite-difference') return 'Asked for.';
    const { session } = point;
    let reason = this.whyNotExact(point, mode);
    if (reason === null) {
      const direction = session.parameters(v);
      const sum = new Float64Array(v.length);
      try {
        point.forEach((batch, weight) => {
          add(session, batch, direction, weight, sum);
        });
        return Float32Array.from(sum);
      } catch (error) {
        if (error instanceof BasinError) throw error;
        reason = describe(error);
        failed(reason);
      }
    }
    if (method === 'exact') throw notExact(what, reason);
    return reason;
  }

  /** Central differences, with the step that balances rounding against curvature: √ε₃₂·(1+‖θ‖)/‖v‖. */
  private differences(point: Point, at: Float32Array, v: Float32Array): Float32Array {
    const length = norm(v);
    if (length === 0) return new Float32Array(v.length);
    const h = differenceStep(at, length, Math.sqrt);
    const sum = new Float64Array(v.length);
    for (const sign of [1, -1]) {
      const moved = at.map((x, i) => x + sign * h * (v[i] ?? 0));
      const weights = point.session.parameters(moved);
      point.session.setParameters(weights);
      const gradient = new Float64Array(v.length);
      point.gradient(gradient);
      for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] ?? 0) + (sign * (gradient[i] ?? 0)) / (2 * h);
      point.session.free(weights);
    }
    return Float32Array.from(sum);
  }

  /**
   * Custom gradients of the script's own (a straight-through estimator, a clipped gradient) are not the derivative of
   * its loss; the exact product would differentiate the loss. Comparing both gradients once shows it.
   */
  private whyNotExact(point: Point, mode: string): string | null {
    const known = this.exactness.get(mode);
    if (known !== undefined) return known;
    const [batch] = point.batches;
    let reason: string | null = null;
    if (batch !== undefined) {
      const n = this.capture.variables.reduce((s, v) => s + v.size, 0);
      const stock = new Float64Array(n);
      const mended = new Float64Array(n);
      try {
        addGradient(point.session, batch, 1, stock);
        addMendedGradient(point.session, batch, 1, mended);
        let difference = 0;
        let size = 0;
        for (let i = 0; i < n; i++) {
          difference += ((stock[i] ?? 0) - (mended[i] ?? 0)) ** 2;
          size += (stock[i] ?? 0) ** 2;
        }
        if (Math.sqrt(difference) > SAME_GRADIENT * Math.sqrt(size) + 1e-7) {
          reason = 'the script defines a gradient of its own that is not the derivative of its loss.';
        }
      } catch (error) {
        if (error instanceof BasinError) throw error;
        reason = describe(error);
      }
    }
    this.exactness.set(mode, reason);
    return reason;
  }

  /** New batch-norm statistics for a vector, as its state. */
  refresh(
    vector: Vector,
    batches: readonly Batch[],
    isCancelled: () => boolean,
  ): { state: TypedArray[]; tensors: number } {
    return withSession(this.capture, (session) => {
      session.setState(vector.state);
      session.setParameters(session.parameters(vector.values));
      const refreshed = refreshStatistics(session, batches, () => {
        if (isCancelled()) throw cancelled();
      });
      const before = vector.state ?? currentState(this.capture);
      const state = this.capture.state.map(
        (v, i) => refreshed.get(v) ?? before[i]?.slice() ?? new Float32Array(v.size),
      );
      return { state, tensors: refreshed.size };
    });
  }
}

/** The script's present state tensors, copied. */
export function currentState(capture: Capture): TypedArray[] {
  return capture.state.map((v) => v.dataSync<'float32' | 'int32' | 'bool'>().slice());
}

function notExact(what: string, reason: string): BasinError {
  return new BasinError(
    'unsupported',
    `No exact ${what}: ${reason}`,
    'Allow finite differences (method auto).',
  );
}

function describe(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const kernel = /gradient function not found for (\w+)/.exec(message)?.[1];
  return kernel === undefined ? message : `${kernel} has no second derivative.`;
}

/** The session at one point of weight space, with the data of a request. */
class Point {
  private whole: readonly Batch[] | null = null;

  constructor(
    readonly session: Session,
    readonly batches: readonly Batch[],
    private readonly merge: () => readonly Batch[],
    private readonly train: readonly Batch[] | null,
    readonly check: () => void,
  ) {}

  /** Batch-norm statistics for the present weights, when the request wants them anew. */
  refresh(): void {
    if (this.train !== null) refreshStatistics(this.session, this.train, this.check);
  }

  /** Merged batches; found at the present weights the first time. */
  private get merged(): readonly Batch[] {
    return (this.whole ??= this.merge());
  }

  loss(by: 'batches' | 'merged'): LossValue {
    this.refresh();
    // Samples give a standard error whatever the batches are.
    const batches = by === 'merged' || this.session.capture.layersLoss ? this.merged : this.batches;
    return lossOver(
      batches,
      (batch, inspect) => {
        this.check();
        return this.session.loss(batch, inspect);
      },
      this.session,
    );
  }

  predict(batch: Batch): HostTensor[] {
    let outputs: HostTensor[] = [];
    this.session.loss(batch, () => (outputs = readPredictions(this.session)));
    return outputs;
  }

  /** @param predictions put in place of the model's, one for each batch */
  score(predictions: readonly HostTensor[] | null): ScoreValue {
    const { session } = this;
    if (predictions === null) this.refresh();
    const right = new Moments();
    const unknown: Batch[] = [];
    let b = 0;
    const loss = lossOver(
      this.batches,
      (batch, inspect) => {
        this.check();
        const given = predictions?.[b++];
        const held =
          given === undefined ? null : session.hold(() => ops.tensor(given.values, given.shape, given.dtype));
        session.behaviour.predictions = held === null ? null : [held];
        let outputs: HostTensor[] = [];
        const value = session.loss(batch, () => {
          outputs = readPredictions(session);
          inspect();
        });
        session.behaviour.predictions = null;
        const answers = given === undefined ? outputs : [given];
        const task = taskOf(session.capture, batch, answers);
        const each = task === null || answers[0] === undefined ? null : rightAnswers(task, batch, answers[0]);
        if (each === null) unknown.push(batch);
        else right.add(each);
        if (held !== null) session.free([held]);
        return value;
      },
      session,
    );
    const known = unknown.length === 0 && right.n > 0;
    return {
      ...loss,
      accuracy: known ? right.mean : null,
      accuracyStandardError: known ? right.standardError : null,
    };
  }

  /** Calls `visit` with each merged batch and its weight in the mean over samples. */
  forEach(visit: (batch: Batch, weight: number) => void): void {
    const total = countSamples(this.merged);
    for (const batch of this.merged) {
      this.check();
      visit(batch, batch.samples / total);
    }
  }

  /** Adds the gradient of the mean loss to `into`, and gives that loss. */
  gradient(into: Float64Array): number {
    let loss = 0;
    this.forEach((batch, weight) => {
      loss += weight * addGradient(this.session, batch, weight, into);
    });
    return loss;
  }
}

function lossOver(
  batches: readonly Batch[],
  evaluate: (batch: Batch, inspect: () => void) => number,
  session: Session,
): LossValue {
  const samples = countSamples(batches);
  const perSample = new Moments();
  const perBatch = new Moments();
  let loss = 0;
  for (const batch of batches) {
    const value = evaluate(batch, () => {
      const losses = sampleLosses(session, batch);
      if (losses !== null) perSample.add(losses);
    });
    loss += (value * batch.samples) / samples;
    perBatch.add(Float64Array.of(value));
  }
  const bySample = perSample.n === samples;
  const moments = bySample ? perSample : perBatch;
  const error = moments.standardError;
  return {
    loss,
    standardError: error,
    standardErrorFrom: error === null ? null : bySample ? 'samples' : 'batches',
    samples,
  };
}

/** Weights at points of an affine plane, put together on the backend from vectors that were uploaded once. */
class Plane {
  private readonly origin: readonly Tensor[];
  private readonly directions: readonly (readonly Tensor[])[];
  /** Points of a grid come row by row: what they have in common is kept. */
  private row: { readonly key: string; readonly tensors: readonly Tensor[] } | null = null;

  constructor(
    private readonly session: Session,
    origin: Float32Array,
    directions: readonly Float32Array[],
  ) {
    this.origin = session.parameters(origin);
    this.directions = directions.map((d) => session.parameters(d));
  }

  /** One tensor a parameter, to be given back by {@link release}; exactly the origin where all coefficients are 0. */
  at(coefficients: readonly number[]): readonly Tensor[] {
    const [first = 0, ...rest] = coefficients;
    const key = rest.join();
    if (this.row?.key !== key) {
      if (this.row !== null) this.release(this.row.tensors, true);
      this.row = { key, tensors: rest.reduce((base, c, i) => this.plus(base, c, i + 1, true), this.origin) };
    }
    return this.plus(this.row.tensors, first, 0, false);
  }

  private plus(base: readonly Tensor[], c: number, direction: number, consume: boolean): readonly Tensor[] {
    const d = this.directions[direction];
    if (d === undefined || c === 0) return base;
    const moved = base.map((t, i) => this.session.hold(() => axpy(t, c, d[i])));
    if (consume) this.release(base, true);
    return moved;
  }

  release(tensors: readonly Tensor[], row = false): void {
    if (tensors === this.origin || (!row && tensors === this.row?.tensors)) return;
    this.session.free(tensors);
  }
}

/** base + c·d */
function axpy(base: Tensor, c: number, d: Tensor | undefined): Tensor {
  return d === undefined ? base : ops.add(base, ops.scale(d, c));
}
