/** What commands work with. */
import type * as vscode from 'vscode';
import type { Debugging } from './debugging.ts';
import type { ErrorDisplay } from './errorDisplay.ts';
import type { Jobs } from './jobs.ts';
import type { LandscapeProvider } from './landscapeView.ts';
import type { RunPanels } from './runPanel.ts';
import type { RunsTree } from './runsTree.ts';
import type { Training } from './training.ts';
import type { TrainingSites } from './trainingSites.ts';
import type { WorkspaceRuns } from './workspaceRuns.ts';

export interface CommandContext {
  readonly extension: vscode.Uri;
  /** Basin's own. */
  readonly version: string;
  readonly runs: WorkspaceRuns;
  readonly tree: RunsTree;
  readonly jobs: Jobs;
  readonly panels: RunPanels;
  readonly landscape: LandscapeProvider;
  readonly training: Training;
  readonly debugging: Debugging;
  readonly sites: TrainingSites;
  readonly errors: ErrorDisplay;
  readonly log: vscode.LogOutputChannel;
}
