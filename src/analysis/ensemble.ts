/** Ensembles: models whose predictions are averaged (Huang et al. 2017 for snapshots of one run). */
import { BasinError } from '../protocol/errors.ts';
import type { Combination, EvaluationMode, Predictions } from '../protocol/evaluator.ts';
import type { EnsembleSize } from '../protocol/ensembles.ts';
import type { ModelReference } from '../protocol/job.ts';
import type { EnsembleResult } from '../protocol/results.ts';
import type { AnalysisContext, Evaluator } from './evaluator.ts';
import { finite } from './finite.ts';
import type { Draft, Model, Snapshot } from './model.ts';
import { deviation, mean } from './moments.ts';
import {
  accuracyOf,
  combinationFor,
  diversityOf,
  Ensemble,
  lossesOf,
  toRows,
  type Rows,
} from './predictions.ts';
import { requireReplay } from './replay.ts';
import { requireOneOutput } from './requireOneOutput.ts';
import { measureMembers, type Measured } from './measure.ts';
import { judgedOn } from './score.ts';
import { judgedSelection } from './selection.ts';
import { dataSentence, replaySentence } from './trust.ts';
import { comparisonSentences } from './trustComparison.ts';
import { diversitySentences, selectionSentences } from './trustEnsemble.ts';
import { withVectors } from './vectors.ts';

export interface EnsembleInput {
  /** The members, or with `select` those that may become one; see {@link requireMembers}. */
  readonly members: readonly Model[];
  /** The run's last snapshot. */
  readonly last: Snapshot;
  /** Probability, or mean where the loss has no classes, when absent. */
  readonly combine?: Combination;
  /** Choose at most so many of the members by their held-out loss. */
  readonly select?: number;
  readonly mode: EvaluationMode;
  /** At most this many samples of each split; all when absent. */
  readonly samples?: number;
  /** Id under which the engine keeps the built ensemble. */
  readonly model: string;
}

/** More members than this are refused: each costs a forward pass per prediction and a copy of the weights here. */
const MOST_MEMBERS = 50;

/**
 * Scores the ensemble by the script's own loss, each member by itself, and the last snapshot; tells how different the
 * members' predictions are and what the ensemble of the first so many is worth. Members keep the batch-norm statistics
 * they carry.
 * @throws BasinError `unsupported` where predictions cannot be told apart from the loss, or there is nothing to select by;
 *   `bad-input`, `non-finite` where a member's loss is, `not-replayable`, `cancelled`
 */
export async function ensemble(
  evaluator: Evaluator,
  input: EnsembleInput,
  context: AnalysisContext,
): Promise<Draft<EnsembleResult>> {
  const { description } = evaluator;
  requireOneOutput(description, 'An ensemble', 'Average the snapshots instead');
  requireReplay(description);
  requireMembers(input.members);
  if (input.select !== undefined && description.validation === null) {
    throw new BasinError(
      'unsupported',
      'Members are selected by held-out samples, and the run has none: the script evaluated none while it was recorded.',
      'Name the members, or let the script evaluate held-out samples while it trains.',
    );
  }
  const { signal } = context;
  const split = description.validation === null ? 'train' : 'validation';
  return withVectors(evaluator, async (vectors) => {
    const data = { split, ...(input.samples === undefined ? {} : { samples: input.samples }) } as const;
    const how = { data, mode: input.mode, refresh: false };
    const found: { model: Model; rows: Rows | null; measured: Measured }[] = [];
    const reasons = new Set<string>();
    let output: Predictions['form'] = null;
    let outputPath: Predictions['path'];
    const look = async (model: Model): Promise<(typeof found)[number]> => {
      const vector = await vectors.load(model.vector, 'member', signal);
      const measured = await measureMembers(evaluator, [vector], input, context);
      const predictions = await evaluator.predictions({ vector, how }, signal);
      output ??= predictions.form;
      outputPath ??= predictions.path;
      if (predictions.reason !== null) reasons.add(predictions.reason);
      if (vector !== model.vector) await vectors.release([vector]);
      return { model, rows: toRows(predictions), measured };
    };
    for (const [i, model] of input.members.entries()) {
      context.progress((0.8 * i) / input.members.length, `member ${i + 1} of ${input.members.length}`);
      const one = await look(model);
      if (one.measured.score.train.loss === null) {
        throw new BasinError(
          'non-finite',
          `The loss of member ${model.id} is NaN or infinite: it would spoil every prediction.`,
          'Name members from before the loss diverged, with --members.',
        );
      }
      found.push(one);
    }
    const last = { id: String(input.last.step), vector: input.last.vector };
    const own = found.find(({ model }) => model.id === last.id) ?? (await look(last));
    const reason = reasons.size === 0 ? null : [...reasons].join(' ');
    const kind = found[0]?.rows?.kind;
    const combine = kind === undefined ? input.combine : combinationFor(kind, input.combine);

    let members = found;
    let selection: EnsembleResult['selection'] = null;
    if (input.select !== undefined) {
      const candidates = found.flatMap(({ model: { id }, rows }) => (rows === null ? [] : [{ id, rows }]));
      if (candidates.length < found.length || own.rows === null || combine === undefined) {
        throw new BasinError(
          'unsupported',
          `Members cannot be selected here: ${reason ?? 'the predictions of single samples are not known.'}`,
          'Name the members instead.',
        );
      }
      const judged = judgedSelection(candidates, combine, input.select, lossesOf(own.rows));
      selection = judged.selection;
      members = judged.chosen.flatMap((i) => found[i] ?? []);
    }

    context.progress(0.85, 'scoring the ensemble');
    const names: string[] = [];
    for (const { model } of members) names.push(await vectors.load(model.vector, 'member', signal));
    const together = await measureMembers(evaluator, names, { ...input, combine }, context);
    const { score } = together;
    const baseline = { ...own.measured.score, step: input.last.step };
    const judged = judgedOn(score);
    const rows = members.flatMap((m) => m.rows ?? []);
    const known = rows.length === members.length && combine !== undefined;
    const ids = members.map(({ model }) => model.id);
    const diversity = known && rows.length > 1 ? diversityOf(rows, ids) : null;
    return {
      kind: 'ensemble',
      model: input.model,
      members: ids.map(asReference),
      combine: combine ?? null,
      output,
      ...(outputPath === undefined ? {} : { outputPath }),
      data: judged,
      score,
      baseline,
      memberScores: members.map((m) => m.measured.score),
      forwardPasses: members.length,
      diversity,
      byCount: known ? sizesOf(rows, combine) : null,
      selection,
      refreshedStatistics: false,
      trust: [
        ...comparisonSentences(
          `Ensemble of ${members.length} ${ids.every((id) => /^\d+$/.test(id)) ? 'snapshots' : 'models'}`,
          together,
          own.measured,
          input.last.step,
        ),
        ...selectionSentences(selection, input.last.step),
        ...diversitySentences(diversity, reason),
        `It costs ${members.length} forward passes per prediction.`,
        dataSentence(judged, input.mode, false),
        ...replaySentence(description),
      ],
    };
  });
}

/** The ensemble of the first, the first two, … of the members. */
function sizesOf(members: readonly Rows[], combine: Combination): EnsembleSize[] {
  let ensemble = new Ensemble(combine);
  return members.map((member, i) => {
    ensemble = ensemble.with(member);
    const rows = ensemble.rows(member);
    const losses = lossesOf(rows);
    const error = deviation(losses) / Math.sqrt(losses.length);
    return {
      members: i + 1,
      loss: finite(mean(losses)),
      standardError: finite(error),
      accuracy: accuracyOf(rows),
    };
  });
}

/**
 * The run's own snapshots that an ensemble is made of when no members are named: the latest, or with `select` all of
 * them, evenly thinned to as many as are allowed.
 */
export function usualMembers(
  snapshots: readonly Snapshot[],
  last: number | undefined,
  select: boolean,
): Snapshot[] {
  if (last !== undefined || !select) return snapshots.slice(-(last ?? 5));
  if (snapshots.length <= MOST_MEMBERS) return [...snapshots];
  const place = (i: number): number => Math.round((i * (snapshots.length - 1)) / (MOST_MEMBERS - 1));
  return Array.from({ length: MOST_MEMBERS }, (_, i) => snapshots[place(i)] as Snapshot);
}

/** @throws BasinError `bad-input` for fewer than two or too many */
export function requireMembers(members: readonly unknown[]): void {
  if (members.length < 2) {
    throw new BasinError(
      'bad-input',
      `An ensemble needs at least 2 different models; ${members.length === 1 ? 'this is 1' : 'there are none'}.`,
      'Name at least 2 with --members, or let the run train for longer or with a smaller --every.',
    );
  }
  if (members.length > MOST_MEMBERS) {
    throw new BasinError(
      'bad-input',
      `An ensemble of ${members.length} members would cost as many forward passes per prediction.`,
      `Name at most ${MOST_MEMBERS}, or average the snapshots instead.`,
    );
  }
}

/** A snapshot's step as a number, as a run's files have it. */
export const asReference = (id: string): ModelReference => (/^\d+$/.test(id) ? Number(id) : id);
