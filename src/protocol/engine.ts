/** The engine wire: jobs that the CLI and the extension ask for. JSON-RPC over the child's IPC (structured clone). */
import type { EvaluationMode } from './evaluator.ts';
import type { AnalysisResult, ContourResult, JobResult } from './results.ts';

/** A snapshot's step, 'last', 'first', or the id of a built model. */
export type ModelReference = number | string;

interface EvaluationOptions {
  readonly run: string;
  /** Name or index; the first by default. */
  readonly objective?: number;
  readonly split?: 'train' | 'validation';
  /** Default: the evaluator's own (inference for layers models, as trained otherwise). */
  readonly mode?: EvaluationMode;
}

export interface ContourJob extends EvaluationOptions {
  readonly kind: 'contour';
  /** pca: the trajectory's two main components; random: filter-normalised; or three snapshot steps. */
  readonly plane: 'pca' | 'random' | readonly [number, number, number];
  /** Points along each axis, odd so that the centre is a point. */
  readonly size: number;
  readonly at?: ModelReference;
  readonly seed?: number;
  /** Half-width of a random plane in units of the filter-normalised directions. */
  readonly span?: number;
  /** Ask the living process between its steps, rather than relaunching, while it trains. */
  readonly live?: boolean;
}
export interface LineJob extends EvaluationOptions {
  readonly kind: 'line';
  readonly from: ModelReference;
  readonly to: ModelReference;
  readonly points: number;
}
export interface SharpnessJob extends EvaluationOptions {
  readonly kind: 'sharpness';
  readonly at?: ModelReference;
  readonly top: number;
}
export interface ScoreJob extends EvaluationOptions {
  readonly kind: 'score';
  readonly at?: ModelReference;
}
export interface AverageJob extends EvaluationOptions {
  readonly kind: 'average';
  /** Default: the last quarter of the run. */
  readonly from?: number;
  readonly to?: number;
  readonly stride?: number;
}
export interface EnsembleJob extends EvaluationOptions {
  readonly kind: 'ensemble';
  readonly members?: readonly number[];
  readonly last?: number;
}
export interface ExportJob {
  readonly kind: 'export';
  readonly run: string;
  readonly model: ModelReference;
  readonly format: 'tfjs' | 'safetensors';
  readonly to: string;
}
export interface ReportJob {
  readonly kind: 'report';
  readonly run: string;
  readonly to: string;
}
export type Job =
  ContourJob | LineJob | SharpnessJob | ScoreJob | AverageJob | EnsembleJob | ExportJob | ReportJob;

export interface JobProgress {
  /** 0..1, or null while it cannot be known. */
  readonly fraction: number | null;
  /** A few words: "starting the script again", "contour 120 of 1681". */
  readonly message: string;
}

export interface EngineRequests {
  /** Runs a job; partial results and progress come as notifications with the same job number. */
  run: { params: { job: Job; number: number; root: string }; result: JobResult };
  /** Lets a held run's process end. */
  release: { params: { run: string; root: string }; result: { released: boolean } };
}

export interface EngineNotifications {
  progress: { number: number; progress: JobProgress };
  partial: { number: number; result: ContourResult };
}

export type { AnalysisResult, JobResult };
