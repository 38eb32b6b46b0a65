/**
 * Products with the generalised Gauss–Newton matrix JᵀH_L J (Schraudolph 2002), J the derivative of the predictions by
 * the parameters and H_L the Hessian of the loss by the predictions; at the logits where a cross-entropy follows them.
 *
 * TensorFlow.js has no forward mode. u ↦ Jᵀu is linear, so the derivative of (Jᵀu)·v by u is J·v: a gradient of a gradient.
 */
import { BasinError } from '../../protocol/errors.ts';
import type { Batch, HostTensor } from './capture.ts';
import { belongsToLoss, onlyPrediction, watchLinks } from './links.ts';
import * as ops from './ops.ts';
import { areLogProbabilities, readPrediction, seesPredictions, taskOf } from './predictions.ts';
import type { Session } from './replay.ts';
import { accumulate, differentiate, gradientAlong, withSecondOrder } from './secondOrder.ts';
import type { Tensor } from './tf.ts';
import { differenceStep, norm } from './vectors.ts';

/** The predictions of one batch, or the logits below them. */
interface Outputs {
  readonly values: HostTensor;
  /** Makes the prediction of them; null where they are the prediction. */
  readonly link: ((logits: Tensor) => Tensor) | null;
  /** Whether they are what a last kernel was applied to, and not what the model gave. */
  readonly below: boolean;
}

/** @throws BasinError `unsupported` when the loss does not come from one output that can be seen */
export function requirePredictions(session: Session): void {
  if (seesPredictions(session.capture)) return;
  throw noPredictions(
    'it does not come from the output of exactly one model, so the predictions cannot be told apart.',
  );
}

const noPredictions = (why: string): BasinError =>
  new BasinError('unsupported', `This loss has no Gauss–Newton matrix: ${why}`, 'Ask for the Hessian.');

/**
 * Adds weight · JᵀH_L J(batch)·v to `into`, exactly.
 * @param v one tensor a parameter
 * @throws Error when an operation of the model has no derivative of its gradient
 */
export function addGaussNewtonProduct(
  session: Session,
  batch: Batch,
  v: readonly Tensor[],
  weight: number,
  into: Float64Array,
): void {
  const outputs = outputsOf(session, batch);
  const { values, below } = outputs;
  const moved = forwardDerivative(session, batch, values, below, v);
  const bent = lossHessianProduct(session, batch, outputs, moved);
  addBackward(session, batch, below, like(values, bent), weight, into);
}

/**
 * The same by central differences of the predictions, and of the loss's gradient by them.
 * @param at puts the session at weights moved by t·v; 0 for those in question
 * @param h step along v
 */
export function addGaussNewtonDifference(
  session: Session,
  batch: Batch,
  at: (t: number) => void,
  h: number,
  weight: number,
  into: Float64Array,
): void {
  at(h);
  const up = outputsOf(session, batch).values.values;
  at(-h);
  const down = outputsOf(session, batch).values.values;
  at(0);
  const outputs = outputsOf(session, batch);
  const { values, below } = outputs;
  const moved = Float32Array.from(up, (z, i) => (z - (down[i] ?? 0)) / (2 * h));
  const length = norm(moved);
  let bent = new Float32Array(moved.length);
  if (length > 0) {
    const step = differenceStep(values.values as Float32Array, length, Math.cbrt);
    const gradientAt = (sign: number): Float32Array =>
      lossGradient(session, batch, {
        ...outputs,
        values: like(
          values,
          moved.map((m, i) => (values.values[i] ?? 0) + sign * step * m),
        ),
      });
    const [plus, minus] = [gradientAt(1), gradientAt(-1)];
    bent = plus.map((g, i) => (g - (minus[i] ?? 0)) / (2 * step));
  }
  addBackward(session, batch, below, like(values, bent), weight, into);
}

const like = (t: HostTensor, values: Float32Array): HostTensor => ({ ...t, values });

function outputsOf(session: Session, batch: Batch): Outputs {
  const found: Outputs[] = [];
  watchLinks(session.capture.engine, (linkOf) => {
    session.loss(batch, () => {
      const prediction = onlyPrediction(session);
      if (prediction === null) throw noPredictions('its model has several outputs.');
      const link = linkOf(prediction);
      const kind = taskOf(session.capture, batch, [readPrediction(prediction)])?.kind ?? null;
      found.push(
        link !== null && belongsToLoss(link, kind)
          ? { values: readPrediction(link.logits), link: link.apply, below: true }
          : plain(readPrediction(prediction)),
      );
    });
  });
  const [outputs] = found;
  if (outputs === undefined) throw noPredictions('its model was not applied.');
  return outputs;
}

/**
 * tf.logSoftmax is no kernel of its own. A likelihood is linear in log-probabilities, so that all of its curvature is in
 * their normalisation: they are logits themselves, and normalised again they are what they were.
 */
function plain(prediction: HostTensor): Outputs {
  return {
    values: prediction,
    link: areLogProbabilities(prediction)
      ? (x) => ops.sub(x, ops.log(ops.sum(ops.exp(x), [x.shape.length - 1], true)))
      : null,
    below: false,
  };
}

/** The tensor inside of the closure that {@link outputsOf} has read. */
function inFlow(session: Session, f: () => Tensor, below: boolean): Tensor {
  return watchLinks(session.capture.engine, (linkOf) => {
    f();
    const prediction = onlyPrediction(session);
    if (prediction === null) throw noPredictions('its model has several outputs.');
    return below ? (linkOf(prediction)?.logits ?? prediction) : prediction;
  });
}

/** J·v. */
function forwardDerivative(
  session: Session,
  batch: Batch,
  outputs: HostTensor,
  below: boolean,
  v: readonly Tensor[],
): Float32Array {
  const { engine, variables } = session.capture;
  // Its value is of no account: what is differentiated is linear in it.
  const u = session.hold(() => ops.zeros(outputs.shape));
  let result = new Float32Array(outputs.values.length);
  try {
    withSecondOrder(engine, () => {
      session.run(batch, (f) => {
        const along = (): Tensor =>
          gradientAlong(engine, () => ops.sum(ops.mul(inFlow(session, f, below), u)), variables, v);
        const { grads } = differentiate(engine, along, [u]);
        const derivative = grads[0];
        if (derivative != null) result = (derivative.dataSync() as Float32Array).slice();
      });
    });
  } finally {
    session.free([u]);
  }
  return result;
}

/** Calls `body` with the closure as a function of the outputs alone; the weights take no part. */
function ofOutputs(
  session: Session,
  batch: Batch,
  { values, link }: Outputs,
  body: (f: () => Tensor, outputs: Tensor) => void,
): void {
  const z = session.hold(() => ops.tensor(values.values, values.shape, values.dtype));
  try {
    session.run(batch, (f) => {
      const loss = (): Tensor => {
        session.behaviour.predictions = [link === null ? z : link(z)];
        return f();
      };
      body(loss, z);
    });
  } finally {
    session.behaviour.predictions = null;
    session.free([z]);
  }
}

function lossGradient(session: Session, batch: Batch, outputs: Outputs): Float32Array {
  let result = new Float32Array(outputs.values.values.length);
  ofOutputs(session, batch, outputs, (f, z) => {
    const [gradient] = differentiate(session.capture.engine, f, [z]).grads;
    if (gradient != null) result = (gradient.dataSync() as Float32Array).slice();
  });
  return result;
}

/** H_L·a. */
function lossHessianProduct(session: Session, batch: Batch, outputs: Outputs, a: Float32Array): Float32Array {
  const { engine } = session.capture;
  let result = new Float32Array(a.length);
  withSecondOrder(engine, () => {
    ofOutputs(session, batch, outputs, (f, z) => {
      const along = ops.tensor(a, outputs.values.shape);
      const [product] = differentiate(engine, () => {
        const [gradient] = differentiate(engine, f, [z]).grads;
        return gradient == null ? ops.scalar(0) : ops.sum(ops.mul(gradient, along));
      }, [z]).grads;
      if (product != null) result = (product.dataSync() as Float32Array).slice();
    });
  });
  return result;
}

/** Adds weight · Jᵀu to `into`. */
function addBackward(
  session: Session,
  batch: Batch,
  below: boolean,
  u: HostTensor,
  weight: number,
  into: Float64Array,
): void {
  const { engine, variables } = session.capture;
  session.run(batch, (f) => {
    const along = ops.tensor(u.values, u.shape);
    const { grads } = differentiate(
      engine,
      () => ops.sum(ops.mul(inFlow(session, f, below), along)),
      variables,
    );
    accumulate(session, grads, weight, into);
  });
}
