/** What several rows of the Runs view name when a command is called on all of them. */
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
    const model = modelOf(row);
    if (model === null) return [];
    return [row.run.id === run.id ? model : `${row.run.id}:${model}`];
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

function modelOf(row: RunNode): string | null {
  switch (row.kind) {
    case 'run':
      return 'last';
    case 'snapshot':
      return String(row.step);
    case 'model':
      return row.model.id;
    default:
      return null;
  }
}
