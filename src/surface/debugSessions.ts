/** Debug sessions of Basin by the runs that they are about, as their adapters tell. */
import * as vscode from 'vscode';
import { DEBUG_TYPE } from './ids.ts';
import type { KnownRun } from './workspaceRuns.ts';

/** What an adapter tells of the run that it drives: at its beginning, and when training goes on in another run. */
interface DrivenRun {
  readonly directory: string;
}

export class DebugSessions implements vscode.Disposable {
  readonly #sessions = new Map</* run directory */ string, vscode.DebugSession>();
  readonly #subscription: vscode.Disposable;

  constructor() {
    // A tracker hears a session from its first word on; listeners to custom events only once it is known to everyone.
    this.#subscription = vscode.debug.registerDebugAdapterTrackerFactory(DEBUG_TYPE, {
      createDebugAdapterTracker: (session) => ({
        onDidSendMessage: (message: {
          readonly type: string;
          readonly event?: string;
          readonly body?: unknown;
        }) => {
          if (message.type === 'event' && message.event === 'basin.run')
            this.#drives(session, message.body as DrivenRun);
        },
        onExit: () => this.#forget(session),
        onWillStopSession: () => this.#forget(session),
      }),
    });
  }

  /** The session that is about this run. */
  of({ run }: KnownRun): vscode.DebugSession | undefined {
    return this.#sessions.get(run.directory);
  }

  /**
   * Has the weights of a run that stands in a session kept as a snapshot.
   * @returns its step; null where the run stands in no session of this window
   */
  async standing(run: KnownRun): Promise<number | null> {
    const session = this.of(run);
    if (session === undefined) return null;
    try {
      const { step } = (await session.customRequest('basin.snapshot')) as { readonly step: number };
      return step;
    } catch {
      // Training is on its way, or has ended meanwhile: its last snapshot it is.
      return null;
    }
  }

  #drives(session: vscode.DebugSession, { directory }: DrivenRun): void {
    this.#forget(session);
    this.#sessions.set(directory, session);
  }

  #forget({ id }: vscode.DebugSession): void {
    for (const [directory, session] of this.#sessions)
      if (session.id === id) this.#sessions.delete(directory);
  }

  dispose(): void {
    this.#subscription.dispose();
  }
}
