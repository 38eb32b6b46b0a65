/** What training stands on at a boundary, kept in memory and put back: weights, state, and the optimizer's own variables. */
import { BasinError } from '../../protocol/errors.ts';
import type { CheckpointContents } from '../../protocol/standing.ts';
import { readLeaf, type Capture, type HostTensor } from './capture.ts';
import { isVariable, type Engine, type Variable } from './tf.ts';
import type { Vector } from './vectorFile.ts';

export interface Checkpoint {
  readonly step: number;
  readonly capture: Capture;
  readonly tensors: Map<Variable, HostTensor>;
  /** Whose variables are kept as well, with the counters that they have as plain numbers. */
  readonly optimizers: Map<object, Counters>;
  /** Whether its state was not finite: inside of a step, whose loss moves statistics. */
  readonly isSpoilt: boolean;
}

/** Of a stock optimizer: its updates, which it counts from the first one on. */
interface Counters {
  readonly iterations_: number | undefined;
}

const SPOILT =
  "moving statistics that are finite (the step's loss had spoilt them: an earlier snapshot has them)";
const NEW_STATE = 'what the script has put into the optimizer since';
/** V8 does not let its generator be read or set, and data pipelines have no position that could be. */
const NOT_RESTORED = ['the random stream of Math.random', 'the position in the data'];

/** @param optimizer that is known to move these weights; of others {@link completeCheckpoints} sees to it */
export function takeCheckpoint(capture: Capture, optimizer: object | null, step: number): Checkpoint {
  const { engine, variables, state } = capture;
  const tensors = new Map<Variable, HostTensor>();
  for (const v of [...variables, ...state]) tensors.set(v, readLeaf(engine, v));
  const isSpoilt = state.some((v) => tensors.get(v)?.values.some((x) => !Number.isFinite(x)) === true);
  const kept: Checkpoint = { step, capture, tensors, optimizers: new Map(), isSpoilt };
  if (optimizer !== null) completeCheckpoints([kept], optimizer, () => true);
  return kept;
}

/**
 * An optimizer is about to move weights for the first time since these checkpoints were taken: what it has now is what it
 * had then.
 * @param moves whether it moves the variable of a name
 */
export function completeCheckpoints(
  checkpoints: Iterable<Checkpoint>,
  optimizer: object,
  moves: (name: string) => boolean,
): void {
  let own: readonly (readonly [Variable, HostTensor])[] | null = null;
  for (const { capture, tensors, optimizers } of checkpoints) {
    if (optimizers.has(optimizer) || !capture.variables.some(({ name }) => moves(name))) continue;
    own ??= variablesOf(optimizer).map((v) => [v, readLeaf(capture.engine, v)] as const);
    for (const [v, host] of own) tensors.set(v, host);
    optimizers.set(optimizer, { iterations_: (optimizer as Partial<Counters>).iterations_ });
  }
}

/** An optimizer has made a variable within its update, which starts from the same value wherever training goes on. */
export function addToCheckpoints(
  checkpoints: Iterable<Checkpoint>,
  optimizer: object,
  variable: Variable,
): void {
  let host: HostTensor | null = null;
  for (const { capture, tensors, optimizers } of checkpoints) {
    if (optimizers.has(optimizer)) tensors.set(variable, (host ??= readLeaf(capture.engine, variable)));
  }
}

/**
 * @param optimizer that moves the weights by now
 * @throws BasinError `unsupported` where the script has disposed its model since
 */
export function restoreCheckpoint(kept: Checkpoint, optimizer: object | null): CheckpointContents {
  requireAlive(kept.capture);
  for (const [variable, host] of kept.tensors)
    if (!variable.isDisposed) write(kept.capture.engine, variable, host);
  for (const [one, counters] of kept.optimizers) Object.assign(one, counters);
  const own = optimizer === null ? [] : variablesOf(optimizer);
  return contents(kept, own.every((v) => kept.tensors.has(v)) ? [] : [NEW_STATE]);
}

export function contents(
  { step, optimizers, isSpoilt }: Checkpoint,
  missing: readonly string[] = [],
): CheckpointContents {
  const known = optimizers.size > 0;
  return {
    step,
    restored: ['weights', ...(known ? ["the optimizer's state"] : [])],
    notRestored: [
      ...(known ? missing : ["the optimizer's state"]),
      ...(isSpoilt ? [SPOILT] : []),
      ...NOT_RESTORED,
    ],
  };
}

/** Writes a vector into the weights, and its state where it has any. @throws BasinError `unsupported` */
export function assignVector(capture: Capture, vector: Vector, step: number): CheckpointContents {
  requireAlive(capture);
  let offset = 0;
  for (const v of capture.variables) {
    write(capture.engine, v, {
      shape: v.shape,
      dtype: v.dtype,
      values: vector.values.slice(offset, offset + v.size),
    });
    offset += v.size;
  }
  capture.state.forEach((v, i) => {
    const values = vector.state?.[i];
    if (values !== undefined)
      write(capture.engine, v, { shape: v.shape, dtype: v.dtype, values: values.slice() });
  });
  return {
    step,
    restored: ['weights'],
    notRestored: ["the optimizer's state", ...NOT_RESTORED],
  };
}

function write(engine: Engine, variable: Variable, { values, shape, dtype }: HostTensor): void {
  const tensor = engine.makeTensor(values.slice(), shape, dtype);
  variable.assign(tensor);
  tensor.dispose();
}

/** The stock optimizers keep variables in fields, or in lists of { originalName, variable }. */
function variablesOf(optimizer: object): Variable[] {
  const found = Object.values(optimizer as Record<string, unknown>).flatMap((field) =>
    (Array.isArray(field) ? (field as unknown[]) : [field]).map((one) =>
      isVariable(one) ? one : (one as { variable?: unknown } | null | undefined)?.variable,
    ),
  );
  return found.filter((one): one is Variable => isVariable(one) && !one.isDisposed);
}

function requireAlive({ variables, state }: Capture): void {
  if ([...variables, ...state].every((v) => !v.isDisposed)) return;
  throw new BasinError(
    'unsupported',
    'The script has disposed of its model, so there is nothing to put weights into.',
    'Start the run again.',
  );
}
