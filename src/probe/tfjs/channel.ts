/**
 * Between the training thread and the probe's worker: shared memory for what comes with every step, messages for the
 * rest. The training thread never waits for the worker but at its end, and a synchronous loop that never returns to
 * the event loop is recorded all the same, because the worker reads the rings on its own clock.
 */
import type { MessagePort } from 'node:worker_threads';
import type { WireMethod } from '../../protocol/evaluator.ts';
import type { ErrorData } from '../../protocol/errors.ts';
import type { EvaluationSetMeta, ManifestPatch } from './manifestPatch.ts';
import type { NonFinite, ObjectiveInfo } from '../../protocol/run.ts';
import type { Dtype } from '../../protocol/safetensors.ts';
import type { TypedArray } from './tf.ts';

/** Places in the control words. */
export const Control = {
  /** Requests that wait for the training thread. */
  waiting: 0,
  /** 1 when the worker has written everything after `end`. */
  done: 1,
  /** KiB of snapshots handed over and not yet written. */
  backlog: 2,
  /** 1 when writing failed: recording stops. */
  failed: 3,
  /** Step records written, read by the worker: counts up, modulo 2³². */
  stepsHead: 4,
  stepsTail: 5,
  sketchHead: 6,
  sketchTail: 7,
  /** 1 when the process is to end (frozen: nobody asks any more). */
  quit: 8,
  /** 1 when a signal is about to end the process: no more steps are taken. */
  ending: 9,
  /** First of the cancellation flags: request r uses flag r modulo {@link CANCEL_FLAGS}. */
  cancel: 16,
} as const;
export const CANCEL_FLAGS = 1024;

const STEP_SLOTS = 4096;
export const STEP_FIELDS = 10;
const SKETCH_SLOTS = 256;
/** step, objective, then the projection. */
const SKETCH_FIELDS = 2 + 1024;

export interface SharedMemory {
  readonly control: SharedArrayBuffer;
  readonly steps: SharedArrayBuffer;
  readonly sketches: SharedArrayBuffer;
}

export function createSharedMemory(): SharedMemory {
  return {
    control: new SharedArrayBuffer(4 * (Control.cancel + CANCEL_FLAGS)),
    steps: new SharedArrayBuffer(8 * STEP_SLOTS * STEP_FIELDS),
    sketches: new SharedArrayBuffer(8 * SKETCH_SLOTS * 2 + 4 * SKETCH_SLOTS * (SKETCH_FIELDS - 2)),
  };
}

/** Numbers of a step record; NaN in `missing` fields stands for null, told apart by the bits of `present`. */
export interface StepNumbers {
  step: number;
  objective: number;
  epoch: number | null;
  loss: number;
  learningRate: number | null;
  gradientNorm: number | null;
  updateNorm: number | null;
  distance: number | null;
  time: number;
  samples: number | null;
  /** Whether a message of type `nonFinite` belongs to it. */
  nonFinite: boolean;
}

const NULLABLE = ['epoch', 'learningRate', 'gradientNorm', 'updateNorm', 'distance', 'samples'] as const;

/** Single producer, single consumer. */
export class StepRing {
  private readonly control: Int32Array;
  private readonly slots: Float64Array;

  constructor(memory: SharedMemory) {
    this.control = new Int32Array(memory.control);
    this.slots = new Float64Array(memory.steps);
  }

  /** @returns false when the ring is full */
  push(record: StepNumbers): boolean {
    const head = Atomics.load(this.control, Control.stepsHead);
    if (((head - Atomics.load(this.control, Control.stepsTail)) | 0) >= STEP_SLOTS) return false;
    const at = (head & (STEP_SLOTS - 1)) * STEP_FIELDS;
    let present = 0;
    NULLABLE.forEach((field, i) => {
      const value = record[field];
      if (value !== null) present |= 1 << i;
      this.slots[at + i] = value ?? 0;
    });
    this.slots[at + 6] = record.step;
    // One word for two small integers.
    this.slots[at + 7] = record.objective * 128 + (record.nonFinite ? 64 : 0) + present;
    this.slots[at + 8] = record.loss;
    this.slots[at + 9] = record.time;
    Atomics.store(this.control, Control.stepsHead, (head + 1) | 0);
    return true;
  }

  shift(): StepNumbers | null {
    const tail = Atomics.load(this.control, Control.stepsTail);
    if (tail === Atomics.load(this.control, Control.stepsHead)) return null;
    const at = (tail & (STEP_SLOTS - 1)) * STEP_FIELDS;
    const slot = (i: number): number => this.slots[at + i] as number;
    const present = slot(7) % 128;
    const nullable = (i: number): number | null => ((present >> i) & 1 ? slot(i) : null);
    const record: StepNumbers = {
      step: slot(6),
      objective: Math.floor(slot(7) / 128),
      epoch: nullable(0),
      loss: slot(8),
      learningRate: nullable(1),
      gradientNorm: nullable(2),
      updateNorm: nullable(3),
      distance: nullable(4),
      time: slot(9),
      samples: nullable(5),
      nonFinite: present >= 64,
    };
    Atomics.store(this.control, Control.stepsTail, (tail + 1) | 0);
    return record;
  }
}

export interface SketchRecord {
  readonly step: number;
  readonly objective: number;
  readonly values: Float32Array;
}

/** Single producer, single consumer. A record is dropped when the ring is full: the sketch is a sample anyway. */
export class SketchRing {
  private readonly control: Int32Array;
  private readonly heads: Float64Array;
  private readonly values: Float32Array;

  constructor(memory: SharedMemory) {
    this.control = new Int32Array(memory.control);
    this.heads = new Float64Array(memory.sketches, 0, 2 * SKETCH_SLOTS);
    this.values = new Float32Array(memory.sketches, 8 * 2 * SKETCH_SLOTS);
  }

  push({ step, objective, values }: SketchRecord): void {
    const head = Atomics.load(this.control, Control.sketchHead);
    if (((head - Atomics.load(this.control, Control.sketchTail)) | 0) >= SKETCH_SLOTS) return;
    const at = head & (SKETCH_SLOTS - 1);
    this.heads[2 * at] = step;
    this.heads[2 * at + 1] = objective;
    this.values.set(values, at * (SKETCH_FIELDS - 2));
    Atomics.store(this.control, Control.sketchHead, (head + 1) | 0);
  }

  /** @param dimension length of the objective's projection */
  shift(dimension: (objective: number) => number): SketchRecord | null {
    const tail = Atomics.load(this.control, Control.sketchTail);
    if (tail === Atomics.load(this.control, Control.sketchHead)) return null;
    const at = tail & (SKETCH_SLOTS - 1);
    const objective = this.heads[2 * at + 1] as number;
    const begin = at * (SKETCH_FIELDS - 2);
    const record = {
      step: this.heads[2 * at] as number,
      objective,
      values: this.values.slice(begin, begin + dimension(objective)),
    };
    Atomics.store(this.control, Control.sketchTail, (tail + 1) | 0);
    return record;
  }
}

/** A tensor on its way into a safetensors file; its buffer is transferred, or not used again by the sender. */
export interface OutgoingTensor {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly values: TypedArray;
}

/** Training thread → worker. */
export type ToWorker =
  | { readonly type: 'manifest'; readonly patch: ManifestPatch }
  | {
      readonly type: 'objective';
      readonly index: number;
      readonly info: ObjectiveInfo;
      readonly sketch: { dimension: number; scale: number } | null;
    }
  | {
      readonly type: 'snapshot';
      readonly objective: number;
      readonly step: number;
      readonly tensors: readonly OutgoingTensor[];
      /** Earlier snapshots to delete once this one is there. */
      readonly drop: readonly number[];
      readonly every: number;
    }
  | {
      readonly type: 'drop';
      readonly objective: number;
      readonly steps: readonly number[];
      readonly every: number;
    }
  | {
      readonly type: 'evaluationSet';
      readonly file: string;
      readonly tensors: readonly OutgoingTensor[];
      readonly metadata: Readonly<Record<string, string>>;
      /** What run.json says of it; null for objectives after the first. */
      readonly meta: EvaluationSetMeta | null;
    }
  /** Comes before the step record that it belongs to. */
  | {
      readonly type: 'nonFinite';
      readonly objective: number;
      readonly step: number;
      readonly found: NonFinite;
    }
  /** Records of layers.bin: steps, and for each of them the numbers of all parameters. */
  | {
      readonly type: 'layers';
      readonly objective: number;
      readonly records: readonly { readonly step: number; readonly values: Float32Array }[];
    }
  | { readonly type: 'topology'; readonly json: string }
  | { readonly type: 'note'; readonly text: string }
  | { readonly type: 'listen'; readonly role: 'live' | 'frozen' }
  /** The run is over and another one goes on; both patches are written, and the endpoint moves. */
  | {
      readonly type: 'branch';
      readonly directory: string;
      readonly last: ManifestPatch;
      readonly first: ManifestPatch;
    }
  /** Write everything, take the endpoint down, then set Control.done. */
  | { readonly type: 'end'; readonly patch: ManifestPatch | null }
  | { readonly type: 'answer'; readonly request: number; readonly result: unknown }
  | { readonly type: 'failure'; readonly request: number; readonly error: ErrorData };

/** Worker → training thread. */
export type ToMain =
  | {
      readonly type: 'request';
      readonly request: number;
      readonly connection: number;
      readonly method: WireMethod;
      readonly params: unknown;
    }
  | { readonly type: 'closed'; readonly connection: number };

/** What the worker is started with. */
export interface WorkerData {
  readonly basin: 'wire';
  readonly options: import('../../protocol/launch.ts').ProbeOptions;
  readonly memory: SharedMemory;
  readonly port: MessagePort;
  readonly pid: number;
  readonly parent: number;
}
