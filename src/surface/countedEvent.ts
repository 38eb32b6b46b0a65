/** An event that knows how many listen to it: what is not given back shows nowhere else. */
import * as vscode from 'vscode';

export class CountedEvent<T> implements vscode.Disposable {
  readonly #emitter = new vscode.EventEmitter<T>();
  readonly #listening = new Set<object>();

  readonly event: vscode.Event<T> = (listener, self, disposables) => {
    const subscription = this.#emitter.event(listener, self);
    this.#listening.add(subscription);
    const counted = new vscode.Disposable(() => {
      this.#listening.delete(subscription);
      subscription.dispose();
    });
    disposables?.push(counted);
    return counted;
  };

  get listeners(): number {
    return this.#listening.size;
  }

  fire(value: T): void {
    this.#emitter.fire(value);
  }

  dispose(): void {
    this.#listening.clear();
    this.#emitter.dispose();
  }
}
