/** The training thread's end of the channel to the probe's worker. */
import inspector from 'node:inspector';
import { MessageChannel, Worker, receiveMessageOnPort, type MessagePort } from 'node:worker_threads';
import { PROBE_VARIABLE, type ProbeOptions } from '../../protocol/launch.ts';
import {
  Control,
  SketchRing,
  StepRing,
  createSharedMemory,
  type OutgoingTensor,
  type SketchRecord,
  type StepNumbers,
  type ToMain,
  type ToWorker,
  type WorkerData,
} from './channel.ts';

/** Snapshots on their way to the disk may take so much memory; then training waits for the disk. */
const BACKLOG_KIB = 512 * 1024;
const BACKLOG_WAIT_MILLISECONDS = 5_000;
const END_WAIT_MILLISECONDS = 30_000;
/** How often, and how long each time, room for a step is waited for: ten seconds. */
const MOST_TRIES = 1000;
const TRY_MILLISECONDS = 10;
/** A code debugger reaches the worker by way of this thread, and this thread only between two waits. */
const INSPECTED_WAIT_MILLISECONDS = 5;

export class WorkerLink {
  readonly control: Int32Array;
  private readonly steps: StepRing;
  private readonly sketches: SketchRing;
  private readonly worker: Worker;
  private readonly port: MessagePort;
  private alive = true;

  /**
   * Starts the worker, which keeps neither the process alive nor its output apart from the script's.
   * @param file the probe's own bundle
   * @param lost called from the event loop when the worker died of an error
   */
  constructor(file: string, options: ProbeOptions, lost: (error: Error) => void) {
    const memory = createSharedMemory();
    this.control = new Int32Array(memory.control);
    this.steps = new StepRing(memory);
    this.sketches = new SketchRing(memory);
    const { port1, port2 } = new MessageChannel();
    const data: WorkerData = {
      basin: 'wire',
      options,
      memory,
      port: port2,
      pid: process.pid,
      parent: process.ppid,
    };
    // The script's preloads and loaders (and this probe) have no business in the worker.
    const { NODE_OPTIONS: _options, [PROBE_VARIABLE]: _probe, ...env } = process.env;
    this.worker = new Worker(file, {
      workerData: data,
      transferList: [port2],
      execArgv: [],
      env,
      stdout: true,
      stderr: true,
    });
    this.worker.unref();
    this.worker.on('error', (error) => {
      this.alive = false;
      lost(error);
    });
    this.worker.on('exit', () => {
      this.alive = false;
    });
    this.port = port1;
  }

  get failed(): boolean {
    return !this.alive || Atomics.load(this.control, Control.failed) === 1;
  }

  post(message: ToWorker, transfer: ArrayBuffer[] = []): void {
    this.worker.postMessage(message, transfer);
  }

  pushStep(record: StepNumbers): void {
    if (Atomics.load(this.control, Control.ending) === 1)
      Atomics.wait(this.control, Control.ending, 1, END_WAIT_MILLISECONDS);
    // The ring holds some seconds of the fastest training; a worker that is starved for longer (by a busy machine, or by a
    // disk that takes its time) is waited for. One that does not come any more costs a step.
    for (let tries = 0; !this.steps.push(record); tries++) {
      if (tries === MOST_TRIES || this.failed) return;
      Atomics.wait(this.control, Control.done, 0, TRY_MILLISECONDS);
    }
  }

  pushSketch(record: SketchRecord): void {
    this.sketches.push(record);
  }

  /**
   * Hands over a snapshot, and with it the tensors' buffers.
   * @returns false when it had to be dropped because the disk is too slow
   */
  postSnapshot(message: Extract<ToWorker, { type: 'snapshot' }>): boolean {
    const kib = Math.ceil(byteLength(message.tensors) / 1024);
    const deadline = performance.now() + BACKLOG_WAIT_MILLISECONDS;
    for (;;) {
      const backlog = Atomics.load(this.control, Control.backlog);
      if (backlog === 0 || backlog + kib <= BACKLOG_KIB) break;
      const left = deadline - performance.now();
      if (left <= 0 || this.failed) return false;
      Atomics.wait(this.control, Control.backlog, backlog, left);
    }
    Atomics.add(this.control, Control.backlog, kib);
    this.post(message, [...new Set(message.tensors.map(({ values }) => values.buffer as ArrayBuffer))]);
    return true;
  }

  /** Whether the worker has something for this thread. One read of shared memory. */
  get hasMessages(): boolean {
    return Atomics.load(this.control, Control.waiting) !== 0;
  }

  get shouldQuit(): boolean {
    return Atomics.load(this.control, Control.quit) === 1;
  }

  /** The next message, or null. */
  receive(): ToMain | null {
    const received = receiveMessageOnPort(this.port) as { message: ToMain } | undefined;
    return received?.message ?? null;
  }

  /** Notes that all messages up to now will be received. Call before receiving them. */
  acknowledge(): void {
    Atomics.store(this.control, Control.waiting, 0);
  }

  /** Sleeps until the worker has a message, at most so long; under a code debugger in short naps, so call it in a loop. */
  waitForMessages(milliseconds: number): void {
    const nap = inspector.url() === undefined ? milliseconds : INSPECTED_WAIT_MILLISECONDS;
    Atomics.wait(this.control, Control.waiting, 0, Math.min(milliseconds, nap));
  }

  /** Has messages delivered from the event loop too, without keeping the process alive for them. */
  onMessage(listener: (message: ToMain) => void): void {
    this.port.on('message', listener);
    this.port.unref();
  }

  /** Waits until the worker has written everything. */
  end(message: Extract<ToWorker, { type: 'end' }>): void {
    if (!this.alive) return;
    this.post(message);
    Atomics.wait(this.control, Control.done, 0, END_WAIT_MILLISECONDS);
  }
}

export function byteLength(tensors: readonly OutgoingTensor[]): number {
  return tensors.reduce((sum, { values }) => sum + values.byteLength, 0);
}
