/** Composition root of the extension: makes the pieces, hands them to each other, registers them. */
import * as vscode from 'vscode';
import type { AnalysisKind } from './protocol/analyses.ts';
import type { BasinApi } from './surface/api.ts';
import { registerCommands } from './surface/commandTable.ts';
import { CodeDebuggers } from './surface/codeDebuggers.ts';
import { Debugging } from './surface/debugging.ts';
import { DebugSessions } from './surface/debugSessions.ts';
import { EngineClient } from './surface/engineClient.ts';
import { ErrorDisplay } from './surface/errorDisplay.ts';
import { commands, languages, PANEL_TYPE, TASK_TYPE, views } from './surface/ids.ts';
import { Jobs } from './surface/jobs.ts';
import { ChosenObjectives } from './surface/chosenObjectives.ts';
import { LandscapeProvider } from './surface/landscapeView.ts';
import { LearningRateHints } from './surface/learningRateHints.ts';
import { QuickFixes } from './surface/quickFixes.ts';
import { Relaunch } from './surface/relaunch.ts';
import { lensOf } from './surface/resultText.ts';
import { RunPanels } from './surface/runPanel.ts';
import { RunsTree } from './surface/runsTree.ts';
import { ScriptArguments } from './surface/scriptArguments.ts';
import { SharpnessHints } from './surface/sharpnessHints.ts';
import { StatusItem } from './surface/statusItem.ts';
import { StepInlineValues } from './surface/stepInlineValues.ts';
import { trainableContext } from './surface/trainableContext.ts';
import { Training } from './surface/training.ts';
import { TrainingLens } from './surface/trainingLens.ts';
import { TrainingSites } from './surface/trainingSites.ts';
import { WorkspaceRuns } from './surface/workspaceRuns.ts';

let engine: EngineClient | undefined;

export function activate(context: vscode.ExtensionContext): BasinApi {
  const { extensionUri, subscriptions } = context;
  const own = <T extends vscode.Disposable>(item: T): T => {
    subscriptions.push(item);
    return item;
  };
  const dist = (file: string): string => vscode.Uri.joinPath(extensionUri, 'dist', file).fsPath;
  const selector = languages.map((language) => ({ language, scheme: 'file' }));

  const log = own(vscode.window.createOutputChannel('Basin', { log: true }));
  const errors = new ErrorDisplay(log);
  engine = new EngineClient({
    module: dist('engine.cjs'),
    log: (line) => log.info(line),
    words: {
      ended: (how) => vscode.l10n.t('Basin’s analysis process ended ({0}).', how),
      exit: (code) => vscode.l10n.t('exit code {0}', code),
      again: vscode.l10n.t('Ask again: it is started anew. Basin: Show Log tells more.'),
      closing: vscode.l10n.t('Basin is shutting down.'),
    },
  });
  const runs = own(new WorkspaceRuns());
  const relaunch = new Relaunch(context.workspaceState, runs);
  const sessions = own(new DebugSessions());
  const jobs = own(new Jobs(engine, relaunch, sessions, log));
  const objectives = own(new ChosenObjectives());
  const panels = own(new RunPanels(extensionUri, runs, jobs, objectives, errors));
  const landscape = own(new LandscapeProvider(extensionUri, runs, jobs, relaunch, objectives, errors));
  const tree = own(new RunsTree(runs, context.workspaceState));
  const sites = new TrainingSites(runs);
  const training = new Training(dist('cli.cjs'), log, new ScriptArguments(context.workspaceState));
  const debugging = own(
    new Debugging(dist('debugAdapter.cjs'), sessions, ({ directory, kind }) => {
      void vscode.commands.executeCommand(commands.openRun, directory, lensOf(kind as AnalysisKind));
    }),
  );
  own(new CodeDebuggers());
  own(new StepInlineValues(selector));
  const lens = own(new TrainingLens(sites, runs));
  const hints = own(new SharpnessHints(sites, runs));
  const rateHints = own(new LearningRateHints(sites, runs));
  own(new StatusItem(runs, jobs));
  own(trainableContext(sites));

  own(vscode.window.registerWebviewViewProvider(views.landscape, landscape));
  own(vscode.window.registerWebviewPanelSerializer(PANEL_TYPE, panels));
  own(vscode.languages.registerCodeLensProvider(selector, lens));
  own(vscode.languages.registerInlayHintsProvider(selector, hints));
  own(vscode.languages.registerInlayHintsProvider(selector, rateHints));
  own(vscode.languages.registerHoverProvider(selector, hints));
  own(vscode.languages.registerHoverProvider(selector, rateHints));
  own(
    vscode.languages.registerCodeActionsProvider(selector, new QuickFixes(sites), {
      providedCodeActionKinds: QuickFixes.kinds,
    }),
  );
  own(vscode.tasks.registerTaskProvider(TASK_TYPE, training));
  const commandsRun = new Set<string>();
  own(
    registerCommands(
      {
        extension: extensionUri,
        version: String((context.extension.packageJSON as { version: unknown }).version),
        runs,
        tree,
        jobs,
        panels,
        landscape,
        training,
        debugging,
        sites,
        errors,
        log,
      },
      commandsRun,
    ),
  );

  return {
    commandsRun,
    tree,
    onDidHearOfJob: jobs.onDidHear,
    listeners: () => jobs.listeners + runs.listeners,
  };
}

export async function deactivate(): Promise<void> {
  await engine?.dispose();
}
