/** The probe's worker thread: it alone writes the run and holds the socket, while the training thread trains. */
import { join } from 'node:path';
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import {
  Control,
  SketchRing,
  StepRing,
  type SketchRecord,
  type StepNumbers,
  type ToMain,
  type ToWorker,
  type WorkerData,
} from './channel.ts';
import type { NonFinite } from '../../protocol/run.ts';
import { watchLastSignals } from './lastSignals.ts';
import { RunWriter, noteIn, type RecordedStep } from './runWriter.ts';
import { isForsaken } from './starter.ts';
import { WireServer } from './wireServer.ts';

/** Steps reach the disk within two of these. */
const TICK_MILLISECONDS = 90;
const FAREWELL_MILLISECONDS = 25;
/** A process that a signal has not ended by then goes on. */
const SURVIVED_MILLISECONDS = 1_000;
/** A frozen process that nobody has asked for so long ends. */
const UNASKED_MILLISECONDS = 120_000;

/** What is printed here is nothing of the script's; and output of a thread that nobody reads would keep the process alive. */
function printNothing(): void {
  for (const stream of [process.stdout, process.stderr])
    stream.write = (_: unknown, encoding?: unknown, callback?: unknown) => {
      const done = typeof encoding === 'function' ? encoding : callback;
      if (typeof done === 'function') queueMicrotask(() => void (done as () => void)());
      return true;
    };
}

export function runWorker(): void {
  printNothing();
  const { options, memory, port, pid, parent } = workerData as WorkerData;
  const control = new Int32Array(memory.control);
  const steps = new StepRing(memory);
  const sketches = new SketchRing(memory);
  let server: WireServer | null = null;
  let writer: RunWriter | null = null;
  let role: 'live' | 'frozen' = 'live';
  const started = Date.now();

  const toMain = (message: ToMain): void => {
    port.postMessage(message);
    Atomics.add(control, Control.waiting, 1);
    Atomics.notify(control, Control.waiting);
  };
  const quit = (): void => {
    Atomics.store(control, Control.quit, 1);
    // Wakes the training thread, which waits on this word.
    Atomics.add(control, Control.waiting, 1);
    Atomics.notify(control, Control.waiting);
  };
  const failed = (error: unknown): void => {
    Atomics.store(control, Control.failed, 1);
    writer = null;
    try {
      const why = error instanceof Error ? error.message : String(error);
      noteIn(options.runDirectory, `Recording stopped: ${why}`);
    } catch {
      // A disk that takes nothing cannot take the note either; the training thread knows by the flag.
    }
  };
  /** Whatever goes wrong with the run's files ends recording and nothing else. */
  const attempt = (work: (to: RunWriter) => void): void => {
    if (writer === null) return;
    try {
      work(writer);
    } catch (error) {
      failed(error);
    }
  };
  /** By step and objective, for records that have not been written yet. */
  const found = new Map<string, NonFinite>();
  /** A record whose message is still on its way. */
  let waiting: StepNumbers | null = null;
  const drain = (): void => {
    const some: RecordedStep[] = [];
    for (let record = waiting ?? steps.shift(); record !== null; record = steps.shift()) {
      waiting = null;
      const key = `${record.step}.${record.objective}`;
      const nonFinite = found.get(key);
      if (record.nonFinite && nonFinite === undefined) {
        waiting = record;
        break;
      }
      found.delete(key);
      some.push({ record, ...(nonFinite === undefined ? {} : { nonFinite }) });
    }
    const projected: SketchRecord[] = [];
    const dimension = (objective: number): number => writer?.dimension(objective) ?? 0;
    for (let r = sketches.shift(dimension); r !== null; r = sketches.shift(dimension)) projected.push(r);
    attempt((to) => {
      to.appendSteps(some);
      to.appendSketches(projected);
      to.tick();
    });
  };

  const end = (): void => {
    const done = (): void => {
      Atomics.store(control, Control.done, 1);
      Atomics.notify(control, Control.done);
    };
    const clients = server?.clientCount ?? 0;
    // Answers (that to `resume` is one) are on their way through promises and sockets: they get time to leave.
    setTimeout(
      () => {
        server?.close();
        setTimeout(done, clients > 0 ? FAREWELL_MILLISECONDS : 0);
      },
      clients > 0 ? FAREWELL_MILLISECONDS : 0,
    );
  };

  if (options.mode === 'record') {
    try {
      writer = new RunWriter(options.runDirectory);
    } catch (error) {
      failed(error);
    }
  }

  const clock = setInterval(() => {
    drain();
    if (role === 'frozen') {
      const unasked = server?.clientCount === 0 && Date.now() - started > UNASKED_MILLISECONDS;
      if (unasked || process.ppid !== parent || isForsaken(options.starter)) quit();
    }
  }, TICK_MILLISECONDS);

  const take = (message: ToWorker): void => {
    switch (message.type) {
      case 'manifest':
        attempt((to) => to.patch(message.patch));
        break;
      case 'objective':
        attempt((to) => to.objective(message));
        break;
      case 'snapshot': {
        const bytes = message.tensors.reduce((sum, { values }) => sum + values.byteLength, 0);
        attempt((to) => to.snapshot(message));
        Atomics.sub(control, Control.backlog, Math.ceil(bytes / 1024));
        Atomics.notify(control, Control.backlog);
        break;
      }
      case 'drop':
        attempt((to) => to.drop(message));
        break;
      case 'evaluationSet':
        attempt((to) => to.evaluationSet(message));
        break;
      case 'nonFinite':
        found.set(`${message.step}.${message.objective}`, message.found);
        break;
      case 'layers':
        attempt((to) => to.appendLayers(message));
        break;
      case 'topology':
        attempt((to) => to.topology(message.json));
        break;
      case 'note':
        attempt((to) => to.note(message.text));
        break;
      case 'listen':
        role = message.role;
        server = new WireServer(options, role, pid, control, toMain, () => {
          if (role === 'frozen') quit();
        });
        try {
          server.listen((error) =>
            attempt((to) => to.note(`Questions cannot be answered: ${error.message}`)),
          );
        } catch (error) {
          attempt((to) => to.note(`Questions cannot be answered: ${(error as Error).message}`));
        }
        break;
      case 'branch':
        drain();
        attempt((to) => {
          writer = to.branch(message.directory, message);
        });
        server?.move(join(message.directory, 'endpoint.json'));
        break;
      case 'answer':
        server?.answer(message.request, message.result);
        break;
      case 'failure':
        server?.failure(message.request, message.error);
        break;
      case 'end':
        unwatch();
        drain();
        attempt((to) => to.patch(message.patch ?? {}));
        clearInterval(clock);
        end();
        break;
    }
  };
  parentPort?.on('message', take);

  const unwatch =
    writer === null
      ? () => undefined
      : watchLastSignals((signal, isLast) => {
          const port = parentPort;
          if (port === null) return;
          if (isLast) {
            Atomics.store(control, Control.ending, 1);
            // A listener that has come in this very moment keeps the process alive.
            setTimeout(() => {
              Atomics.store(control, Control.ending, 0);
              Atomics.notify(control, Control.ending);
            }, SURVIVED_MILLISECONDS);
          }
          for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port))
            take(next.message as ToWorker);
          drain();
          const stateReason = signal === 'SIGINT' ? 'Interrupted (Ctrl+C).' : `Ended by ${signal}.`;
          // A process that is held has done its training: whoever ends it says what that means.
          if (isLast) attempt((to) => to.lastWord({ state: 'interrupted', stateReason }));
        });
}
