/** The numbers of the step behind the line that takes it, while training stands there. */
import * as vscode from 'vscode';
import { DEBUG_TYPE } from './ids.ts';

const SHOWN = ['step', 'loss', 'lr'] as const;

/**
 * Registered only while a Basin session is the active one: a provider of a language takes the place of the values that
 * its code debugger shows.
 */
export class StepInlineValues implements vscode.InlineValuesProvider, vscode.Disposable {
  #registration: vscode.Disposable | null = null;
  readonly #subscription: vscode.Disposable;

  constructor(private readonly selector: vscode.DocumentSelector) {
    this.#subscription = vscode.debug.onDidChangeActiveDebugSession((session) => this.#follow(session));
    this.#follow(vscode.debug.activeDebugSession);
  }

  provideInlineValues(
    document: vscode.TextDocument,
    _viewPort: vscode.Range,
    { stoppedLocation }: vscode.InlineValueContext,
  ): vscode.InlineValue[] {
    const { range } = document.lineAt(stoppedLocation.start.line);
    return SHOWN.map((name) => new vscode.InlineValueEvaluatableExpression(range, name));
  }

  #follow(session: vscode.DebugSession | undefined): void {
    const wanted = session?.type === DEBUG_TYPE;
    if (wanted === (this.#registration !== null)) return;
    this.#registration?.dispose();
    this.#registration = wanted ? vscode.languages.registerInlineValuesProvider(this.selector, this) : null;
  }

  dispose(): void {
    this.#registration?.dispose();
    this.#subscription.dispose();
  }
}
