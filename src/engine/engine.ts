/** Jobs to answers: each is queued, asked of the run's evaluator, and kept as a file of the run. */
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Draft } from '../analysis/model.ts';
import { attach } from '../evaluators/openEvaluator.ts';
import { installedProbes } from '../evaluators/probes.ts';
import type { RelaunchOptions } from '../evaluators/relaunch.ts';
import type { ExportJob, Job, JobProgress, JobResult } from '../protocol/engine.ts';
import { BasinError, cancelled } from '../protocol/errors.ts';
import { exportNeedsProcess } from '../protocol/exporting.ts';
import type { AnalysisJob, AnalysisResult } from '../protocol/analyses.ts';
import type { ExportResult, ReportResult } from '../protocol/results.ts';
import type { BuiltModel } from '../protocol/run.ts';
import { standsStill } from '../protocol/run.ts';
import { changedSentence, tellingOfChanges } from '../runs/changedSources.ts';
import { newResultId } from '../runs/runId.ts';
import { RunStore } from '../runs/runStore.ts';
import { buildRunView } from '../runs/runView.ts';
import { EvaluatorPool } from './evaluatorPool.ts';
import { exportEnsemble } from './exportEnsemble.ts';
import { exportByProcess, exportSafetensors, requireFormat } from './exportModel.ts';
import { countingBatches } from './countingBatches.ts';
import { byRun, finishedResult, keepResult } from './finishedResult.ts';
import { completeJob, kindOf, requireModels } from './jobs.ts';
import { modeOf, type Answered } from './kind.ts';
import { builtEnsemble, otherRuns, readContents, resolveModel, type RunContents } from './references.ts';
import { writeReport } from './report.ts';
import { findKept } from './resultCache.ts';
import { shareableView } from './shareableView.ts';
import { Unfinished } from './unfinished.ts';

export interface EngineOptions extends Pick<RelaunchOptions, 'onCommand' | 'environment'> {
  /** The workspace folder. */
  readonly root: string;
  /** dist/, with the probes and webview/. */
  readonly dist: string;
  /** Basin's own version, for provenance. */
  readonly version: string;
  /** How long a restarted script is kept for further questions, in ms. */
  readonly idleTime?: number;
  /** Time for a restarted script to reach its first step, in ms. */
  readonly startTime?: number;
  /** How many times a script is started again, to evaluate points side by side; 1 by default. */
  readonly processes?: number;
}

export interface JobObserver {
  readonly signal?: AbortSignal;
  readonly progress?: (progress: JobProgress) => void;
  /** What people should know before the answer is there. */
  readonly warning?: (message: string) => void;
  /** A result that is being refined. */
  readonly partial?: (result: AnalysisResult) => void;
  /**
   * Whoever asks holds the run's process still: it answers, even where its manifest does not say yet that it stands.
   * Without, a run that trains is answered by its script started again, unless the job itself is a live one.
   */
  readonly standing?: boolean;
}

/** Told by a job that runs. */
interface Course {
  readonly signal: AbortSignal;
  /** From now on an aborted signal ends the job early, with a result. */
  endsEarly: boolean;
}

/** Milliseconds that ending waits for a cancelled job. */
const PATIENCE = 2000;

export class Engine {
  readonly store: RunStore;
  readonly #pool: EvaluatorPool;
  /** The end of the queue: jobs run one after the other, since each takes what the machine has. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(private readonly options: EngineOptions) {
    this.store = new RunStore(options.root);
    this.#pool = new EvaluatorPool(
      {
        probes: installedProbes(options.dist),
        ...(options.onCommand ? { onCommand: options.onCommand } : {}),
        ...(options.environment ? { environment: options.environment } : {}),
        ...(options.startTime === undefined ? {} : { timeout: options.startTime }),
        ...(options.processes === undefined ? {} : { processes: options.processes }),
      },
      options.idleTime ?? 120_000,
    );
  }

  /**
   * Runs a job after those before it.
   * @throws BasinError; `cancelled` at once when the signal is aborted while the job waits
   */
  async run(job: Job, observer: JobObserver = {}): Promise<JobResult> {
    const signal = observer.signal ?? new AbortController().signal;
    const before = this.#last;
    const course: Course = { signal, endsEarly: false };
    const turn = (async () => {
      await before;
      return this.#runNow(job, { ...observer, signal }, course);
    })();
    this.#last = turn.catch(() => undefined);
    return untilAborted(turn, course);
  }

  /** Lets a held run's process end; false when no process of the run answers. */
  async release(reference: string): Promise<boolean> {
    const run = await this.store.open(reference);
    const evaluator = await attach(run, 0);
    if (evaluator === null) return false;
    try {
      await evaluator.resume({});
      return true;
    } catch (error) {
      // It may be gone before it has answered: that is what was asked for.
      if (error instanceof BasinError && error.code === 'process-ended') return true;
      throw error;
    } finally {
      evaluator.close();
    }
  }

  /** Ends every process that was started for questions. */
  async dispose(): Promise<void> {
    await this.#pool.dispose();
    // A job that was cancelled may still be writing down how far it came.
    await Promise.race([this.#last, sleep(PATIENCE, undefined, { ref: false })]);
  }

  async #runNow(
    job: Job,
    observer: JobObserver & { signal: AbortSignal },
    course: Course,
  ): Promise<JobResult> {
    if (observer.signal.aborted) throw cancelled();
    switch (job.kind) {
      case 'report':
        return this.#report(job.run, path.resolve(job.to), job.language);
      case 'export':
        return this.#export(job, observer);
      default:
        return this.#analyse(job, observer, course);
    }
  }

  async #report(reference: string, file: string, language?: string): Promise<ReportResult> {
    const run = await this.store.open(reference);
    const view = shareableView(await buildRunView(run), this.options.root);
    await writeReport(view, path.join(this.options.dist, 'webview'), file, language);
    return { kind: 'report', run: run.id, file };
  }

  async #export(job: ExportJob, observer: JobObserver & { signal: AbortSignal }): Promise<ExportResult> {
    const contents = await readContents(await this.store.open(job.run), job.objective);
    const directory = path.resolve(job.to);
    const { framework } = contents.manifest;
    requireFormat(job.format, framework);
    const ensemble = builtEnsemble(contents, job.model);
    if (ensemble !== null) {
      const { version } = this.options;
      const wanted = { contents, model: ensemble, directory, format: job.format, version };
      const files = exportNeedsProcess(job.format, framework)
        ? await this.#pool.use(
            contents,
            { live: observer.standing === true, signal: observer.signal },
            ({ evaluator }) => exportEnsemble(evaluator, wanted, observer.signal),
            () =>
              observer.progress?.({ fraction: null, message: opening(contents, observer.standing === true) }),
          )
        : await exportEnsemble(null, wanted, observer.signal);
      const { format } = job;
      return { kind: 'export', run: contents.run.id, model: ensemble.id, format, directory, files };
    }
    const model = await resolveModel(contents, job.model);
    const written = exportNeedsProcess(job.format, framework)
      ? await this.#pool.use(
          contents,
          { live: observer.standing === true, signal: observer.signal },
          ({ evaluator }) => exportByProcess(evaluator, model, directory, job.format, observer.signal),
          () =>
            observer.progress?.({ fraction: null, message: opening(contents, observer.standing === true) }),
        )
      : await exportSafetensors(fileOf(model.vector), exportName(contents, model.id), directory, {
          'basin.run': contents.run.id,
          'basin.model': model.id,
          'basin.version': this.options.version,
          framework: framework ?? 'unknown',
        });
    return {
      kind: 'export',
      run: contents.run.id,
      model: model.id,
      format: job.format,
      directory,
      files: written,
    };
  }

  async #analyse(
    request: AnalysisJob,
    observer: JobObserver & { signal: AbortSignal },
    course: Course,
  ): Promise<AnalysisResult> {
    const { signal } = observer;
    const contents = await readContents(await this.store.open(request.run), request.objective);
    const job = await completeJob(request, contents);
    const changed = await changedSentence(contents.manifest);
    // A result outlives the runs whose models it named.
    const others = await otherRuns(contents, kindOf(job).models(job)).catch(() => []);
    const kept = await findKept(job, contents, this.options.version, others);
    if (kept !== null) return tellingOfChanges(kept, changed);
    await requireModels(job, contents);
    const progress = (fraction: number | null, message: string): void =>
      observer.progress?.({ fraction, message });
    const warn = (message: string): void => observer.warning?.(message);
    const context = { signal, progress, warn };
    const circumstances = { id: newResultId(job.kind), contents, job, version: this.options.version };
    const kind = kindOf(job);
    if (kind.needs === 'run') {
      const started = performance.now();
      const before = (await kind.before?.(job, { contents, context })) ?? [];
      const finish = (draft: Draft<AnalysisResult>): AnalysisResult =>
        finishedResult(draft, { ...circumstances, by: byRun(contents), started });
      const { id } = contents.run;
      const told = await this.#runBefore(before, id, observer, course, async (so, current) => {
        const draft = await kind.soFar?.(job, { contents, context, ...so }, current);
        if (draft !== undefined && !signal.aborted) observer.partial?.(finish(draft));
      });
      const draft = await kind.run(job, { contents, context, ...told });
      if (signal.aborted) throw cancelled();
      const result = finish(draft);
      await keepResult(result, contents);
      return tellingOfChanges(result, changed);
    }
    const live = observer.standing === true || ('live' in job && job.live === true);
    return this.#pool.use(
      contents,
      { live, signal },
      async ({ evaluator, source }) => {
        const started = performance.now();
        const { framework, backend, versions } = evaluator.description;
        const mode = modeOf(
          'mode' in job || 'split' in job ? job : {},
          evaluator.description,
          kind.ofTrainedLoss,
        );
        const { train } = evaluator.description;
        const by = { mode, framework, backend, versions, evaluator: source };
        const finish = (draft: Draft<AnalysisResult>): AnalysisResult =>
          finishedResult(train?.unit === 'batches' ? countingBatches(draft) : draft, {
            ...circumstances,
            by,
            started,
          });
        const unfinished =
          kind.resumes === true ? new Unfinished(contents.run, job, this.options.version) : null;
        const resume = 'resume' in job && job.resume === true;
        const left = resume ? ((await unfinished?.read()) ?? null) : null;
        if (resume && left === null) warn('There is nothing to go on from: every point is evaluated.');
        const reserved: string[] = [];
        const reserve = async (builds: BuiltModel['kind']): Promise<string> => {
          const id = await contents.run.reserveModelId(builds);
          reserved.push(id);
          return id;
        };
        try {
          const model = kind.builds === undefined ? '' : await reserve(kind.builds);
          course.endsEarly = kind.endsEarly === true;
          const draft = await kind.run(job, {
            contents,
            evaluator,
            mode,
            context,
            model,
            reserve,
            publish: (partial, points) => {
              observer.partial?.(finish(partial));
              if (points !== undefined) unfinished?.keep(points);
            },
            unfinished: left,
          });
          if (signal.aborted && !course.endsEarly) throw cancelled();
          const result = finish(draft);
          await keepResult(result, contents);
          await unfinished?.discard();
          return tellingOfChanges(result, changed);
        } catch (error) {
          await unfinished?.settled();
          for (const id of reserved) await contents.run.discardModel(id);
          throw error;
        }
      },
      () => progress(null, opening(contents, live)),
    );
  }

  /**
   * Runs jobs that another one needs, run by run; what has no answer is told and goes on.
   * @param asker id of the run whose process may be held still by whoever asks
   * @param tell is given what there is after each of them, and what the one under way has so far
   * @throws BasinError `cancelled`
   */
  async #runBefore(
    jobs: readonly AnalysisJob[],
    asker: string,
    observer: JobObserver & { signal: AbortSignal },
    course: Course,
    tell: (so: Answered, current: AnalysisResult | null) => Promise<void>,
  ): Promise<Answered> {
    const failed: { job: AnalysisJob; error: BasinError }[] = [];
    const answered: AnalysisResult[] = [];
    // One picture after the other, in the order in which they came.
    let telling = Promise.resolve();
    const soFar = (current: AnalysisResult | null): void => {
      const so = { answered: [...answered], failed: [...failed] };
      telling = telling.then(() => tell(so, current)).catch(() => undefined);
    };
    for (const [k, job] of jobs.entries()) {
      const said = (message: string): string => `${job.run}, ${job.kind}: ${message}`;
      try {
        const result = await this.#analyse(
          job,
          {
            signal: observer.signal,
            standing: observer.standing === true && job.run === asker,
            progress: ({ fraction, message }) =>
              observer.progress?.({ fraction: (k + (fraction ?? 0)) / jobs.length, message: said(message) }),
            warning: (message) => observer.warning?.(said(message)),
            partial: (result) => soFar(result),
          },
          course,
        );
        answered.push(result);
      } catch (error) {
        if (!(error instanceof BasinError) || error.code === 'cancelled') throw error;
        failed.push({ job, error });
      }
      if (k + 1 < jobs.length) soFar(null);
      // A process that has answered all of its questions would only take memory while the next run is asked.
      if (jobs[k + 1]?.run !== job.run) await this.#pool.dispose();
    }
    await telling;
    return { answered, failed };
  }
}

function opening({ manifest }: RunContents, live: boolean): string {
  return standsStill(manifest.state) || (live && manifest.state === 'training')
    ? `asking the ${manifest.state} process`
    : `starting the script again: ${manifest.command.join(' ')}`;
}

/** A snapshot's step says little as a file name. */
function exportName(contents: RunContents, model: string): string {
  return /^\d+$/.test(model) ? `${contents.run.id}-step-${model}` : `${contents.run.id}-${model}`;
}

function fileOf(vector: string | { readonly file: string }): string {
  if (typeof vector !== 'string') return vector.file;
  throw new BasinError('internal', 'A model without a file cannot be copied.');
}

/** Settles a job at once when it is cancelled, but for one that ends early with what it has. */
function untilAborted<T>(turn: Promise<T>, course: Course): Promise<T> {
  const { signal } = course;
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      if (!course.endsEarly) reject(cancelled());
    };
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    turn.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
