/** Commands over the list of runs: names, the baseline, what is shown, and what is deleted. */
import * as vscode from 'vscode';
import { BasinError } from '../protocol/errors.ts';
import { LONGEST_NAME } from '../protocol/runLabel.ts';
import { RunStore } from '../runs/runStore.ts';
import { chosenRuns } from './chosenModels.ts';
import type { CommandContext } from './commandContext.ts';
import { commands } from './ids.ts';
import { localDecimals } from './localNumber.ts';
import { pickRun, type Target } from './pickRun.ts';
import type { KnownRun } from './workspaceRuns.ts';

export const manageRuns = {
  [commands.renameRun]: async (context: CommandContext, target?: Target, to?: string) => {
    const run = await pickRun(context, target);
    const name =
      to ??
      (await vscode.window.showInputBox({
        title: vscode.l10n.t('Rename the run'),
        prompt: vscode.l10n.t('Empty: the name that it was recorded under.'),
        value: run.manifest?.name ?? '',
        validateInput: (text) =>
          text.trim().length > LONGEST_NAME
            ? vscode.l10n.t('At most {0} characters.', LONGEST_NAME)
            : undefined,
      }));
    if (name === undefined) return;
    await run.run.rename(name);
    await context.runs.refresh();
  },

  [commands.pinBaseline]: async (context: CommandContext, target?: Target) => {
    const run = await pickRun(context, target);
    await RunStore.beside(run.run).setBaseline(run.id);
    await context.runs.refresh();
  },

  [commands.unpinBaseline]: async (context: CommandContext, target?: Target) => {
    const pinned = context.runs.all.filter((r) => r.baseline);
    if (pinned.length === 0 && target === undefined) return;
    const run = await pickRun(context, target, { only: pinned });
    await RunStore.beside(run.run).setBaseline(null);
    await context.runs.refresh();
  },

  [commands.groupRuns]: ({ tree }: CommandContext) => tree.group(true),
  [commands.ungroupRuns]: ({ tree }: CommandContext) => tree.group(false),

  [commands.filterRuns]: async ({ tree }: CommandContext, words?: string) => {
    const text =
      typeof words === 'string'
        ? words
        : await vscode.window.showInputBox({
            title: vscode.l10n.t('Filter runs'),
            prompt: vscode.l10n.t(
              'Words of a name, id, state, script or framework; all of them have to occur.',
            ),
            value: tree.filter,
          });
    if (text !== undefined) tree.filter = text;
  },
  [commands.clearFilter]: ({ tree }: CommandContext) => {
    tree.filter = '';
  },

  [commands.deleteRun]: async (context: CommandContext, target?: Target, selection?: unknown) => {
    const chosen = chosenRuns(selection) ?? [await pickRun(context, target, { corrupt: true })];
    const [first] = chosen;
    let bytes = 0;
    for (const run of chosen) {
      await requireEnded(run);
      bytes += await run.run.bytes();
    }
    const remove = vscode.l10n.t('Delete');
    const answer = await vscode.window.showWarningMessage(
      chosen.length > 1
        ? vscode.l10n.t('Delete {0} runs?', chosen.length)
        : vscode.l10n.t('Delete the run {0}?', first?.manifest?.name ?? first?.id ?? ''),
      {
        modal: true,
        detail: vscode.l10n.t(
          'Their snapshots, models and analyses are removed from disk, which frees {0} MB: {1}',
          localDecimals(bytes / 1e6, 1),
          chosen.map((run) => run.run.directory).join('\n'),
        ),
      },
      remove,
    );
    if (answer !== remove) return;
    for (const run of chosen) {
      const { freedBytes } = await run.run.delete();
      context.log.info(`deleted ${run.id}, ${megabytes(freedBytes)} MB freed`);
    }
    await context.runs.refresh();
  },
};

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1);

/**
 * The state is read anew: the process may have ended a moment ago, or have begun to.
 * @throws BasinError `busy` for a run that is still being written, or whose process is held
 */
async function requireEnded({ run, manifest }: KnownRun): Promise<void> {
  const unfinished = await run.readUnfinished();
  if (unfinished === null) return;
  throw new BasinError(
    'busy',
    vscode.l10n.t('The run {0} is not over: it cannot be deleted yet.', manifest?.name ?? run.id),
    unfinished.state === 'held'
      ? vscode.l10n.t('Let its process end first: Basin: Release Held Run.')
      : vscode.l10n.t('Stop its training first, or wait for its end.'),
  );
}

/** The baseline of the run's folder; undefined where none is pinned. */
export function pinnedBaseline({ runs }: CommandContext, run: KnownRun): KnownRun | undefined {
  return runs.all.find((r) => r.baseline && r.folder.uri.toString() === run.folder.uri.toString());
}

/**
 * The baseline of the run's folder, for a run that is to be compared with it.
 * @throws BasinError `not-found` when there is none, `bad-input` for the baseline itself
 */
export function baselineOf(context: CommandContext, run: KnownRun): KnownRun {
  const baseline = pinnedBaseline(context, run);
  if (baseline === undefined) {
    throw new BasinError(
      'not-found',
      vscode.l10n.t('No run is pinned as the baseline.'),
      vscode.l10n.t('Use Basin: Pin Run as Baseline on the run to compare with.'),
    );
  }
  if (baseline.id !== run.id) return baseline;
  throw new BasinError(
    'bad-input',
    vscode.l10n.t('This run is the baseline itself.'),
    vscode.l10n.t('Choose another run, or pin another baseline.'),
  );
}
