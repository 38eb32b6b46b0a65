/** What the engine knows of a kind of analysis: how its job is completed, which models it names, and how it is run. */
import type { AnalysisContext, Evaluator } from '../analysis/evaluator.ts';
import type { Draft, Evaluation } from '../analysis/model.ts';
import type { Analyses, AnalysisJob, AnalysisKind, AnalysisResult } from '../protocol/analyses.ts';
import { BasinError } from '../protocol/errors.ts';
import { trainedMode, type EvaluationMode, type EvaluatorDescription } from '../protocol/evaluator.ts';
import type { ModelReference } from '../protocol/job.ts';
import type { BuiltModel } from '../protocol/run.ts';
import { stepOf, type RunContents } from './references.ts';

/** A job's surroundings while it runs, where the run's files are enough. */
export interface AskedOfRun {
  readonly contents: RunContents;
  readonly context: AnalysisContext;
}

/** What the jobs that were to be run before one have come to. */
export interface Answered {
  readonly answered: readonly AnalysisResult[];
  /** Those that had no answer. */
  readonly failed: readonly { readonly job: AnalysisJob; readonly error: BasinError }[];
}

/** A job's surroundings while it runs beside a process of the script. */
export interface Asked<R extends AnalysisResult> extends AskedOfRun {
  readonly evaluator: Evaluator;
  readonly mode: EvaluationMode;
  /** Id of the model that the job builds; empty where it builds none. */
  readonly model: string;
  /** A further id for a model that the job builds; given back when the job fails. */
  readonly reserve: (kind: BuiltModel['kind']) => Promise<string>;
  /** Shows a result that is being refined. @param unfinished what the same question can go on from, should this be the last of it */
  readonly publish: (partial: Draft<R>, unfinished?: object) => void;
  /** What the same question had left when it was interrupted; null where it had nothing, and where it is not to go on. */
  readonly unfinished: unknown;
}

interface AnyKind<K extends AnalysisKind> {
  /**
   * The job with every default filled in and every reference made definite, as a result's provenance keeps it and as
   * the cache compares it. `run`, `objective` and, where `split` is asked for, the split are filled in by the caller.
   * @throws BasinError `bad-input`, `not-found`
   */
  complete(job: Analyses[K]['job'], contents: RunContents): Analyses[K]['job'];
  /** Every model that a complete job names: looked up before anything is started. */
  models(job: Analyses[K]['job']): readonly ModelReference[];
}

/** A kind that asks a process of the script for losses and derivatives. */
export interface EvaluatorKind<K extends AnalysisKind> extends AnyKind<K> {
  readonly needs: 'evaluator';
  /** Whether it looks at predictions alone, which a built ensemble has as well as a model. */
  readonly takesEnsembles?: true;
  /** Whether it asks for the loss that training descends, batch statistics and all, where no other mode is named. */
  readonly ofTrainedLoss?: true;
  /** What it adds to the run's models, beside its result. */
  readonly builds?: BuiltModel['kind'];
  /** Whether an aborted signal makes it end early with what is there, in place of nothing. */
  readonly endsEarly?: true;
  /** Whether what it publishes is kept on disk, so that it can go on after it was interrupted or killed. */
  readonly resumes?: true;
  /** @throws BasinError as the analysis does */
  run(job: Analyses[K]['job'], asked: Asked<Analyses[K]['result']>): Promise<Draft<Analyses[K]['result']>>;
}

/** A kind that the run's files answer: no process is started or asked for it. */
export interface RunKind<K extends AnalysisKind> extends AnyKind<K> {
  readonly needs: 'run';
  /** Jobs whose results it reads, of this run or others: they are run before it, and what fails of them is handed on. */
  before?(job: Analyses[K]['job'], asked: AskedOfRun): Promise<readonly AnalysisJob[]>;
  /** What can be shown before all of these are done. @param current what the one under way has so far */
  soFar?(
    job: Analyses[K]['job'],
    asked: AskedOfRun & Answered,
    current: AnalysisResult | null,
  ): Promise<Draft<Analyses[K]['result']>>;
  /** @throws BasinError as the analysis does */
  run(job: Analyses[K]['job'], asked: AskedOfRun & Answered): Promise<Draft<Analyses[K]['result']>>;
}

export type Kind<K extends AnalysisKind> = EvaluatorKind<K> | RunKind<K>;

/** A reference as the step that it names, or the built model's id. @throws BasinError `no-steps` */
export function definite(contents: RunContents, reference: ModelReference): ModelReference {
  return stepOf(contents, reference) ?? reference;
}

/** The samples and the mode of a job. @throws BasinError `unsupported` for a split that the run does not have */
export function evaluationOf(
  job: { readonly split?: 'train' | 'validation' },
  { evaluator: { description }, mode }: Pick<Asked<AnalysisResult>, 'evaluator' | 'mode'>,
): Evaluation {
  const split = job.split ?? 'train';
  if (description[split] === null) {
    throw new BasinError(
      'unsupported',
      split === 'validation'
        ? 'The run has no validation data: the script evaluated none while it was recorded.'
        : 'The run has kept no training batches yet.',
      split === 'validation'
        ? 'Use --data train, or let the script evaluate held-out samples while it trains.'
        : 'Let it train a few steps more.',
    );
  }
  return { data: { split }, mode };
}

/** @param ofTrainedLoss the default is the loss that training descends @throws BasinError `unsupported` */
export function modeOf(
  job: { readonly mode?: EvaluationMode; readonly split?: 'train' | 'validation' },
  description: EvaluatorDescription,
  ofTrainedLoss = false,
): EvaluationMode {
  const usual =
    ofTrainedLoss && job.split !== 'validation'
      ? trainedMode(description)
      : (description.modes[0] ?? 'as-trained');
  const mode = job.mode ?? usual;
  if (description.modes.includes(mode) || mode === usual) return mode;
  throw new BasinError(
    'unsupported',
    `This run cannot be evaluated in ${mode} mode: its loss goes through no model whose dropout and batch norm can be switched.`,
    `Leave the mode out; ${usual} is what it has.`,
  );
}

/** Points along each axis of a contour. @throws BasinError `bad-input` */
export function requireGridSize(size: number): void {
  requireInteger('size', size, 5, 401);
  if (size % 2 === 1) return;
  throw new BasinError(
    'bad-input',
    `A contour of ${size} points an axis has none in the centre.`,
    `Take ${size + 1}.`,
  );
}

/** @throws BasinError `bad-input` */
export function requireInteger(name: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw new BasinError(
    'bad-input',
    `${name} has to be a whole number from ${least} to ${most}, not ${value}.`,
  );
}
