/** What panel and sidebar share as hosts of a page: its document, its requests, and news of jobs. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import * as vscode from 'vscode';
import type { Job } from '../protocol/engine.ts';
import { BasinError } from '../protocol/errors.ts';
import { heedingBarrier } from './barrierConsent.ts';
import { packSteps } from '../runs/stepColumns.ts';
import { DisposableStore } from './disposables.ts';
import { commands } from './ids.ts';
import type { JobEvent, Jobs } from './jobs.ts';
import { pageHtml } from './pageHtml.ts';
import { PageWire } from './pageWire.ts';
import type { KnownRun } from './workspaceRuns.ts';

const known = new Set<string>(Object.values(commands));

export interface PageContent {
  readonly page: 'panel' | 'landscape';
  readonly title: string;
  /** The run that requests are about, as it is known now. */
  readonly run: () => KnownRun | null;
  /** The page shows this one of the run's objectives. */
  readonly choose: (objective: number) => void;
  /** The page can show things: send it the whole. */
  readonly ready: () => void;
}

export class PageHost implements vscode.Disposable {
  readonly #store = new DisposableStore();
  readonly #cancels = new Map</* job number of the page */ number, AbortController>();
  readonly wire: PageWire;

  constructor(
    webview: vscode.Webview,
    extension: vscode.Uri,
    private readonly content: PageContent,
    private readonly jobs: Jobs,
  ) {
    const folder = vscode.Uri.joinPath(extension, 'dist', 'webview');
    webview.options = { enableScripts: true, localResourceRoots: [folder] };
    this.wire = this.#store.add(
      new PageWire(webview, {
        ready: () => {
          content.ready();
          for (const running of jobs.running) this.#tell({ kind: 'progress', running });
          return {};
        },
        runJob: ({ job, number }, signal) => this.#runJob(job, number, signal),
        cancelJob: ({ number }) => this.#cancelJob(number),
        saveFile: async ({ name, content: text, encoding }) => ({
          saved: await this.#saveFile(name, text, encoding),
        }),
        chooseObjective: ({ objective }) => {
          content.choose(objective);
          return {};
        },
        readSteps: async () => packSteps(await this.#runOrThrow().run.readSteps()),
        runCommand: async ({ command, argument }) => {
          const id = known.has(command) ? command : `basin.${command}`;
          if (!known.has(id))
            throw new BasinError('bad-input', vscode.l10n.t('There is no command {0}.', command));
          await vscode.commands.executeCommand(id, content.run()?.run.directory, argument);
          return {};
        },
      }),
    );
    this.#store.add(jobs.onDidHear((event) => this.#tell(event)));
    const resource = (name: string): string =>
      webview.asWebviewUri(vscode.Uri.joinPath(folder, name)).toString();
    webview.html = pageHtml({
      title: content.title,
      language: vscode.env.language,
      cspSource: webview.cspSource,
      script: resource(`${content.page}.js`),
      style: resource(`${content.page}.css`),
    });
  }

  #runOrThrow(): KnownRun {
    const run = this.content.run();
    if (run !== null) return run;
    throw new BasinError('not-found', vscode.l10n.t('The run is gone.'), vscode.l10n.t('Open another one.'));
  }

  async #runJob(job: Job, number: number, signal: AbortSignal) {
    const run = this.#runOrThrow();
    const controller = new AbortController();
    signal.addEventListener('abort', () => controller.abort(), { once: true });
    this.#cancels.set(number, controller);
    try {
      // A page asks about its own run only.
      return await heedingBarrier({ ...job, run: run.id }, (asked) =>
        this.jobs.run(run, asked, { number, signal: controller.signal }),
      );
    } finally {
      this.#cancels.delete(number);
    }
  }

  #cancelJob(number: number): object {
    this.#cancels.get(number)?.abort();
    for (const running of this.jobs.running) {
      if (running.number === number && number < 0 && running.directory === this.content.run()?.run.directory)
        running.cancel();
    }
    return {};
  }

  async #saveFile(name: string, content: string, encoding: 'utf8' | 'base64'): Promise<string | null> {
    const folder = this.#runOrThrow().folder.uri;
    const target = await vscode.window.showSaveDialog({
      defaultUri: vscode.Uri.joinPath(folder, path.basename(name)),
      title: vscode.l10n.t('Save'),
    });
    if (target === undefined) return null;
    await writeFile(target.fsPath, content, encoding);
    return target.fsPath;
  }

  #tell(event: JobEvent): void {
    const { number, directory, job, progress } = event.running;
    if (directory !== this.content.run()?.run.directory) return;
    // The other page's own numbers mean nothing here.
    if (number > 0 && !this.#cancels.has(number)) return;
    if (event.kind === 'progress') this.wire.notify('jobProgress', { number, job, progress });
    else if (event.kind === 'partial') this.wire.notify('jobPartial', { number, result: event.result });
    else this.wire.notify('jobDone', { number, result: event.result, error: event.error });
  }

  dispose(): void {
    for (const controller of this.#cancels.values()) controller.abort();
    this.#store.dispose();
  }
}
