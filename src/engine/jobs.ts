/** The jobs that ask an evaluator: from the request to the analysis and its draft of a result. */
import { average, chooseMembers } from '../analysis/average.ts';
import { contour } from '../analysis/contour.ts';
import { chooseEnsemble, ensemble } from '../analysis/ensemble.ts';
import type { AnalysisContext, Evaluator } from '../analysis/evaluator.ts';
import { line } from '../analysis/line.ts';
import type { Draft, Evaluation } from '../analysis/model.ts';
import { score } from '../analysis/score.ts';
import { sharpness } from '../analysis/sharpness.ts';
import type {
  AverageJob,
  ContourJob,
  EnsembleJob,
  LineJob,
  ScoreJob,
  SharpnessJob,
} from '../protocol/analyses.ts';
import type { ModelReference } from '../protocol/job.ts';
import { BasinError } from '../protocol/errors.ts';
import type { EvaluationMode, EvaluatorDescription } from '../protocol/evaluator.ts';
import type { AnalysisResult } from '../protocol/analyses.ts';
import type { ContourResult } from '../protocol/results.ts';
import { learningRateAt, resolveModel, stepOf, type RunContents } from './references.ts';

export type AnalysisJob = ContourJob | LineJob | SharpnessJob | ScoreJob | AverageJob | EnsembleJob;

/**
 * The job with every default filled in and every reference made definite, as a result's provenance keeps it and as
 * the cache compares it.
 * @throws BasinError `bad-input`, `not-found`
 */
export function completeJob(job: AnalysisJob, contents: RunContents): AnalysisJob {
  const common = { run: contents.run.id, objective: contents.objectiveIndex };
  const name = (reference: ModelReference): ModelReference => stepOf(contents, reference) ?? reference;
  switch (job.kind) {
    case 'contour':
      requireInteger('size', job.size, 5, 401);
      if (job.size % 2 === 0) {
        throw new BasinError(
          'bad-input',
          `A contour of ${job.size} points an axis has none in the centre.`,
          `Take ${job.size + 1}.`,
        );
      }
      return {
        ...job,
        ...common,
        split: job.split ?? 'train',
        at: name(typeof job.plane === 'string' ? (job.at ?? 'last') : job.plane[0]),
        ...(job.plane === 'random' ? { seed: job.seed ?? 1, span: job.span ?? 1 } : {}),
      };
    case 'line':
      requireInteger('points', job.points, 2, 1001);
      return { ...job, ...common, split: job.split ?? 'train', from: name(job.from), to: name(job.to) };
    case 'sharpness':
      requireInteger('top', job.top, 1, 20);
      return { ...job, ...common, split: job.split ?? 'train', at: name(job.at ?? 'last') };
    case 'score':
      return { ...job, ...common, at: name(job.at ?? 'last') };
    case 'average': {
      const members = chooseMembers(contents.snapshots, job);
      return {
        ...job,
        ...common,
        from: job.from ?? members[0]?.step ?? 0,
        to: job.to ?? members.at(-1)?.step ?? 0,
        stride: job.stride ?? 1,
      };
    }
    case 'ensemble': {
      const { last: _, ...rest } = job;
      const members = chooseEnsemble({ ...job, snapshots: contents.snapshots });
      return { ...rest, ...common, members: members.map((m) => m.step) };
    }
  }
}

/**
 * Looks up every model that a job names, so that a wrong name costs nothing: no script is started for it.
 * @param job with its defaults filled in
 * @throws BasinError `not-found`, `unsupported` for an ensemble where weights are needed, `corrupt-run`
 */
export async function requireModels(job: AnalysisJob, contents: RunContents): Promise<void> {
  const named: ModelReference[] = [];
  if (job.kind === 'line') named.push(job.from, job.to);
  if (job.kind === 'contour' && typeof job.plane !== 'string') named.push(...job.plane);
  if ('at' in job) named.push(job.at);
  for (const reference of named) await resolveModel(contents, reference);
}

/**
 * @param job with its defaults filled in
 * @param model id of the model that an average or ensemble builds
 * @throws BasinError as the analyses do; `unsupported` for a split or mode that the run does not have
 */
export async function runAnalysis(
  job: AnalysisJob,
  contents: RunContents,
  evaluator: Evaluator,
  context: AnalysisContext,
  model: string,
  publish: (partial: Draft<ContourResult>) => void,
): Promise<Draft<AnalysisResult>> {
  const { description } = evaluator;
  const mode = modeOf(job, description);
  const { snapshots } = contents;
  switch (job.kind) {
    case 'contour': {
      const at = await resolveModel(contents, job.at ?? 'last');
      const { plane, size } = job;
      return contour(
        evaluator,
        {
          ...evaluationOf(job, description, mode),
          snapshots,
          at,
          plane,
          size,
          ...(job.seed === undefined ? {} : { seed: job.seed }),
          ...(job.span === undefined ? {} : { span: job.span }),
        },
        context,
        publish,
      );
    }
    case 'line': {
      const from = await resolveModel(contents, job.from);
      const to = await resolveModel(contents, job.to);
      return line(
        evaluator,
        { ...evaluationOf(job, description, mode), from, to, points: job.points },
        context,
      );
    }
    case 'sharpness': {
      const reference = job.at ?? 'last';
      return sharpness(
        evaluator,
        {
          ...evaluationOf(job, description, mode),
          at: await resolveModel(contents, reference),
          top: job.top,
          optimizer: contents.objective.optimizer,
          learningRate: learningRateAt(contents, stepOf(contents, reference)),
        },
        context,
      );
    }
    case 'score':
      return score(evaluator, { at: await resolveModel(contents, job.at ?? 'last'), mode }, context);
    case 'average': {
      const { from, to, stride } = job;
      return average(
        evaluator,
        {
          snapshots,
          mode,
          window: {
            ...(from === undefined ? {} : { from }),
            ...(to === undefined ? {} : { to }),
            ...(stride === undefined ? {} : { stride }),
          },
          model: {
            id: model,
            file: contents.run.modelPath(model),
            metadata: { 'basin.run': contents.run.id, 'basin.model': model, 'basin.kind': 'average' },
          },
        },
        context,
      );
    }
    case 'ensemble':
      return ensemble(
        evaluator,
        {
          snapshots,
          mode,
          model,
          ...(job.members === undefined ? {} : { members: job.members }),
          ...(job.last === undefined ? {} : { last: job.last }),
        },
        context,
      );
  }
}

/** @throws BasinError `unsupported` */
export function modeOf(
  job: { readonly mode?: EvaluationMode },
  description: EvaluatorDescription,
): EvaluationMode {
  const [usual = 'as-trained'] = description.modes;
  const mode = job.mode ?? usual;
  if (description.modes.includes(mode) || mode === usual) return mode;
  throw new BasinError(
    'unsupported',
    `This run cannot be evaluated in ${mode} mode: its loss does not go through a layers model.`,
    `Leave the mode out; ${usual} is what it has.`,
  );
}

function evaluationOf(
  job: { readonly split?: 'train' | 'validation' },
  description: EvaluatorDescription,
  mode: EvaluationMode,
): Evaluation {
  const split = job.split ?? 'train';
  if (description[split] === null) {
    throw new BasinError(
      'unsupported',
      split === 'validation'
        ? 'The run has no validation data: the script gave none to fit or fitDataset.'
        : 'The run has kept no training batches yet.',
      split === 'validation'
        ? 'Use --data train, or train with validationData.'
        : 'Let it train a few steps more.',
    );
  }
  return { data: { split }, mode };
}

function requireInteger(name: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw new BasinError(
    'bad-input',
    `${name} has to be a whole number from ${least} to ${most}, not ${value}.`,
  );
}
