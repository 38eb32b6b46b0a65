/** Jobs asked of the engine: consent before, progress and cancel meanwhile, everyone who shows the run told. */
import * as vscode from 'vscode';
import type { RefinedResult } from '../protocol/analyses.ts';
import type { Job, JobProgress, JobResult } from '../protocol/engine.ts';
import { cancelled, isCancelled, toErrorData, type ErrorData } from '../protocol/errors.ts';
import { CountedEvent } from './countedEvent.ts';
import type { DebugSessions } from './debugSessions.ts';
import { DisposableStore } from './disposables.ts';
import type { EngineClient } from './engineClient.ts';
import { contextKeys } from './ids.ts';
import type { Relaunch } from './relaunch.ts';
import { atStanding } from './standingJob.ts';
import { setContext, type KnownRun } from './workspaceRuns.ts';

export interface RunningJob {
  /** Negative, unless a page gave its own. */
  readonly number: number;
  /** Directory of the run; the page whose number it is. */
  readonly directory: string;
  readonly job: Job;
  progress: JobProgress;
  cancel(): void;
}

export type JobEvent = { readonly running: RunningJob } & (
  | { readonly kind: 'progress' }
  | { readonly kind: 'partial'; readonly result: RefinedResult }
  | { readonly kind: 'done'; readonly result: JobResult | null; readonly error: ErrorData | null }
);

/** How a job is started: by whom, under which number, stopped by what. */
export interface JobOptions {
  readonly number?: number;
  readonly signal?: AbortSignal;
  /** A job that Basin starts by itself: it never asks, and is told to nobody but the one who started it. */
  readonly quiet?: boolean;
  readonly progress?: (progress: JobProgress) => void;
  readonly partial?: (result: RefinedResult) => void;
}

export class Jobs implements vscode.Disposable {
  readonly #store = new DisposableStore();
  readonly #running = new Set<RunningJob>();
  readonly #events = this.#store.add(new CountedEvent<JobEvent>());
  readonly onDidHear = this.#events.event;
  #nextNumber = -1;

  constructor(
    private readonly engine: EngineClient,
    private readonly relaunch: Relaunch,
    private readonly sessions: DebugSessions,
    private readonly log: vscode.LogOutputChannel,
  ) {}

  /** Jobs that someone asked for, oldest first. */
  get running(): readonly RunningJob[] {
    return [...this.#running];
  }

  /** How many listen. */
  get listeners(): number {
    return this.#events.listeners;
  }

  /**
   * Of a run that stands in the debugger, at the very weights that stand.
   * @throws BasinError as the engine gave it, `cancelled`, or `not-allowed`
   */
  async run(run: KnownRun, job: Job, options: JobOptions = {}): Promise<JobResult> {
    const controller = new AbortController();
    const abort = (): void => controller.abort();
    options.signal?.addEventListener('abort', abort, { once: true });
    if (options.signal?.aborted) abort();
    const running: RunningJob = {
      number: options.number ?? this.#nextNumber--,
      directory: run.run.directory,
      job,
      progress: {
        fraction: null,
        message: this.relaunch.isAllowed(run, job)
          ? vscode.l10n.t('waiting')
          : vscode.l10n.t('waiting for your answer: may the script be started again?'),
      },
      cancel: abort,
    };
    const tell = (event: JobEvent): void => {
      if (!options.quiet) this.#events.fire(event);
    };
    if (!options.quiet) this.#running.add(running);
    setContext(contextKeys.busy, this.#running.size > 0);
    tell({ kind: 'progress', running });
    this.log.debug(`job ${running.number} ${JSON.stringify(job)}`);
    const started = performance.now();
    let result: JobResult | null = null;
    let failure: unknown = null;
    try {
      const standing = job.kind === 'report' ? null : await this.sessions.standing(run);
      await orCancelled(this.relaunch.ensure(run, job, { standing: standing !== null }), controller.signal);
      const step = isAboutFirst(run, job) ? standing : null;
      if (step !== null) {
        running.progress = {
          fraction: null,
          message: vscode.l10n.t('at the weights that stand in the debugger, step {0}', step),
        };
        tell({ kind: 'progress', running });
      }
      result = await this.engine.run(step === null ? job : atStanding(job, step), run.folder.uri.fsPath, {
        signal: controller.signal,
        standing: standing !== null,
        progress: (progress) => {
          running.progress = progress;
          options.progress?.(progress);
          tell({ kind: 'progress', running });
        },
        partial: (partial) => {
          options.partial?.(partial);
          tell({ kind: 'partial', running, result: partial });
        },
      });
      this.log.info(`${job.kind} of ${run.id}: ${((performance.now() - started) / 1000).toFixed(2)} s`);
      return result;
    } catch (error) {
      failure = error;
      throw error;
    } finally {
      options.signal?.removeEventListener('abort', abort);
      this.#running.delete(running);
      setContext(contextKeys.busy, this.#running.size > 0);
      tell({ kind: 'done', running, result, error: failure === null ? null : toErrorData(failure) });
      if (failure !== null && !isCancelled(failure)) {
        const { message, detail } = toErrorData(failure);
        this.log.error(`${job.kind} of ${run.id}: ${message}${detail === undefined ? '' : `\n${detail}`}`);
      }
    }
  }

  /** Lets a held run's process end. */
  release(run: KnownRun): Promise<boolean> {
    return this.engine.release(run.id, run.folder.uri.fsPath);
  }

  cancelAll(): void {
    for (const running of this.#running) running.cancel();
  }

  dispose(): void {
    this.cancelAll();
    this.#store.dispose();
  }
}

/** The debugger drives a run's first objective; of another one no standing weights are kept. */
function isAboutFirst({ manifest }: KnownRun, job: Job): boolean {
  if (job.kind === 'report') return false;
  const { objective } = job as { readonly objective?: number | string };
  return objective === undefined || objective === 0 || objective === manifest?.objectives[0]?.name;
}

/** A question that waits for people is given up with its job. */
async function orCancelled(answer: Promise<void>, signal: AbortSignal): Promise<void> {
  let stop: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(cancelled());
  });
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop, { once: true });
  try {
    await Promise.race([answer, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
