/** What training stands on at a boundary, kept in memory and put back: weights, state, and the optimizer's own variables. */
import { BasinError } from '../../protocol/errors.ts';
import type { CheckpointContents } from '../../protocol/standing.ts';
import { readLeaf, type Capture, type HostTensor } from './capture.ts';
import { isVariable, type Engine, type Variable } from './tf.ts';
import type { Vector } from './vectorFile.ts';

export interface Checkpoint {
  readonly step: number;
  readonly tensors: ReadonlyMap<Variable, HostTensor>;
  readonly optimizer: object | null;
  /** Counters that an optimizer keeps as plain numbers. */
  readonly numbers: Readonly<Record<string, number>>;
  /** Whether its state was not finite: inside of a step, whose loss moves statistics. */
  readonly isSpoilt: boolean;
}

const SPOILT =
  "moving statistics that are finite (the step's loss had spoilt them: an earlier snapshot has them)";
/** V8 does not let its generator be read or set, and data pipelines have no position that could be. */
const NOT_RESTORED = ['the random stream of Math.random', 'the position in the data'];

export function takeCheckpoint(capture: Capture, optimizer: object | null, step: number): Checkpoint {
  const tensors = new Map<Variable, HostTensor>();
  const own = optimizer === null ? [] : variablesOf(optimizer);
  for (const v of [...capture.variables, ...capture.state, ...own])
    tensors.set(v, readLeaf(capture.engine, v));
  const numbers = Object.entries(optimizer ?? {}).filter(
    (entry): entry is [string, number] => entry[0] === 'iterations_' && typeof entry[1] === 'number',
  );
  const isSpoilt = capture.state.some(
    (v) => tensors.get(v)?.values.some((x) => !Number.isFinite(x)) === true,
  );
  return { step, tensors, optimizer, numbers: Object.fromEntries(numbers), isSpoilt };
}

/** @throws BasinError `unsupported` where the script has disposed its model since */
export function restoreCheckpoint(
  capture: Capture,
  kept: Checkpoint,
  optimizer: object | null,
): CheckpointContents {
  requireAlive(capture);
  for (const [variable, host] of kept.tensors) write(capture.engine, variable, host);
  // What the optimizer has made only since (the first step makes its moments) starts at zero again.
  for (const v of optimizer === null ? [] : variablesOf(optimizer)) {
    if (kept.tensors.has(v)) continue;
    const { values, ...host } = readLeaf(capture.engine, v);
    write(capture.engine, v, { ...host, values: values.map(() => 0) });
  }
  if (optimizer !== null && optimizer === kept.optimizer) Object.assign(optimizer, kept.numbers);
  return contents(kept);
}

export function contents({ step, optimizer, isSpoilt }: Checkpoint): CheckpointContents {
  return {
    step,
    restored: ['weights', ...(optimizer === null ? [] : ["the optimizer's state"])],
    notRestored: [
      ...(optimizer === null ? ["the optimizer's state"] : []),
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
