/** The learning rate at the edge of stability, as an inlay hint behind the learning rate that the script gives. */
import * as vscode from 'vscode';
import { decodeNumber, type LiveSharpness } from '../protocol/run.ts';
import { boundFormula, edgeRate } from '../protocol/stability.ts';
import { onSetting, setting } from './configuration.ts';
import { DisposableStore } from './disposables.ts';
import { commands } from './ids.ts';
import { measurements } from './measuredSharpness.ts';
import { shortNumber } from './sharpnessText.ts';
import { throttle } from './throttle.ts';
import type { TrainingSite, TrainingSites } from './trainingSites.ts';
import type { WorkspaceRuns } from './workspaceRuns.ts';

const REFRESH_MS = 500;

export class LearningRateHints implements vscode.InlayHintsProvider, vscode.Disposable {
  readonly #store = new DisposableStore();
  readonly #changed = this.#store.add(new vscode.EventEmitter<void>());
  readonly onDidChangeInlayHints = this.#changed.event;

  constructor(
    private readonly sites: TrainingSites,
    runs: WorkspaceRuns,
  ) {
    const refresh = this.#store.add(throttle(REFRESH_MS, () => this.#changed.fire()));
    this.#store.add(runs.onDidChangeList(refresh));
    this.#store.add(runs.onDidChangeRun(refresh));
    this.#store.add(onSetting(['inlayHints'], refresh));
    this.#store.add(vscode.workspace.onDidGrantWorkspaceTrust(refresh));
  }

  async provideInlayHints(document: vscode.TextDocument, range: vscode.Range): Promise<vscode.InlayHint[]> {
    if (!vscode.workspace.isTrusted || !setting('inlayHints', document.uri)) return [];
    const hints: vscode.InlayHint[] = [];
    for (const { rate, site } of this.sites.learningRates(document)) {
      const position = document.positionAt(rate.to);
      if (!range.contains(position)) continue;
      const latest = (await measurements(site)).at(-1);
      const edge = latest === undefined ? null : edgeRateOf(site, latest);
      if (latest === undefined || edge === null) continue;
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

  dispose(): void {
    this.#store.dispose();
  }
}

/** null where the learning rate or a bound is not known. */
export function edgeRateOf({ objective }: TrainingSite, latest: LiveSharpness): number | null {
  if (latest.learningRate === null) return null;
  return edgeRate(objective.optimizer, decodeNumber(latest.lambda1), decodeNumber(latest.learningRate));
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
      boundFormula(objective.optimizer),
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
