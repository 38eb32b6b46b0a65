/**
 * The page wire: extension host ↔ webview (panel, sidebar), and the data inside an HTML report.
 * JSON-RPC over postMessage. A page says `ready`, is sent a whole snapshot of what it shows, then deltas
 * while it is visible; a page that becomes visible again is sent a whole snapshot again.
 */
import type { ErrorData } from './errors.ts';
import type { Job, JobProgress, JobResult } from './engine.ts';
import type { AnalysisResult, RefinedResult } from './analyses.ts';
import type { ContourResult } from './results.ts';
import type { BuiltModel, LiveNoiseScale, LiveSharpness, RunManifest, StepRecord } from './run.ts';
import type { TrainingEvent } from './trainingEvents.ts';

/** Everything a panel or report shows of one run. */
export interface RunView {
  readonly run: RunManifest;
  /** Thinned for drawing, first and last kept. */
  readonly steps: readonly StepRecord[];
  readonly live: readonly LiveSharpness[];
  /** Of the first objective. */
  readonly snapshots: readonly number[];
  /** Of each objective, where there are several. */
  readonly objectiveSnapshots?: readonly (readonly number[])[];
  readonly models: readonly BuiltModel[];
  /** Newest first. */
  readonly results: readonly AnalysisResult[];
  /** The gradient noise scale as measured while it trained. */
  readonly noise?: readonly LiveNoiseScale[];
  /** By step. */
  readonly events?: readonly TrainingEvent[];
}

/** What the sidebar's Landscape view shows. */
export interface LandscapeView {
  readonly run: RunManifest | null;
  /** Index of the one that steps, sharpness and contour are of. */
  readonly objective: number;
  readonly steps: readonly StepRecord[];
  readonly live: readonly LiveSharpness[];
  /** The newest contour, and the trajectory projected on its plane up to now. */
  readonly contour: ContourResult | null;
  /** A sentence in place of a picture, or below a coarse one: what is missing and what to do. */
  readonly message: string | null;
  readonly progress: JobProgress | null;
  readonly error: ErrorData | null;
}

/** The panel's lenses by name. */
export type LensName =
  | 'contour'
  | 'surface'
  | 'line'
  | 'trajectory'
  | 'spectrum'
  | 'sharpness'
  | 'averaging'
  | 'generalisation'
  | 'log';

/** Jobs that a page starts have positive numbers, those that the host starts for it negative ones. */
export interface PageJob {
  readonly number: number;
  readonly job: Job;
  readonly progress: JobProgress;
}

/** Stands in a column of steps where a number was not read or is not known: none that a step has, and no NaN. */
export const NOT_KNOWN = -Number.MAX_VALUE;

/** Every step of a run, a number each; {@link NOT_KNOWN} where it was not read. */
export interface StepColumns {
  readonly step: Float64Array;
  readonly objective: Float64Array;
  readonly epoch: Float64Array;
  readonly loss: Float64Array;
  readonly learningRate: Float64Array;
  readonly gradientNorm: Float64Array;
  readonly updateNorm: Float64Array;
  readonly distance: Float64Array;
  /** Seconds since the first step. */
  readonly time: Float64Array;
}

/** Requests of the page, answered by the host. */
export interface PageRequests {
  ready: { params: object; result: object };
  /** Starts a job for this panel's run; answers when it is done, fails with ErrorData. */
  runJob: { params: { job: Job; number: number }; result: JobResult };
  cancelJob: { params: { number: number }; result: object };
  /** Saves what the page rendered: the host asks for the place. */
  saveFile: {
    params: { name: string; content: string; encoding: 'utf8' | 'base64' };
    result: { saved: string | null };
  };
  /** All steps, where those of the view are thinned. */
  readSteps: { params: object; result: StepColumns };
  /** Which of the run's objectives the page shows: the sidebar follows. */
  chooseObjective: { params: { objective: number }; result: object };
  /** Runs one of the extension's own commands with this run as its argument. */
  runCommand: { params: { command: string; argument?: string }; result: object };
}

/** Notifications of the host. */
export interface PageNotifications {
  showRun: RunView;
  showLandscape: LandscapeView;
  /** Brings a lens to the front, as after the command whose result it shows; and in it one of the kept results. */
  showLens: { lens: LensName; result?: string };
  /** Steps and live sharpness added since; the page appends them. */
  addSteps: {
    steps: readonly StepRecord[];
    live: readonly LiveSharpness[];
    run: RunManifest;
    /** All of them, where there are more than before. */
    events?: readonly TrainingEvent[];
  };
  jobProgress: { number: number; job: Job; progress: JobProgress };
  jobPartial: { number: number; result: RefinedResult };
  jobDone: { number: number; result: JobResult | null; error: ErrorData | null };
}
