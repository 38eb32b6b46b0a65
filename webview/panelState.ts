/** What the panel knows: the run as last told, jobs that are under way, what failed. No DOM here. */
import type { Job, JobProgress, JobResult } from '../src/protocol/engine.ts';
import type { ErrorData } from '../src/protocol/errors.ts';
import type { PageNotifications, RunView } from '../src/protocol/page.ts';
import type { AnalysisResult, RefinedResult } from '../src/protocol/analyses.ts';

export interface RunningJob {
  readonly number: number;
  readonly job: Job;
  readonly progress: JobProgress;
  /** The picture as far as it has come. */
  readonly partial: RefinedResult | null;
  readonly cancelling: boolean;
}

export interface PanelState {
  readonly view: RunView | null;
  readonly running: readonly RunningJob[];
  /** What a kind of job last failed with, until it is asked for again. */
  readonly failures: ReadonlyMap<Job['kind'], ErrorData>;
}

export const initialState: PanelState = { view: null, running: [], failures: new Map() };

/** A whole snapshot. Jobs that were under way go on being told of. */
export function showRun(state: PanelState, view: RunView): PanelState {
  return {
    ...state,
    view: {
      ...view,
      results: merge(view.results, state.view?.run.id === view.run.id ? state.view.results : []),
    },
  };
}

/** Appends what was added. A step that is known already (sent twice around a snapshot) is not drawn twice. */
export function addSteps(
  state: PanelState,
  { steps, live, run, events }: PageNotifications['addSteps'],
): PanelState {
  if (state.view === null) return state;
  return {
    ...state,
    view: {
      ...state.view,
      run,
      steps: append(state.view.steps, steps),
      live: append(state.view.live, live),
      ...(events === undefined ? {} : { events }),
    },
  };
}

export function startJob(state: PanelState, number: number, job: Job, message: string): PanelState {
  const failures = new Map(state.failures);
  failures.delete(job.kind);
  return {
    ...state,
    failures,
    running: [
      ...state.running,
      { number, job, progress: { fraction: null, message }, partial: null, cancelling: false },
    ],
  };
}

export function jobProgress(
  state: PanelState,
  { number, job, progress }: PageNotifications['jobProgress'],
): PanelState {
  if (!state.running.some((one) => one.number === number)) {
    return jobProgress(startJob(state, number, job, progress.message), { number, job, progress });
  }
  return { ...state, running: update(state.running, number, { progress }) };
}

export function jobPartial(
  state: PanelState,
  { number, result }: PageNotifications['jobPartial'],
): PanelState {
  return { ...state, running: update(state.running, number, { partial: result }) };
}

export function cancelling(state: PanelState, number: number): PanelState {
  return { ...state, running: update(state.running, number, { cancelling: true }) };
}

/** Told by a notification, by the request's answer, or by both: the second changes nothing. */
export function jobDone(
  state: PanelState,
  { number, result, error }: PageNotifications['jobDone'],
): PanelState {
  const done = state.running.find((one) => one.number === number);
  let next: PanelState = { ...state, running: state.running.filter((one) => one.number !== number) };
  if (result !== null && isKept(result) && next.view !== null) {
    next = { ...next, view: { ...next.view, results: merge([result], next.view.results) } };
  }
  // A cancelled job is no failure.
  if (error !== null && error.code !== 'cancelled' && done) {
    next = { ...next, failures: new Map(next.failures).set(done.job.kind, error) };
  }
  return next;
}

export function runningOf(state: PanelState, kinds: readonly Job['kind'][]): RunningJob | null {
  return state.running.find((one) => kinds.includes(one.job.kind)) ?? null;
}

/** Results of one kind, newest first. */
export function resultsOf<K extends AnalysisResult['kind']>(
  view: RunView,
  kind: K,
): Extract<AnalysisResult, { kind: K }>[] {
  return view.results.filter(
    (result): result is Extract<AnalysisResult, { kind: K }> => result.kind === kind,
  );
}

function isKept(result: JobResult): result is AnalysisResult {
  return result.kind !== 'export' && result.kind !== 'report';
}

/** The first list's results, then those of the second that it does not have. */
function merge(newer: readonly AnalysisResult[], older: readonly AnalysisResult[]): AnalysisResult[] {
  const seen = new Set(newer.map(({ id }) => id));
  return [...newer, ...older.filter(({ id }) => !seen.has(id))].sort((a, b) =>
    b.provenance.created.localeCompare(a.provenance.created),
  );
}

function append<T extends { readonly step: number }>(known: readonly T[], added: readonly T[]): readonly T[] {
  const last = known.at(-1)?.step ?? -1;
  return [...known, ...added.filter(({ step }) => step > last)];
}

function update(
  running: readonly RunningJob[],
  number: number,
  change: Partial<RunningJob>,
): readonly RunningJob[] {
  return running.map((one) => (one.number === number ? { ...one, ...change } : one));
}
