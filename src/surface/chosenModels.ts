/** What several rows of the Runs view name when a command is called on all of them. */
import type { ModelReference } from '../protocol/job.ts';
import type { RunNode } from './runsTree.ts';
import type { KnownRun } from './workspaceRuns.ts';

/**
 * References to the models of a selection, as a job of `run` takes them: a run stands for its last snapshot.
 * @param selection references by name, or the rows that VS Code hands over; anything else is none
 * @returns null for fewer than two rows that name a model
 */
export function chosenModels(run: KnownRun, selection: unknown): string[] | null {
  if (!Array.isArray(selection)) return null;
  const references = selection.flatMap((row: string | RunNode): string[] => {
    if (typeof row === 'string') return [row];
    const model = row.kind === 'run' ? 'last' : modelOf(row);
    if (model === undefined) return [];
    return [row.run.id === run.id ? String(model) : `${row.run.id}:${model}`];
  });
  const different = [...new Set(references)];
  return different.length < 2 ? null : different;
}

/** The runs among a selection's rows; null for fewer than two. */
export function chosenRuns(selection: unknown): KnownRun[] | null {
  if (!Array.isArray(selection)) return null;
  const runs = (selection as (string | RunNode)[]).flatMap((row) =>
    typeof row === 'object' && row.kind === 'run' ? [row.run] : [],
  );
  return runs.length < 2 ? null : runs;
}

/** The snapshot or built model that a row stands for; undefined for any other row. */
export function modelOf(row: RunNode): ModelReference | undefined {
  if (row.kind === 'snapshot') return row.step;
  return row.kind === 'model' ? row.model.id : undefined;
}
