/**
 * The packaged extension in a VS Code whose language is German, over a workspace of two folders: each of its parts says
 * what it has to say in German, and a file of the second folder is trained by that folder's settings, into its own runs.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Workbench } from '../harness/workbench.ts';
import { freshWorkspace } from '../harness/workspace.mjs';
import { openForSuite } from './openForSuite.ts';
import { plain, until } from './pageHarness.ts';

/** What the files below a folder hold. */
const bytesIn = (folder: string): number =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);

describe('the workbench in German', function () {
  this.timeout(240_000);
  // A step on which the others stand.
  this.bail(true);
  let workbench: Workbench;
  openForSuite(
    () => {
      const folder = freshWorkspace('german');
      // The second of two folders, with a setting of its own.
      const other = freshWorkspace('german-other');
      mkdirSync(join(folder, '.vscode'));
      writeFileSync(join(folder, '.vscode/settings.json'), JSON.stringify({ 'basin.holdSeconds': 600 }));
      rmSync(join(other, 'train.mjs'));
      const workspace = `${folder}.code-workspace`;
      writeFileSync(workspace, JSON.stringify({ folders: [{ path: other }, { path: folder }] }));
      return { folder, workspace, language: 'de', settings: { 'basin.contourSize': 21 } };
    },
    (opened) => (workbench = opened),
    'german-',
  );
  const store = join(resolve(import.meta.dirname, '../../out/workspaces/german'), '.basin/runs');
  const runs = (): string[] => readdirSync(store);
  const rows = async (): Promise<string[]> =>
    (await workbench.page.locator('.sidebar .pane-body .monaco-list-row').allInnerTexts()).map(plain);

  it('welcomes, and names its views', async () => {
    await workbench.openContainer('Basin');
    const { page } = workbench;
    await page
      .locator('.sidebar .welcome-view-content', { hasText: 'noch kein Lauf aufgezeichnet' })
      .waitFor();
    const titles = (await page.locator('.sidebar .pane-header .title').allInnerTexts()).map((t) =>
      t.toLowerCase(),
    );
    assert.deepEqual(titles.sort(), ['landschaft', 'läufe']);
    await workbench.screenshot('german-empty');
  });

  it('has its commands in the palette', async () => {
    const entries = await workbench.paletteEntries('Basin: Protokoll');
    assert.ok(
      entries.some((entry) => entry.includes('Basin: Protokoll zeigen')),
      entries.join(),
    );
  });

  it('trains from the action above the call, and tells how far it is', async () => {
    await workbench.openFile('train.mjs');
    const lens = workbench.page
      .locator('.codelens-decoration a', { hasText: 'Unter Basin trainieren' })
      .first();
    await lens.waitFor({ timeout: 20_000 });
    await lens.click();
    await until(
      'the run in the tree',
      async () => (await rows()).some((row) => /train\.mjs.*german · .*Schritt \d+ · Loss \d+,\d+/.test(row)),
      90,
    );
  });

  it('shows λ₁ and its verdict at the call', async () => {
    const { page } = workbench;
    await page.locator('.view-line').first().click();
    await page.keyboard.press('Control+G');
    await page.keyboard.type('30');
    await page.keyboard.press('Enter');
    const line = page.locator('.view-line', { hasText: 'model.fit(' }).first();
    await until(
      'the hint',
      async () =>
        /λ₁ \S+ · \(2\+2β\)\/η \S+ · (stabil|Rand der Stabilität|instabil)/.test(
          plain(await line.innerText()),
        ),
      60,
    );
  });

  it('draws the landscape in the side bar in German', async () => {
    const landscape = await workbench.frame('#app.landscape .actions vscode-button', 90_000);
    assert.equal(await landscape.evaluate('document.documentElement.lang'), 'de');
    assert.match(await landscape.locator('.actions').innerText(), /Loss-Kontur zeigen/);
  });

  it('answers in a German panel', async () => {
    await until('the end', async () => (await rows()).some((row) => /train\.mjs.*gehalten/.test(row)), 120);
    await workbench.command('Basin: Loss-Kontur zeigen');
    const panel = await workbench.frame('#app.panel .chart-contour canvas', 90_000);
    assert.equal(await panel.evaluate('document.documentElement.lang'), 'de');
    const tabs = await panel.locator('[role=tab]').allInnerTexts();
    assert.deepEqual(tabs.slice(0, 4), ['Kontur', 'Linie', 'Trajektorie', 'Spektrum']);
    await panel.locator('.trust li').first().waitFor({ timeout: 90_000 });
    await workbench.screenshot('german-panel');
  });

  it('writes a German report, and tells where', async () => {
    const { page } = workbench;
    await workbench.command('Basin: Bericht erstellen');
    const input = page.locator('.quick-input-widget input').first();
    const file = join(workbench.folder, 'bericht.html');
    // The dialog writes its own proposal when it is ready, over whatever was typed before.
    await until('the proposed name', async () => /\.html$/.test(await input.inputValue()), 30);
    await until('the name', async () => {
      await input.fill(file);
      return (await input.inputValue()) === file;
    });
    await page.keyboard.press('Enter');
    await page
      .locator('.notification-list-item', { hasText: 'Bericht geschrieben: bericht.html' })
      .waitFor({ timeout: 60_000 });
    await workbench.screenshot('german-report-written');
  });

  it('does not delete a run that is held, and says what helps', async () => {
    const { page } = workbench;
    await workbench.command('Basin: Lauf löschen');
    const told = page.locator('.notification-list-item', { hasText: 'ist nicht zu Ende' }).first();
    await told.waitFor({ timeout: 30_000 });
    assert.match(
      plain(await told.innerText()),
      /Lassen Sie erst seinen Prozess enden: „Basin: Gehaltenen Lauf freigeben“\./,
    );
    assert.equal(runs().length, 1);
    await workbench.command('Basin: Gehaltenen Lauf freigeben');
    await until('the end', async () => !(await rows()).some((row) => /gehalten/.test(row)), 60);
  });

  it('says before it deletes what that frees, and leaves nothing behind', async () => {
    const { page } = workbench;
    const dialog = page.locator('.monaco-dialog-box');
    await workbench.command('Basin: Lauf löschen');
    await dialog.waitFor({ timeout: 30_000 });
    const text = plain(await dialog.innerText());
    await workbench.screenshot('german-delete');
    assert.match(text, /Den Lauf train\.mjs löschen\?/);
    const frees = Number(/das macht ([\d,]+) MB frei/.exec(text)?.[1]?.replace(',', '.'));
    assert.equal(frees, Number((bytesIn(store) / 1e6).toFixed(1)), text);
    // No is no.
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    assert.equal(runs().length, 1);

    await workbench.command('Basin: Lauf löschen');
    await dialog.locator('.monaco-button', { hasText: 'Löschen' }).click();
    await until('the run to be gone', () => Promise.resolve(runs().length === 0), 30);
    await page
      .locator('.sidebar .welcome-view-content', { hasText: 'noch kein Lauf aufgezeichnet' })
      .waitFor();
    await until(
      'its panel to be gone',
      async () => (await page.locator('.tab', { hasText: 'train.mjs' }).count()) === 1,
    );
  });
});
