/** The learning rate at the edge of stability: an inlay hint behind the learning rate that the script gives, and a hover over it. */
import * as vscode from 'vscode';
import { decodeNumber, type LiveSharpness } from '../protocol/run.ts';
import { edgeRate } from '../protocol/stability.ts';
import { setting } from './configuration.ts';
import { commands } from './ids.ts';
import { measurements } from './measuredSharpness.ts';
import { ScriptRefresh } from './scriptRefresh.ts';
import { boundName } from './sharpnessText.ts';
import { shortNumber } from './shortNumber.ts';
import type { TrainingSite, TrainingSites } from './trainingSites.ts';
import type { WorkspaceRuns } from './workspaceRuns.ts';

const REFRESH_MS = 500;

export class LearningRateHints implements vscode.InlayHintsProvider, vscode.HoverProvider, vscode.Disposable {
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
    if (!vscode.workspace.isTrusted || !setting('inlayHints', document.uri)) return [];
    const hints: vscode.InlayHint[] = [];
    for (const { rate, site } of this.sites.learningRates(document)) {
      const position = document.positionAt(rate.to);
      if (!range.contains(position)) continue;
      const found = await edgeAt(site);
      if (found === null) continue;
      const { latest, edge } = found;
      const hint = new vscode.InlayHint(
        position,
        vscode.l10n.t('edge of stability at {0}', shortNumber(edge)),
      );
      hint.paddingLeft = true;
      hint.tooltip = tooltip(site, latest, edge);
      hints.push(hint);
    }
    return hints;
  }

  async provideHover(document: vscode.TextDocument, position: vscode.Position): Promise<vscode.Hover | null> {
    if (!vscode.workspace.isTrusted) return null;
    for (const { rate, site } of this.sites.learningRates(document)) {
      const range = new vscode.Range(document.positionAt(rate.from), document.positionAt(rate.to));
      const found = range.contains(position) ? await edgeAt(site) : null;
      if (found !== null) return new vscode.Hover(tooltip(site, found.latest, found.edge), range);
    }
    return null;
  }

  dispose(): void {
    this.#refresh.dispose();
  }
}

/** The newest λ₁ of an objective, and the learning rate at which it is the bound; null where either is not known. */
export async function edgeAt(
  site: TrainingSite,
): Promise<{ readonly latest: LiveSharpness; readonly edge: number } | null> {
  const latest = (await measurements(site)).at(-1);
  if (latest?.learningRate == null) return null;
  const { optimizer } = site.objective;
  const edge = edgeRate(optimizer, decodeNumber(latest.lambda1), decodeNumber(latest.learningRate));
  return edge === null ? null : { latest, edge };
}

function tooltip(
  { run, objective }: TrainingSite,
  latest: LiveSharpness,
  edge: number,
): vscode.MarkdownString {
  const text = new vscode.MarkdownString();
  text.isTrusted = { enabledCommands: [commands.stability] };
  const rate = decodeNumber(latest.learningRate ?? NaN);
  text.appendMarkdown(
    vscode.l10n.t(
      'At step {0} λ₁ was {1}; the bound {2} reaches it at a learning rate of {3}, and the script’s was {4}.',
      latest.step,
      shortNumber(decodeNumber(latest.lambda1)),
      boundName(objective.optimizer),
      shortNumber(edge),
      shortNumber(rate),
    ) + '\n\n',
  );
  text.appendMarkdown(
    vscode.l10n.t(
      'λ₁ adapts to the learning rate while a model trains: this is where it stands, no forecast.',
    ),
  );
  const argument = encodeURIComponent(JSON.stringify([run.run.directory]));
  text.appendMarkdown(
    `\n\n[${vscode.l10n.t('Follow sharpness along the run')}](command:${commands.stability}?${argument})`,
  );
  return text;
}
