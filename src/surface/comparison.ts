/** The plane on which runs and snapshots are compared. */
import * as vscode from 'vscode';
import { BasinError } from '../protocol/errors.ts';
import type { ModelReference } from '../protocol/job.ts';
import type { KnownRun } from './workspaceRuns.ts';

/**
 * Through the first three models, with the others beside it. Two span no plane: one of the run's own snapshots is the
 * third then. Where runs are compared, the pinned baseline takes part and is what the others are compared with.
 * @param chosen references as a job of `run` takes them
 * @throws BasinError `bad-input` where fewer than two models or snapshots are there
 */
export async function comparison(
  { id, run }: KnownRun,
  chosen: readonly string[],
  baseline: KnownRun | undefined,
): Promise<[ModelReference, ModelReference, ModelReference, ...ModelReference[]]> {
  const steps = (await run.snapshots()).map(({ step }) => step);
  const [begin, end] = [steps[0], steps.at(-1)];
  // One model by one name, or a plane would go through it twice.
  const named = chosen.map((at) => String((at === 'first' ? begin : at === 'last' ? end : at) ?? at));
  const models = [...new Set(named)];
  const several = models.some((at) => at.includes(':'));
  if (baseline !== undefined && several) {
    const belongs = (at: string): boolean =>
      baseline.id === id ? !at.includes(':') : at.startsWith(`${baseline.id}:`);
    const own = models.find(belongs) ?? (baseline.id === id ? String(end ?? 'last') : `${baseline.id}:last`);
    models.splice(0, models.length, own, ...models.filter((at) => at !== own));
  }
  const third = [begin, steps[Math.floor(steps.length / 2)], end].find(
    (step) => step !== undefined && !models.includes(String(step)),
  );
  if (models.length === 2 && third !== undefined) models.push(String(third));
  const [a, b, c, ...beside] = models;
  if (a === undefined || b === undefined || c === undefined) {
    throw new BasinError(
      'bad-input',
      vscode.l10n.t('A comparison needs two models, and a third one that spans a plane with them.'),
      vscode.l10n.t('Choose models of this run or of others of the same architecture.'),
    );
  }
  return [reference(a), reference(b), reference(c), ...beside.map(reference)];
}

const reference = (at: string): ModelReference => (/^\d+$/.test(at) ? Number(at) : at);
