/**
 * The fixture of the webview suite: the packaged extension in a real VS Code, driven as a person would.
 * Screenshots go to out/screenshots/.
 */
import { mkdirSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Frame, Locator, Page } from 'playwright-core';
import { vsixFile } from './build.mjs';
import { launchBrowser, startVSCode, workbenchUrl } from './vscode/vscode-web.mjs';
import { freshWorkspace } from './workspace.mjs';

const screenshots = resolve(import.meta.dirname, '../../out/screenshots');

export interface WorkbenchOptions {
  /** Absolute path of the folder to open; by default a fresh copy of the sample workspace. */
  readonly folder?: string;
  /** Absolute path of a .code-workspace file that has the folder and others: it is opened in its place. */
  readonly workspace?: string;
  readonly theme?: 'dark' | 'light' | 'high-contrast' | 'high-contrast-light';
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Workspace trust in force; off by default. */
  readonly trust?: boolean;
  /** Of VS Code; English by default. */
  readonly language?: string;
  readonly viewport?: { readonly width: number; readonly height: number };
  readonly env?: Readonly<Record<string, string>>;
}

export interface Workbench {
  readonly page: Page;
  readonly folder: string;
  /** Runs a command by its title from the palette. */
  command(title: string): Promise<void>;
  /** Titles that the palette lists for a text. */
  paletteEntries(text: string): Promise<string[]>;
  /** Opens a file of the folder by its name. */
  openFile(name: string): Promise<void>;
  /** The webview frame that has an element; waits for it. */
  frame(selector: string, timeoutMs?: number): Promise<Frame>;
  /** Opens the view container with this title in the activity bar. */
  openContainer(title: string): Promise<void>;
  /** @returns the picture's file */
  screenshot(name: string): Promise<string>;
  close(): Promise<void>;
}

/** Starts a VS Code of its own with the packaged extension and opens the folder in a browser. Close it in `after`. */
export async function startWorkbench(options: WorkbenchOptions = {}): Promise<Workbench> {
  const folder = options.folder ?? freshWorkspace('webview');
  const server = await startVSCode({
    vsix: vsixFile,
    ...(options.theme ? { theme: options.theme } : {}),
    ...(options.settings ? { settings: options.settings } : {}),
    ...(options.trust ? { trust: true } : {}),
    ...(options.language ? { language: options.language } : {}),
    ...(options.env ? { env: options.env } : {}),
  });
  const browser = await launchBrowser().catch(async (error: unknown) => {
    await server.stop();
    throw error;
  });
  const close = async () => {
    await browser.close().catch(() => undefined);
    await server.stop();
  };
  try {
    const viewport = options.viewport ?? { width: 1400, height: 900 };
    const page = await (await browser.newContext({ viewport })).newPage();
    const { workspace } = options;
    await page.goto(workbenchUrl(server, { folder, ...(workspace === undefined ? {} : { workspace }) }));
    await page.locator('.monaco-workbench .statusbar').waitFor({ timeout: 60_000 });
    // An empty folder has no row.
    const files = page.locator(
      readdirSync(folder).length > 0 ? '.explorer-folders-view .monaco-list-row' : '.explorer-folders-view',
    );
    await files.first().waitFor({ timeout: 60_000 });
    return { page, folder, close, ...actions(page) };
  } catch (error) {
    await close();
    throw error;
  }
}

function actions(page: Page): Omit<Workbench, 'page' | 'folder' | 'close'> {
  const rows = page.locator('.quick-input-list .monaco-list-row');
  const quickInput = async (key: string, text: string) => {
    await page.keyboard.press(key);
    const input = page.locator('.quick-input-widget input[type=text], .quick-input-box input').first();
    await input.waitFor({ state: 'visible' });
    await input.fill(text, { timeout: 5000 });
  };
  /**
   * The palette's rows that have the text; it is opened again until they are there: it lists what it knew at opening, and
   * closes where a page that is being restored takes the focus.
   */
  const paletteRows = async (text: string): Promise<Locator> => {
    const wanted = rows.filter({ hasText: text });
    for (let tries = 1; ; tries++) {
      try {
        await quickInput('F1', `>${text}`);
        await wanted.first().waitFor({ timeout: 3000 });
        return wanted;
      } catch (error) {
        if (tries === 10) throw error;
        await page.keyboard.press('Escape');
      }
    }
  };
  return {
    async command(title) {
      await (await paletteRows(title)).first().click();
    },
    async paletteEntries(text) {
      const entries = await (await paletteRows(text)).locator('.label-name').allInnerTexts();
      await page.keyboard.press('Escape');
      return entries.map((entry) => entry.replaceAll('\u00a0', ' '));
    },
    async openFile(name) {
      await quickInput('Control+P', name);
      await rows.filter({ hasText: name }).first().click();
      await page.locator('.tab.active', { hasText: name }).waitFor();
    },
    async frame(selector, timeoutMs = 20_000) {
      const end = Date.now() + timeoutMs;
      for (;;) {
        for (const frame of page.frames()) {
          const count = await frame
            .locator(selector)
            .count()
            .catch(() => 0); // a frame may be replaced while it is asked
          if (count > 0) return frame;
        }
        if (Date.now() > end) {
          const pages = await Promise.all(
            page.frames().map((frame) =>
              frame
                .locator('#app')
                .innerText({ timeout: 1000 })
                .catch(() => null),
            ),
          );
          const seen = pages
            .filter((text) => text !== null)
            .map((text) => JSON.stringify(text.slice(0, 400)));
          throw new Error(
            `No webview has ${selector}. Those that are there say: ${seen.join(', ') || 'nothing'}`,
          );
        }
        await page.waitForTimeout(100);
      }
    },
    async openContainer(title) {
      await page.locator(`.activitybar a.action-label[aria-label^="${title}"]`).first().click();
      await page.locator('.sidebar .composite.title', { hasText: new RegExp(title, 'i') }).waitFor();
    },
    async screenshot(name) {
      mkdirSync(screenshots, { recursive: true });
      const path = join(screenshots, `${name}.png`);
      await page.screenshot({ path });
      return path;
    },
  };
}
