/**
 * What a model computes just before a last softmax or sigmoid. Probabilities round to 0 and 1 where logits are still
 * apart, and the Gauss–Newton matrix of a cross-entropy is taken at the logits (Schraudolph 2002).
 */
import * as ops from './ops.ts';
import { currentPredictions, type TargetKind } from './predictions.ts';
import type { Session } from './replay.ts';
import { isVariable, type Engine, type KernelInvocation, type Tensor } from './tf.ts';

export type LinkKernel = 'Softmax' | 'LogSoftmax' | 'Sigmoid';
const inputOf: Readonly<Record<LinkKernel, string>> = {
  Softmax: 'logits',
  LogSoftmax: 'logits',
  Sigmoid: 'x',
};

/** A kernel over the model's last tensor of logits, whose value is the prediction. */
export interface Link {
  readonly kernel: LinkKernel;
  readonly logits: Tensor;
  /** The kernel again on other logits. */
  readonly apply: (logits: Tensor) => Tensor;
}

/** Runs `body` and remembers meanwhile from what each softmax or sigmoid was made. */
export function watchLinks<T>(engine: Engine, body: (linkOf: (prediction: Tensor) => Link | null) => T): T {
  const links = new Map</* output */ Tensor, Link>();
  const own = Object.getOwnPropertyDescriptor(engine, 'runKernelFunc');
  const run = engine.runKernelFunc;
  engine.runKernelFunc = function (this: Engine, invocation: KernelInvocation & { attrs?: object }) {
    const output = run.call(this, invocation);
    const { kernelName: name, inputs, attrs } = invocation;
    if (name !== undefined && Object.hasOwn(inputOf, name) && !Array.isArray(output)) {
      const kernel = name as LinkKernel;
      const logits = (inputs as Readonly<Record<string, Tensor>>)[inputOf[kernel]];
      if (logits !== undefined) {
        // Layers tidy up after themselves; the session frees what is kept when the closure has run.
        if (!isVariable(logits)) this.keep(logits);
        const apply = (x: Tensor): Tensor => ops.run(kernel, { [inputOf[kernel]]: x }, attrs);
        links.set(output, { kernel, logits, apply });
      }
    }
    return output;
  };
  try {
    return body((prediction) => links.get(prediction) ?? null);
  } finally {
    if (own === undefined) delete (engine as Partial<Engine>).runKernelFunc;
    else Object.defineProperty(engine, 'runKernelFunc', own);
  }
}

/** The prediction of the evaluation that runs now, when there is exactly one. */
export function onlyPrediction(session: Session): Tensor | null {
  const [prediction, ...others] = currentPredictions(session);
  return others.length === 0 ? (prediction ?? null) : null;
}

/**
 * Whether the loss is one of the logits rather than of what follows them. A squared error of a sigmoid's output is one
 * of that output; log-probabilities are never predictions of their own.
 */
export const belongsToLoss = (link: Link, kind: TargetKind | null): boolean =>
  link.kernel === 'LogSoftmax' || (kind !== null && kind !== 'value');
