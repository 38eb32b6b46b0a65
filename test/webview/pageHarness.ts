/**
 * Loads a built page (dist/webview) into headless Chromium with the extension's own document, policy and wire on
 * the other side: what is missing is VS Code itself. Nothing is fetched from anywhere; requests are answered from disk.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { chromium } from 'playwright-core';
import type { Browser, Page } from 'playwright-core';
import type { LensName, PageNotifications, RunView } from '../../src/protocol/page.ts';
import { renderReport } from '../../src/engine/report.ts';
import { packSteps } from '../../src/runs/stepColumns.ts';
import { pageHtml } from '../../src/surface/pageHtml.ts';
import { PageWire } from '../../src/surface/pageWire.ts';
import type { PageHandlers } from '../../src/surface/pageWire.ts';
import { themes } from './vscodeThemes.ts';
import type { ThemeName } from './vscodeThemes.ts';

// A secure context, as VS Code's webviews are: the clipboard is to be had in nothing else.
const ORIGIN = 'https://basin.test';
export const pages = path.join(import.meta.dirname, '../../dist/webview');

/** The recorded run that pages are shown; see recordDigits.ts. */
export const digits = JSON.parse(
  readFileSync(path.join(import.meta.dirname, '../fixtures/digits-view.json'), 'utf8'),
) as RunView;

/** A run for which the engine was asked every kind of question; see recordEngine.ts. */
export const asked = JSON.parse(
  readFileSync(path.join(import.meta.dirname, '../fixtures/engine-view.json'), 'utf8'),
) as RunView;

/** The noise scale of the digits sample as it was measured while it trained: `noise.jsonl` of `train --live-budget 50`. */
export const liveNoise = JSON.parse(
  readFileSync(path.join(import.meta.dirname, '../fixtures/live-noise.json'), 'utf8'),
) as NonNullable<RunView['noise']>;

export const lenses = [
  'contour',
  'line',
  'trajectory',
  'spectrum',
  'sharpness',
  'averaging',
  'generalisation',
  'log',
] as const satisfies readonly LensName[];
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export const executablePath =
  process.env['CHROME_PATH'] ??
  ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);

export async function launchBrowser(webgl = true): Promise<Browser> {
  return chromium.launch({
    ...(executablePath === undefined ? {} : { executablePath }),
    headless: true,
    args: [
      '--no-sandbox',
      '--disable-dev-shm-usage',
      '--disable-background-networking',
      '--disable-component-update',
      ...(webgl
        ? ['--use-angle=swiftshader', '--enable-unsafe-swiftshader', '--ignore-gpu-blocklist']
        : ['--disable-gpu', '--disable-3d-apis']),
    ],
  });
}

export interface PageOptions {
  readonly theme?: ThemeName;
  /** Of the editor. */
  readonly language?: string;
  /** Runs in the page before its own code. */
  readonly initScript?: string;
  readonly width?: number;
  readonly height?: number;
  /** What the page kept before a reload. */
  readonly state?: unknown;
  readonly handlers?: Partial<PageHandlers>;
}

/** A page and its host. `problems` collects errors, console errors and warnings, and breaches of the policy: empty is right. */
export class HostedPage {
  readonly problems: string[] = [];
  /** Every request of the page, in order. */
  readonly requests: { method: string; params: unknown }[] = [];
  private wire: PageWire | null = null;

  private constructor(readonly page: Page) {}

  static async open(
    browser: Browser,
    name: 'panel' | 'landscape',
    options: PageOptions = {},
  ): Promise<HostedPage> {
    const { theme = 'dark', width = 1100, height = 860 } = options;
    const context = await browser.newContext({
      viewport: { width, height },
      deviceScaleFactor: 1,
      permissions: ['clipboard-write'],
    });
    const hosted = new HostedPage(await context.newPage());
    const { page } = hosted;
    hosted.watch();
    const ready = hosted.serve(options.handlers ?? {});
    await page.exposeFunction('basinToHost', (message: unknown) => hosted.receive(message));
    if (options.initScript !== undefined) await page.addInitScript({ content: options.initScript });
    await page.addInitScript({ content: hostScript(options.state ?? null, themes[theme]) });
    await page.route(`${ORIGIN}/**`, async (route) => {
      const file = new URL(route.request().url()).pathname.slice(1);
      if (file === `${name}.html`) {
        const body = pageHtml({
          title: name,
          language: options.language ?? 'en',
          cspSource: ORIGIN,
          script: `${ORIGIN}/${name}.js`,
          style: `${ORIGIN}/${name}.css`,
        });
        return route.fulfill({ contentType: 'text/html', body });
      }
      const at = path.join(pages, path.basename(file));
      if (!existsSync(at)) return route.fulfill({ status: 404 });
      return route.fulfill({
        contentType: file.endsWith('.css') ? 'text/css' : 'text/javascript',
        body: readFileSync(at),
      });
    });
    await page.goto(`${ORIGIN}/${name}.html`);
    const loaded = await Promise.race([
      ready.then(() => true),
      page.waitForTimeout(15_000).then(() => false),
    ]);
    if (!loaded) throw new Error(`The page never said ready: ${hosted.problems.join('; ')}`);
    // VS Code paints the body itself.
    const background = name === 'panel' ? '--vscode-editor-background' : '--vscode-sideBar-background';
    await page.addStyleTag({ content: `body { background: var(${background}) }` });
    return hosted;
  }

  /** The report, as a file of its own under its own policy. */
  static async openReport(
    browser: Browser,
    view: RunView,
    options: { dark?: boolean; language?: string; width?: number; height?: number } = {},
  ): Promise<HostedPage> {
    const context = await browser.newContext({
      viewport: { width: options.width ?? 1280, height: options.height ?? 900 },
      colorScheme: options.dark ? 'dark' : 'light',
    });
    const hosted = new HostedPage(await context.newPage());
    hosted.watch();
    const html = renderReport(
      view,
      readFileSync(path.join(pages, 'report.js'), 'utf8'),
      readFileSync(path.join(pages, 'report.css'), 'utf8'),
      options.language,
    );
    await hosted.page.route('**/*', (route) => {
      if (route.request().url() === `${ORIGIN}/report.html`)
        return route.fulfill({ contentType: 'text/html', body: html });
      hosted.problems.push(`asked for ${route.request().url()}`);
      return route.abort();
    });
    await hosted.page.goto(`${ORIGIN}/report.html`);
    return hosted;
  }

  notify<N extends keyof PageNotifications>(method: N, params: PageNotifications[N]): void {
    if (this.wire === null) throw new Error('This page has no host.');
    this.wire.notify(method, params);
  }

  /** Waits until everything that was sent so far has been drawn. */
  async settle(): Promise<void> {
    await this.page.waitForTimeout(120);
    await this.page.evaluate(
      () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))),
    );
  }

  async close(): Promise<void> {
    this.wire?.dispose();
    await this.page.context().close();
  }

  private readonly listeners: ((message: unknown) => void)[] = [];

  private receive(message: unknown): void {
    for (const listener of this.listeners) listener(message);
  }

  private watch(): void {
    this.page.on('pageerror', (error) => this.problems.push(error.message));
    this.page.on('console', (message) => {
      if (/^(error|warning)$/.test(message.type()) || /Content Security Policy/.test(message.text()))
        this.problems.push(message.text());
    });
  }

  /** Resolves when the page has said `ready`. */
  private serve(own: Partial<PageHandlers>): Promise<void> {
    return new Promise((resolve) => {
      const handlers: PageHandlers = {
        ready: () => ({}),
        runJob: () => new Promise(() => undefined),
        cancelJob: () => ({}),
        saveFile: ({ name }) => ({ saved: name }),
        readSteps: () => packSteps(digits.steps),
        chooseObjective: () => ({}),
        runCommand: () => ({}),
        ...own,
      };
      const noted = Object.fromEntries(
        Object.entries(handlers).map(([method, handler]) => [
          method,
          (params: never, signal: AbortSignal) => {
            this.requests.push({ method, params });
            if (method === 'ready') resolve();
            return (handler as (params: unknown, signal: AbortSignal) => unknown)(params, signal);
          },
        ]),
      ) as unknown as PageHandlers;
      this.wire = new PageWire(
        {
          postMessage: async (message) => {
            await this.page.evaluate((m) => window.postMessage(m, '*'), message).catch(() => undefined);
            return true;
          },
          onDidReceiveMessage: (listener) => {
            this.listeners.push(listener);
            return { dispose: () => void this.listeners.splice(this.listeners.indexOf(listener), 1) };
          },
        },
        noted,
      );
    });
  }
}

/** What axe finds wrong, in a line each. */
export async function violations({ page }: HostedPage): Promise<string[]> {
  // Through the debugger: the page's policy allows no foreign script, as it should.
  await page.evaluate(axe);
  return page.evaluate(`axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) =>
    violations.flatMap(({ id, nodes }) => nodes.map((node) => id + ': ' + node.target.join(' ') + ' ' + (node.any[0]?.message ?? ''))))`);
}

/** Text as people read it: blanks of every kind, hard and narrow ones too, are one blank. */
export const plain = (text: string): string => text.replace(/\s+/g, ' ');

/** Waits for what the page does in its own time. */
export async function until(what: string, holds: () => Promise<boolean>, seconds = 20): Promise<void> {
  for (const end = Date.now() + 1000 * seconds; Date.now() < end;) {
    // A view may be drawn anew while it is looked at.
    if (await holds().catch(() => false)) return;
    await new Promise((done) => setTimeout(done, 200));
  }
  assert.fail(`Waited for ${what}.`);
}

/** What VS Code does to a webview's window. Text, because a transpiled function calls helpers that the page lacks. */
function hostScript(state: unknown, { variables, classes }: (typeof themes)[ThemeName]): string {
  return `{
    let kept = ${JSON.stringify(state)};
    globalThis.acquireVsCodeApi = () => ({
      postMessage: (message) => void basinToHost(message),
      getState: () => kept,
      setState: (next) => { kept = next; globalThis.basinState = next; },
    });
    document.addEventListener('DOMContentLoaded', () => {
      for (const [name, value] of Object.entries(${JSON.stringify(variables)})) document.documentElement.style.setProperty(name, value);
      document.body.classList.add(...${JSON.stringify(classes)});
    });
  }`;
}
