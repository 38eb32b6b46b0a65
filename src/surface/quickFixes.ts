/** Code that Basin writes into a script, only when it is asked to: averaging, a new order of the data, another learning rate. */
import * as vscode from 'vscode';
import { decodeNumber } from '../protocol/run.ts';
import { verdictOf } from '../protocol/stability.ts';
import { keptAnalyses } from '../runs/keptAnalyses.ts';
import { averageInJavaScript } from './fixes/averageJavaScript.ts';
import { averageInPython, updateBatchNormInPython } from './fixes/averagePython.ts';
import { shuffleInJavaScript } from './fixes/shuffleJavaScript.ts';
import { shuffleInPython } from './fixes/shufflePython.ts';
import type { SourceEdit } from './fixes/sourceEdit.ts';
import { edgeAt } from './learningRateHints.ts';
import { shortNumber } from './shortNumber.ts';
import type { TrainingSites } from './trainingSites.ts';

/** Below the edge by this share: where λ₁ is measured has an error, and λ₁ still moves. */
const BELOW = 0.8;

export class QuickFixes implements vscode.CodeActionProvider {
  static readonly kinds = [vscode.CodeActionKind.QuickFix, vscode.CodeActionKind.RefactorRewrite];

  constructor(private readonly sites: TrainingSites) {}

  async provideCodeActions(
    document: vscode.TextDocument,
    range: vscode.Range,
    { only }: vscode.CodeActionContext,
  ): Promise<vscode.CodeAction[]> {
    const wanted = QuickFixes.kinds.some((kind) => only === undefined || only.contains(kind));
    if (!wanted || !vscode.workspace.isTrusted) return [];
    const found = [...(await this.#lowerRates(document, range)), ...(await this.#atCalls(document, range))];
    return found.filter(({ kind }) => only === undefined || (kind !== undefined && only.contains(kind)));
  }

  /** At a learning rate whose optimizer is at the edge of stability or above it, where the script has it as a number. */
  async #lowerRates(document: vscode.TextDocument, range: vscode.Range): Promise<vscode.CodeAction[]> {
    const actions: vscode.CodeAction[] = [];
    for (const { rate, site } of this.sites.learningRates(document)) {
      const { literal } = rate;
      const places = [rate, ...(literal === null ? [] : [literal])].map((span) => rangeOf(document, span));
      if (literal === null || !places.some((place) => place.intersection(range) !== undefined)) continue;
      const found = await edgeAt(site);
      if (found?.latest.bound == null) continue;
      const { latest, edge } = found;
      const verdict = verdictOf(decodeNumber(latest.lambda1), decodeNumber(found.latest.bound));
      if (verdict !== 'edge' && verdict !== 'above') continue;
      const next = Number((BELOW * edge).toPrecision(2));
      if (!(next < literal.value)) continue;
      actions.push(
        action(
          document,
          vscode.l10n.t(
            'Set the learning rate to {0}: below the edge of stability, {1}, at λ₁ {2}',
            String(next),
            shortNumber(edge),
            shortNumber(decodeNumber(latest.lambda1)),
          ),
          vscode.CodeActionKind.QuickFix,
          [{ ...literal, text: String(next) }],
        ),
      );
    }
    return actions;
  }

  async #atCalls(document: vscode.TextDocument, range: vscode.Range): Promise<vscode.CodeAction[]> {
    const source = document.getText();
    const lines = this.sites.calls(document).map(({ line }) => line);
    const made = [...source.matchAll(/\b(DataLoader|AveragedModel)\s*\(/g)].map(
      ({ index }) => document.positionAt(index).line,
    );
    const here = (line: number): boolean => line >= range.start.line && line <= range.end.line;
    if (![...lines, ...made].some(here)) return [];
    const python = document.languageId === 'python';
    const actions: vscode.CodeAction[] = [];
    const offer = (title: string, kind: vscode.CodeActionKind, edits: SourceEdit[] | null): void => {
      if (edits !== null) actions.push(action(document, title, kind, edits));
    };
    if (await this.#hasFixedOrder(document)) {
      offer(
        vscode.l10n.t('Shuffle the data in every epoch: the run’s came in a fixed order'),
        vscode.CodeActionKind.QuickFix,
        python ? shuffleInPython(source) : shuffleInJavaScript(source),
      );
    }
    const rewrite = vscode.CodeActionKind.RefactorRewrite;
    offer(
      vscode.l10n.t('Average the weights of the last quarter (SWA)'),
      rewrite,
      python ? averageInPython(source) : averageInJavaScript(source, document.languageId === 'typescript'),
    );
    if (python) {
      offer(
        vscode.l10n.t('Compute the average’s batch-norm statistics at the end (update_bn)'),
        rewrite,
        updateBatchNormInPython(source),
      );
    }
    return actions;
  }

  /** Whether the newest look for cycles in the document's newest run has found one. */
  async #hasFixedOrder(document: vscode.TextDocument): Promise<boolean> {
    const run = this.sites.run(document);
    const results = run === undefined ? [] : await keptAnalyses(run.run);
    return results.find((result) => result.kind === 'cycles')?.verdict === 'fixed-order';
  }
}

function action(
  document: vscode.TextDocument,
  title: string,
  kind: vscode.CodeActionKind,
  edits: readonly SourceEdit[],
): vscode.CodeAction {
  const made = new vscode.CodeAction(title, kind);
  made.edit = new vscode.WorkspaceEdit();
  for (const edit of edits) made.edit.replace(document.uri, rangeOf(document, edit), edit.text);
  return made;
}

function rangeOf(document: vscode.TextDocument, { from, to }: { from: number; to: number }): vscode.Range {
  return new vscode.Range(document.positionAt(from), document.positionAt(to));
}
