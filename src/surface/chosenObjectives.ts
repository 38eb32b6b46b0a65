/** Which of several objectives of a run is looked at: chosen in its panel or in the sidebar, which follows both. */
import * as vscode from 'vscode';

export class ChosenObjectives implements vscode.Disposable {
  readonly #chosen = new Map</* run directory */ string, number>();
  readonly #changed = new vscode.EventEmitter</* run directory */ string>();
  readonly onDidChoose = this.#changed.event;

  /** The first one, unless another was chosen. */
  of(directory: string): number {
    return this.#chosen.get(directory) ?? 0;
  }

  choose(directory: string, objective: number): void {
    if (objective === this.of(directory)) return;
    this.#chosen.set(directory, objective);
    this.#changed.fire(directory);
  }

  dispose(): void {
    this.#changed.dispose();
  }
}
