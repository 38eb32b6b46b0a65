/** Every kind of analysis: its request and its answer. The engine, the command line and the page take their types from here. */
import type { AveragingAnalyses } from './averaging.ts';
import type { CurvatureAnalyses } from './curvature.ts';
import type { CurvatureMapAnalyses } from './curvatureMap.ts';
import type { CyclesAnalyses } from './cycles.ts';
import type { Combination } from './evaluator.ts';
import type { FlatnessAnalyses } from './flatness.ts';
import type { FurtherTrainingAnalyses } from './furtherTraining.ts';
import type { GeneralisationAnalyses } from './generalisation.ts';
import type { LandscapesAnalyses, LandscapesResult } from './landscapes.ts';
import type { LayersAnalyses } from './layers.ts';
import type { MeasuresAnalyses } from './measures.ts';
import type { NoiseAnalyses } from './noise.ts';
import type { EvaluationOptions, ModelReference } from './job.ts';
import type { PointAnalyses } from './points.ts';
import type { SoupAnalyses } from './soups.ts';
import type { PlaneOptions } from './plane.ts';
import type { TrajectoryAnalyses } from './trajectory.ts';
import type {
  AverageResult,
  ContourResult,
  EnsembleResult,
  LineResult,
  ScoreResult,
  SharpnessResult,
} from './results.ts';

export interface ContourJob extends EvaluationOptions, PlaneOptions {
  readonly kind: 'contour';
  /** Points along each axis, odd so that the centre is a point. */
  readonly size: number;
  /** Random planes to compare the one that is shown with, itself among them; 2 to 1000. */
  readonly seeds?: number;
  /** Evaluate only where isolines need it and interpolate elsewhere; default true. */
  readonly adaptive?: boolean;
  /** Go on from what the same question had found when it was interrupted; default false. */
  readonly resume?: boolean;
  /** Ask the living process between its steps, rather than relaunching, while it trains. */
  readonly live?: boolean;
}
export interface LineJob extends EvaluationOptions {
  readonly kind: 'line';
  readonly from: ModelReference;
  readonly to: ModelReference;
  readonly points: number;
  /** Put the hidden units of `to` in the order of those of `from` first. */
  readonly match?: boolean;
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
  /** Only the latest k of the window. */
  readonly last?: number;
  /** Decay per snapshot of an exponential moving average, in (0, 1); equal weights when absent. */
  readonly ema?: number;
  /** Fail with code `barrier` rather than average across one. */
  readonly stopAtBarrier?: boolean;
}
export interface EnsembleJob extends EvaluationOptions {
  readonly kind: 'ensemble';
  /** Steps and models of the run, or `RUN:STEP` and `RUN:MODEL` of others of the same architecture. */
  readonly members?: readonly ModelReference[];
  /** The latest so many snapshots; 5 by default. */
  readonly last?: number;
  /** How predictions are put together; probability, or mean where the loss has no classes, when absent. */
  readonly combine?: Combination;
  /** Select at most so many of the members (of all snapshots, where none are named) by their held-out loss. */
  readonly select?: number;
}

/** By kind. A family of analyses declares its own map in a file of its own, and is added here by `extends`. */
export interface Analyses
  extends
    AveragingAnalyses,
    CurvatureAnalyses,
    CurvatureMapAnalyses,
    CyclesAnalyses,
    FlatnessAnalyses,
    FurtherTrainingAnalyses,
    GeneralisationAnalyses,
    LandscapesAnalyses,
    LayersAnalyses,
    MeasuresAnalyses,
    NoiseAnalyses,
    PointAnalyses,
    SoupAnalyses,
    TrajectoryAnalyses {
  contour: { job: ContourJob; result: ContourResult };
  line: { job: LineJob; result: LineResult };
  sharpness: { job: SharpnessJob; result: SharpnessResult };
  score: { job: ScoreJob; result: ScoreResult };
  average: { job: AverageJob; result: AverageResult };
  ensemble: { job: EnsembleJob; result: EnsembleResult };
}

/** What is shown in a page while it is refined. */
export type RefinedResult = ContourResult | LandscapesResult;

export type AnalysisKind = keyof Analyses;
const everyKind: Readonly<Record<AnalysisKind, true>> = {
  contour: true,
  landscapes: true,
  'curvature-map': true,
  line: true,
  sharpness: true,
  spectrum: true,
  stability: true,
  flatness: true,
  calibration: true,
  margins: true,
  measures: true,
  layers: true,
  noise: true,
  trajectory: true,
  cycles: true,
  score: true,
  point: true,
  average: true,
  sweep: true,
  swag: true,
  soup: true,
  swa: true,
  fge: true,
  'snapshot-ensemble': true,
  ensemble: true,
};
/** As a list, for what reads results back: a kind that is left out above does not compile. */
export const analysisKinds: readonly string[] = Object.keys(everyKind);
export type AnalysisJob = Analyses[AnalysisKind]['job'];
/** A result that is kept under analyses/ and can be drawn again. */
export type AnalysisResult = Analyses[AnalysisKind]['result'];
