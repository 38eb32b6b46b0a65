/** The engine wire: jobs that the CLI and the extension ask for. JSON-RPC over the child's IPC (structured clone). */
import type { AnalysisJob, AnalysisResult } from './analyses.ts';
import type { ModelReference } from './job.ts';
import type { ExportFormat, ExportResult, ReportResult } from './results.ts';

export interface ExportJob {
  readonly kind: 'export';
  readonly run: string;
  readonly model: ModelReference;
  /** Name or index; the first by default. */
  readonly objective?: number | string;
  readonly format: ExportFormat;
  readonly to: string;
}
export interface ReportJob {
  readonly kind: 'report';
  readonly run: string;
  readonly to: string;
  /** Tag of the language of its words, such as `de`; English without one and where Basin does not speak it. */
  readonly language?: string;
}
export type Job = AnalysisJob | ExportJob | ReportJob;
export type JobResult = AnalysisResult | ExportResult | ReportResult;

export interface JobProgress {
  /** 0..1, or null while it cannot be known. */
  readonly fraction: number | null;
  /** A few words: "starting the script again", "contour 120 of 1681". */
  readonly message: string;
}

export interface EngineRequests {
  /**
   * Runs a job; partial results and progress come as notifications with the same job number. `standing`: whoever asks
   * holds the run's process still, which answers even where its manifest does not say yet that it stands.
   */
  run: { params: { job: Job; number: number; root: string; standing?: boolean }; result: JobResult };
  /** Lets a held run's process end. */
  release: { params: { run: string; root: string }; result: { released: boolean } };
}

export interface EngineNotifications {
  progress: { number: number; progress: JobProgress };
  partial: { number: number; result: AnalysisResult };
}
