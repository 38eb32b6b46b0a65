/**
 * The Runs view: runs, by script where that is wanted, and below each its snapshots, the models built from it and the
 * analyses kept.
 */
import path from 'node:path';
import * as vscode from 'vscode';
import type { AnalysisResult } from '../protocol/analyses.ts';
import type { BuiltModel, RunState } from '../protocol/run.ts';
import { keptAnalyses } from '../runs/keptAnalyses.ts';
import { DisposableStore } from './disposables.ts';
import { folderName } from './folderOf.ts';
import { commands, contextKeys, treeItems, views } from './ids.ts';
import { lensOf, resultTitle } from './resultText.ts';
import { localNumber } from './localNumber.ts';
import { latestSharpness, runText, stateWords } from './sharpnessText.ts';
import { throttle } from './throttle.ts';
import { setContext, type KnownRun, type WorkspaceRuns } from './workspaceRuns.ts';
import { decodeNumber } from '../protocol/run.ts';

export type RunNode =
  /** `run` is the newest of them. */
  | { readonly kind: 'script'; readonly run: KnownRun; readonly script: string; readonly count: number }
  | { readonly kind: 'run'; readonly run: KnownRun }
  | {
      readonly kind: 'group';
      readonly run: KnownRun;
      readonly group: 'snapshots' | 'models' | 'analyses';
      readonly count: number;
    }
  | { readonly kind: 'snapshot'; readonly run: KnownRun; readonly step: number; readonly bytes: number }
  | { readonly kind: 'model'; readonly run: KnownRun; readonly model: BuiltModel }
  | { readonly kind: 'analysis'; readonly run: KnownRun; readonly result: AnalysisResult };

/** More rows than this of one kind help nobody: first and last are shown, the others evenly thinned. */
const ROWS = 24;

/** Least time between two refreshes of the tree, in ms. */
const REFRESH_MS = 500;

const stateIcons: Readonly<Record<RunState, readonly [icon: string, colour?: string]>> = {
  starting: ['loading~spin'],
  training: ['sync~spin', 'charts.blue'],
  paused: ['debug-pause', 'charts.orange'],
  held: ['debug-pause', 'charts.yellow'],
  finished: ['check', 'testing.iconPassed'],
  failed: ['error', 'testing.iconFailed'],
  interrupted: ['debug-disconnect', 'charts.orange'],
  'no-training': ['circle-slash', 'disabledForeground'],
};

export class RunsTree implements vscode.TreeDataProvider<RunNode>, vscode.Disposable {
  readonly #store = new DisposableStore();
  readonly #changed = this.#store.add(new vscode.EventEmitter<void>());
  readonly onDidChangeTreeData = this.#changed.event;
  readonly view: vscode.TreeView<RunNode>;
  #filter = '';

  /** @param memory keeps the grouping for the workspace */
  constructor(
    private readonly runs: WorkspaceRuns,
    private readonly memory: vscode.Memento,
  ) {
    setContext(contextKeys.grouped, this.#grouped);
    // The whole tree: rows are few, and ids keep selection and expansion where they were.
    const refresh = this.#store.add(throttle(REFRESH_MS, () => this.#changed.fire()));
    this.#store.add(runs.onDidChangeList(refresh));
    this.#store.add(runs.onDidChangeRun(refresh));
    this.view = this.#store.add(
      vscode.window.createTreeView(views.runs, {
        treeDataProvider: this,
        showCollapseAll: true,
        canSelectMany: true,
      }),
    );
  }

  get #grouped(): boolean {
    return this.memory.get<boolean>(contextKeys.grouped) ?? false;
  }

  /** Shows runs by script, or in one list. */
  async group(byScript: boolean): Promise<void> {
    await this.memory.update(contextKeys.grouped, byScript);
    setContext(contextKeys.grouped, byScript);
    this.#changed.fire();
  }

  /** Words that a shown run's name, id, state, script or framework have all of; empty for every run. */
  get filter(): string {
    return this.#filter;
  }
  set filter(text: string) {
    this.#filter = text.trim();
    setContext(contextKeys.filtered, this.#filter !== '');
    this.#changed.fire();
  }

  /** The runs that pass the filter, the baseline first, then the newest. */
  #shown(): readonly KnownRun[] {
    const all = this.runs.all;
    const words = this.#filter.toLowerCase().split(/\s+/);
    const shown = all.filter((run) => words.every((word) => searchText(run).includes(word)));
    this.view.message =
      this.#filter === ''
        ? ''
        : vscode.l10n.t('{0} of {1} runs match “{2}”', shown.length, all.length, this.#filter);
    return [...shown].sort((a, b) => Number(b.baseline) - Number(a.baseline));
  }

  async getChildren(node?: RunNode): Promise<RunNode[]> {
    if (node === undefined) {
      const runs = this.#shown();
      if (!this.#grouped) return runs.map((run) => ({ kind: 'run', run }));
      const scripts = new Map</* script */ string, KnownRun[]>();
      for (const run of runs) {
        const script = scriptOf(run);
        scripts.set(script, [...(scripts.get(script) ?? []), run]);
      }
      return [...scripts].map(([script, of]) => ({
        kind: 'script',
        run: of[0] as KnownRun,
        script,
        count: of.length,
      }));
    }
    const { run } = node;
    if (node.kind === 'script') {
      return this.#shown()
        .filter((r) => scriptOf(r) === node.script)
        .map((r) => ({ kind: 'run', run: r }));
    }
    if (node.kind === 'run') {
      if (run.manifest === null) return [];
      const [snapshots, models, analyses] = await Promise.all([
        run.run.snapshots(),
        run.run.models(),
        keptAnalyses(run.run),
      ]);
      return [
        { kind: 'group' as const, run, group: 'snapshots' as const, count: snapshots.length },
        { kind: 'group' as const, run, group: 'models' as const, count: models.length },
        { kind: 'group' as const, run, group: 'analyses' as const, count: analyses.length },
      ].filter((group) => group.count > 0);
    }
    if (node.kind !== 'group') return [];
    switch (node.group) {
      case 'snapshots':
        return thinned(await run.run.snapshots()).map(({ step, bytes }) => ({
          kind: 'snapshot',
          run,
          step,
          bytes,
        }));
      case 'models':
        return (await run.run.models()).map((model) => ({ kind: 'model', run, model }));
      case 'analyses':
        return (await keptAnalyses(run.run))
          .slice(0, ROWS)
          .map((result) => ({ kind: 'analysis', run, result }));
    }
  }

  getTreeItem(node: RunNode): vscode.TreeItem {
    const item = itemOf(node);
    item.id = nodeId(node);
    return item;
  }

  getParent(): undefined {
    return undefined;
  }

  dispose(): void {
    this.#store.dispose();
  }
}

function nodeId(node: RunNode): string {
  const base = node.run.run.directory;
  switch (node.kind) {
    case 'script':
      return `script:${node.script}`;
    case 'run':
      return base;
    case 'group':
      return `${base}#${node.group}`;
    case 'snapshot':
      return `${base}#snapshot:${node.step}`;
    case 'model':
      return `${base}#model:${node.model.id}`;
    case 'analysis':
      return `${base}#analysis:${node.result.id}`;
  }
}

function itemOf(node: RunNode): vscode.TreeItem {
  const { Collapsed, Expanded, None } = vscode.TreeItemCollapsibleState;
  switch (node.kind) {
    case 'script': {
      const item = new vscode.TreeItem(node.script, Expanded);
      item.description = String(node.count);
      item.iconPath = new vscode.ThemeIcon('file-code');
      item.contextValue = treeItems.script;
      return item;
    }
    case 'run':
      return runItem(node.run);
    case 'group': {
      const item = new vscode.TreeItem(groupTitle(node.group), Collapsed);
      item.description = String(node.count);
      return item;
    }
    case 'snapshot': {
      const item = new vscode.TreeItem(vscode.l10n.t('step {0}', node.step), None);
      item.description = `${localNumber(node.bytes / 1e6)} MB`;
      item.iconPath = new vscode.ThemeIcon('circle-small-filled');
      item.contextValue = treeItems.snapshot;
      return item;
    }
    case 'model': {
      const item = new vscode.TreeItem(node.model.name, None);
      item.description = vscode.l10n.t('{0} snapshots', node.model.members.length);
      item.tooltip = vscode.l10n.t('Built from the snapshots {0}', node.model.members.join(', '));
      item.iconPath = new vscode.ThemeIcon(node.model.kind === 'ensemble' ? 'layers' : 'combine');
      item.contextValue = treeItems.model;
      return item;
    }
    case 'analysis': {
      const item = new vscode.TreeItem(resultTitle(node.result), None);
      item.description = ago(node.result.provenance.created);
      item.tooltip = node.result.trust.join('\n');
      item.iconPath = new vscode.ThemeIcon('graph');
      item.contextValue = treeItems.analysis;
      item.command = {
        command: commands.openRun,
        title: vscode.l10n.t('Open'),
        arguments: [node.run.run.directory, lensOf(node.result.kind), node.result.id],
      };
      return item;
    }
  }
}

function runItem(run: KnownRun): vscode.TreeItem {
  const { Collapsed, None } = vscode.TreeItemCollapsibleState;
  if (run.manifest === null) {
    const item = new vscode.TreeItem(run.id, None);
    item.description = vscode.l10n.t('cannot be read');
    item.tooltip = [run.error?.message, run.error?.cure].filter(Boolean).join(' ');
    item.iconPath = new vscode.ThemeIcon('warning', new vscode.ThemeColor('problemsWarningIcon.foreground'));
    item.contextValue = treeItems.corrupt;
    return item;
  }
  const { manifest } = run;
  const item = new vscode.TreeItem(manifest.name, Collapsed);
  const told = [folderName(run), runText(manifest, run.lastStep, run.live)].filter(Boolean).join(' · ');
  item.description = run.baseline ? `${vscode.l10n.t('baseline')} · ${told}` : told;
  item.tooltip = runTooltip(run);
  const [icon, colour] =
    run.baseline && manifest.state === 'finished' ? (['pinned'] as const) : stateIcons[manifest.state];
  item.iconPath = new vscode.ThemeIcon(
    icon,
    colour === undefined ? undefined : new vscode.ThemeColor(colour),
  );
  item.contextValue = [
    treeItems.run,
    ...(['held', 'training', 'paused'].includes(manifest.state) ? [manifest.state] : []),
    ...(run.baseline ? ['baseline'] : []),
  ].join(' ');
  item.accessibilityInformation = {
    label: `${manifest.name}, ${stateWords(manifest.state)}, ${item.description}`,
  };
  item.command = { command: commands.openRun, title: vscode.l10n.t('Open'), arguments: [run.run.directory] };
  return item;
}

/** The script relative to its workspace folder, whose name stands before it where there are several; the command where a run has none. */
function scriptOf(run: KnownRun): string {
  const { manifest, folder } = run;
  if (manifest === null) return vscode.l10n.t('unreadable runs');
  return manifest.script === null
    ? manifest.command.map((part) => path.basename(part)).join(' ')
    : path.join(
        folderName(run) ?? '',
        path.relative(folder.uri.fsPath, path.resolve(manifest.cwd, manifest.script)),
      );
}

function searchText(run: KnownRun): string {
  const { manifest } = run;
  const state = manifest === null ? [] : [manifest.state, stateWords(manifest.state)];
  return [run.id, manifest?.name, ...state, manifest?.framework, scriptOf(run)].join(' ').toLowerCase();
}

function runTooltip(run: KnownRun): vscode.MarkdownString {
  const { manifest, id, live } = run;
  const text = new vscode.MarkdownString();
  if (manifest === null) return text;
  const line = (label: string, value: string | null | undefined): void => {
    if (value === null || value === undefined || value === '') return;
    text.appendMarkdown(`**${label}** `).appendText(value).appendMarkdown('  \n');
  };
  line(vscode.l10n.t('Run'), `${id}, ${stateWords(manifest.state)}`);
  line(vscode.l10n.t('Folder'), folderName(run));
  line(vscode.l10n.t('Why'), manifest.stateReason);
  const { parent, successor } = manifest;
  line(vscode.l10n.t('Parent'), parent && vscode.l10n.t('{0}, step {1}', parent.run, parent.step));
  line(
    vscode.l10n.t('Went on as'),
    successor && vscode.l10n.t('{0}, from step {1}', successor.run, successor.step),
  );
  line(vscode.l10n.t('Command'), manifest.command.map((part) => path.basename(part)).join(' '));
  for (const objective of manifest.objectives) {
    line(
      objective.name,
      vscode.l10n.t(
        '{0} parameters, {1}',
        objective.parameterCount,
        objective.optimizer?.name ?? vscode.l10n.t('unknown optimizer'),
      ),
    );
  }
  line(
    vscode.l10n.t('Recorded'),
    vscode.l10n.t('{0} steps, {1} snapshots', manifest.recording.steps, manifest.recording.snapshots),
  );
  const sharpness = latestSharpness(live, 0);
  if (sharpness !== null)
    line(
      'λ₁',
      `${localNumber(decodeNumber(sharpness.lambda1))} (${vscode.l10n.t('step {0}', sharpness.step)})`,
    );
  for (const note of manifest.recording.notes) line(vscode.l10n.t('Note'), note);
  return text;
}

function groupTitle(group: 'snapshots' | 'models' | 'analyses'): string {
  switch (group) {
    case 'snapshots':
      return vscode.l10n.t('Snapshots');
    case 'models':
      return vscode.l10n.t('Models');
    case 'analyses':
      return vscode.l10n.t('Analyses');
  }
}

/** At most {@link ROWS} of them, evenly, first and last kept; newest first. */
function thinned<T>(items: readonly T[]): T[] {
  if (items.length <= ROWS) return [...items].reverse();
  const indices = new Set(
    Array.from({ length: ROWS }, (_, i) => Math.round((i * (items.length - 1)) / (ROWS - 1))),
  );
  return [...indices].reverse().map((i) => items[i] as T);
}

function ago(created: string): string {
  const date = new Date(created);
  return Number.isNaN(date.getTime()) ? '' : date.toLocaleString(vscode.env.language);
}
