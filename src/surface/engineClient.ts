/**
 * The extension's end of the engine wire: a process of its own, started with the first question, that does all
 * computing. Every request settles, also when that process dies; the next one starts it again.
 */
import { fork, type ChildProcess } from 'node:child_process';
import {
  CancellationTokenSource,
  createMessageConnection,
  IPCMessageReader,
  IPCMessageWriter,
  ResponseError,
  type MessageConnection,
} from 'vscode-jsonrpc/node.js';
import type { EngineNotifications, EngineRequests, Job, JobProgress, JobResult } from '../protocol/engine.ts';
import { BasinError, cancelled } from '../protocol/errors.ts';
import type { RefinedResult } from '../protocol/analyses.ts';
import { fromResponseError } from './wireErrors.ts';

export interface EngineOptions {
  /** dist/engine.cjs */
  readonly module: string;
  readonly log: (line: string) => void;
  readonly words: EngineWords;
}

/** What people read when the process is gone, in their language. */
export interface EngineWords {
  readonly ended: (how: string) => string;
  readonly exit: (code: number) => string;
  readonly again: string;
  readonly closing: string;
}

export interface JobObserver {
  readonly signal: AbortSignal;
  readonly progress: (progress: JobProgress) => void;
  /** A picture that is being refined. */
  readonly partial: (result: RefinedResult) => void;
  /** Whether a debugger of this window holds the run's process still. */
  readonly standing?: boolean;
}

interface EngineProcess {
  readonly child: ChildProcess;
  readonly connection: MessageConnection;
  /** Rejects when the process has ended. */
  readonly ended: Promise<never>;
}

/** Time an ended engine gets to stop its own children before it is killed. */
const GRACE_MS = 3000;

export class EngineClient {
  readonly #options: EngineOptions;
  readonly #observers = new Map</* job number */ number, JobObserver>();
  #process: EngineProcess | null = null;
  #disposed = false;
  #nextNumber = 1;

  constructor(options: EngineOptions) {
    this.#options = options;
  }

  /** Process id of the running engine; null before the first question. */
  get pid(): number | null {
    return this.#process?.child.pid ?? null;
  }

  /**
   * Runs a job of a run in a workspace folder.
   * @throws BasinError as the engine gave it, `cancelled`, or `process-ended` when the engine died on it
   */
  async run(job: Job, root: string, observer: JobObserver): Promise<JobResult> {
    const number = this.#nextNumber++;
    this.#observers.set(number, observer);
    try {
      const { signal, standing = false } = observer;
      return await this.#request('run', { job, number, root, standing }, signal);
    } finally {
      this.#observers.delete(number);
    }
  }

  /** Lets a held run's process end. */
  async release(run: string, root: string): Promise<boolean> {
    return (await this.#request('release', { run, root })).released;
  }

  async #request<M extends keyof EngineRequests>(
    method: M,
    params: EngineRequests[M]['params'],
    signal?: AbortSignal,
  ): Promise<EngineRequests[M]['result']> {
    if (signal?.aborted) throw cancelled();
    const { child, connection, ended } = this.#start();
    const source = new CancellationTokenSource();
    const abort = (): void => source.cancel();
    signal?.addEventListener('abort', abort, { once: true });
    try {
      return await Promise.race([
        connection.sendRequest<EngineRequests[M]['result']>(method, params, source.token),
        ended,
      ]);
    } catch (error) {
      if (signal?.aborted) throw cancelled();
      // A question that could not be sent: the end of the process, which is about to be heard of, says why.
      if (!(error instanceof ResponseError) && !child.connected) await ended;
      throw fromResponseError(error);
    } finally {
      signal?.removeEventListener('abort', abort);
      source.dispose();
    }
  }

  #start(): EngineProcess {
    if (this.#disposed) throw new BasinError('process-ended', this.#options.words.closing);
    if (this.#process !== null) return this.#process;
    const child = fork(this.#options.module, [], {
      execPath: process.execPath,
      execArgv: [],
      env: { ...process.env, ELECTRON_RUN_AS_NODE: '1' },
      serialization: 'advanced',
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.#options.log(`engine ${child.pid} started`);
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => this.#options.log(text.trimEnd()));
    }
    const connection = createMessageConnection(new IPCMessageReader(child), new IPCMessageWriter(child));
    const ended = new Promise<never>((_, reject) => {
      const end = (how: string): void => {
        if (this.#process?.child === child) this.#process = null;
        this.#options.log(`engine ${child.pid} ended: ${how}`);
        reject(new BasinError('process-ended', this.#options.words.ended(how), this.#options.words.again));
        // Behind: what disposing makes of pending requests says less.
        connection.dispose();
      };
      child.once('error', (error) => end(error.message));
      child.once('exit', (code, signal) => end(signal ?? this.#options.words.exit(code ?? 0)));
    });
    ended.catch(() => undefined);
    // A message that cannot be sent shows as the end of the process.
    connection.onError(([error]) => this.#options.log(`engine wire: ${error.message}`));
    const on = <N extends keyof EngineNotifications>(
      method: N,
      handler: (params: EngineNotifications[N]) => void,
    ): void => void connection.onNotification(method, handler);
    on('progress', ({ number, progress }) => this.#observers.get(number)?.progress(progress));
    on('partial', ({ number, result }) => {
      if (result.kind === 'contour' || result.kind === 'landscapes')
        this.#observers.get(number)?.partial(result);
    });
    connection.listen();
    this.#process = { child, connection, ended };
    return this.#process;
  }

  /** Ends the engine; it stops its own children when its channel closes. */
  async dispose(): Promise<void> {
    this.#disposed = true;
    const running = this.#process;
    if (running === null) return;
    const { child } = running;
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    if (child.connected) child.disconnect();
    const killer = setTimeout(() => child.kill('SIGKILL'), GRACE_MS);
    await gone;
    clearTimeout(killer);
  }
}
