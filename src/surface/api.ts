import type * as vscode from 'vscode';
import type { JobEvent } from './jobs.ts';
import type { RunNode } from './runsTree.ts';

/** What the extension gives to others; tests are the only ones so far. */
export interface BasinApi {
  /** Every command that has been run since. */
  readonly commandsRun: ReadonlySet<string>;
  /** The Runs view. */
  readonly tree: vscode.TreeDataProvider<RunNode>;
  /** What pages are told of jobs. */
  readonly onDidHearOfJob: vscode.Event<JobEvent>;
  /** How many listen to Basin's own events, of this API's users too. */
  listeners(): number;
}
