/** λ₁ against the optimizer's stability bound: an inlay hint at the end of the training call's line, and a hover over the call. */
import * as vscode from 'vscode';
import { decodeNumber, type LiveSharpness } from '../protocol/run.ts';
import { verdictOf } from '../protocol/stability.ts';
import { setting } from './configuration.ts';
import { commands } from './ids.ts';
import { measurements } from './measuredSharpness.ts';
import { ScriptRefresh } from './scriptRefresh.ts';
import { boundName, sharpnessText, verdictWords } from './sharpnessText.ts';
import { shortNumber } from './shortNumber.ts';
import type { TrainingSite, TrainingSites } from './trainingSites.ts';
import type { WorkspaceRuns } from './workspaceRuns.ts';

const REFRESH_MS = 250;
/** Measurements in the tooltip. */
const HISTORY = 12;

export class SharpnessHints implements vscode.InlayHintsProvider, vscode.HoverProvider, vscode.Disposable {
  readonly #refresh: ScriptRefresh;
  readonly onDidChangeInlayHints: vscode.Event<void>;

  constructor(
    private readonly sites: TrainingSites,
    runs: WorkspaceRuns,
  ) {
    this.#refresh = new ScriptRefresh(runs, REFRESH_MS, ['inlayHints']);
    this.onDidChangeInlayHints = this.#refresh.event;
  }

  async provideInlayHints(document: vscode.TextDocument, range: vscode.Range): Promise<vscode.InlayHint[]> {
    // What a file in .basin says is the workspace's word: not shown as fact beside code that nobody trusts yet.
    if (!vscode.workspace.isTrusted || !setting('inlayHints', document.uri)) return [];
    const hints: vscode.InlayHint[] = [];
    for (const site of this.sites.sites(document)) {
      if (site.line < range.start.line || site.line > range.end.line) continue;
      const history = await measurements(site);
      const latest = history.at(-1);
      if (latest === undefined || site.line >= document.lineCount) continue;
      const { objective } = site;
      const bound = latest.bound === null ? null : decodeNumber(latest.bound);
      const name = (site.run.manifest?.objectives.length ?? 1) > 1 ? `${objective.name}: ` : '';
      const hint = new vscode.InlayHint(
        document.lineAt(site.line).range.end,
        name + sharpnessText(decodeNumber(latest.lambda1), bound, objective.optimizer),
      );
      hint.paddingLeft = true;
      hint.tooltip = tooltip(site, history, latest);
      hints.push(hint);
    }
    return hints;
  }

  /** Over the line up to the call's arguments, which have hovers of their own; also where hints are off. */
  async provideHover(document: vscode.TextDocument, position: vscode.Position): Promise<vscode.Hover | null> {
    if (!vscode.workspace.isTrusted) return null;
    const { text, firstNonWhitespaceCharacterIndex: start } = document.lineAt(position.line);
    const open = text.indexOf('(', start);
    const called = new vscode.Range(position.line, start, position.line, open < 0 ? text.length : open);
    if (!called.contains(position)) return null;
    for (const site of this.sites.sites(document).filter(({ line }) => line === position.line)) {
      const history = await measurements(site);
      const latest = history.at(-1);
      if (latest !== undefined) return new vscode.Hover(tooltip(site, history, latest), called);
    }
    return null;
  }

  dispose(): void {
    this.#refresh.dispose();
  }
}

function tooltip(
  { run, objective }: TrainingSite,
  history: readonly LiveSharpness[],
  latest: LiveSharpness,
): vscode.MarkdownString {
  const text = new vscode.MarkdownString();
  // Only these commands may be linked; names in the run's files cannot add others.
  text.isTrusted = { enabledCommands: [commands.openRun, commands.sharpness] };
  text.supportThemeIcons = true;
  const argument = encodeURIComponent(JSON.stringify([run.run.directory]));
  text.appendMarkdown(`**${vscode.l10n.t('Sharpness of the training loss')}**, `);
  text.appendText(`${run.manifest?.name ?? run.id}, ${objective.name}`).appendMarkdown('\n\n');
  text.appendMarkdown(
    vscode.l10n.t(
      'λ₁ is the largest eigenvalue of the Hessian on {0} training samples ({1} products, residual {2} %).',
      latest.samples,
      latest.products,
      shortNumber(100 * decodeNumber(latest.residual)),
    ) + '\n\n',
  );
  const rows = history.slice(-HISTORY);
  text.appendMarkdown(
    `| ${vscode.l10n.t('step')} | λ₁ | ${boundName(objective.optimizer)} | |\n|--:|--:|--:|:--|\n`,
  );
  for (const row of rows) {
    const lambda1 = decodeNumber(row.lambda1);
    const bound = row.bound === null ? null : decodeNumber(row.bound);
    const words = bound === null ? '' : verdictWords(verdictOf(lambda1, bound));
    text.appendMarkdown(
      `| ${row.step} | ${shortNumber(lambda1)} | ${bound === null ? '–' : shortNumber(bound)} | ${words} |\n`,
    );
  }
  text.appendMarkdown(
    `\n[${vscode.l10n.t('Open run')}](command:${commands.openRun}?${argument}) · ` +
      `[${vscode.l10n.t('Measure sharpness at the end')}](command:${commands.sharpness}?${argument})`,
  );
  return text;
}
