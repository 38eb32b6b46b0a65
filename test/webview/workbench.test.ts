/** The path a user takes, in the workbench itself: the packaged extension, driven by mouse and keyboard. */
import assert from 'node:assert/strict';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Frame } from 'playwright-core';
import { RunStore } from '../../src/runs/runStore.ts';
import { startWorkbench, type Workbench } from '../harness/workbench.ts';
import { freshWorkspace } from '../harness/workspace.mjs';
import { openForSuite } from './openForSuite.ts';
import { plain } from './pageHarness.ts';

const CONTOUR_SIZE = 21;
const settings = {
  'basin.contourSize': CONTOUR_SIZE,
  'editor.inlayHints.padding': true,
  'editor.fontSize': 13,
};

/** Distinct colours, coarsely, of all canvases of a page: a blank one has one or two. */
async function colours(frame: Frame): Promise<number> {
  return frame.evaluate(() => {
    const seen = new Set<number>();
    for (const canvas of document.querySelectorAll('canvas')) {
      if (canvas.width === 0 || canvas.height === 0) continue;
      const pixels = canvas.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height).data ?? [];
      for (let i = 0; i + 2 < pixels.length; i += 4 * 7) {
        seen.add(
          ((pixels[i] ?? 0) >> 4) * 256 + ((pixels[i + 1] ?? 0) >> 4) * 16 + ((pixels[i + 2] ?? 0) >> 4),
        );
      }
    }
    return seen.size;
  });
}

async function until(what: string, seconds: number, look: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 1000 * seconds;
  while (!(await look().catch(() => false))) {
    if (Date.now() > end) assert.fail(`${what} did not come within ${seconds} s`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

describe('the workbench, from a script to its landscape', function () {
  this.timeout(240_000);
  let workbench: Workbench;
  openForSuite(
    () => {
      const folder = freshWorkspace('webview');
      const script = join(folder, 'train.mjs');
      // More than the sample's, so that a fast machine is still training when the window is reloaded.
      writeFileSync(script, readFileSync(script, 'utf8').replace('epochs = 10', 'epochs = 30'));
      return { settings, folder };
    },
    (opened) => (workbench = opened),
  );
  const rows = async (): Promise<string[]> =>
    (await workbench.page.locator('.sidebar .pane-body .monaco-list-row').allInnerTexts()).map(plain);
  const panelFrame = (): Promise<Frame> => workbench.frame('#app.panel');
  const reload = async (): Promise<void> => {
    // By VS Code's own command: a reload of the browser's page may come before what is open has been written down.
    const loaded = workbench.page.waitForEvent('load');
    await workbench.command('Developer: Reload Window');
    await loaded;
    await workbench.page.locator('.monaco-workbench .statusbar').waitFor({ timeout: 60_000 });
  };

  it('welcomes with a word on what to do', async () => {
    await workbench.openContainer('Basin');
    await workbench.page
      .locator('.sidebar .welcome-view-content', { hasText: 'No run is recorded' })
      .waitFor();
    await workbench.screenshot('empty');
  });

  it('offers training above the call', async () => {
    await workbench.openFile('train.mjs');
    await workbench.page
      .locator('.codelens-decoration', { hasText: 'Train under Basin' })
      .first()
      .waitFor({ timeout: 20_000 });
  });

  it('trains by a click, its output in a terminal', async () => {
    await workbench.page.locator('.codelens-decoration a', { hasText: 'Train under Basin' }).first().click();
    await workbench.page.locator('.terminal-wrapper').first().waitFor({ timeout: 20_000 });
  });

  it('fills Runs while it trains', async () => {
    await until('the run in the tree', 60, async () =>
      (await rows()).some((r) => /train\.mjs.*step \d+ · loss/.test(r)),
    );
    await workbench.screenshot('training');
  });

  it('shows λ₁ and the bound at the call, live', async () => {
    await workbench.page.locator('.view-line').first().click();
    await workbench.page.keyboard.press('Control+G');
    await workbench.page.keyboard.type('30');
    await workbench.page.keyboard.press('Enter');
    const line = workbench.page.locator('.view-line', { hasText: 'model.fit(' }).first();
    await until('the hint', 30, async () =>
      /λ₁ \S+ · \(2\+2β\)\/η \S+ · (stable|edge of stability|unstable)/.test(plain(await line.innerText())),
    );
    await workbench.screenshot('hint');
  });

  it('draws the landscape in the side bar', async () => {
    const landscape = await workbench.frame('#app.landscape canvas', 90_000);
    await until('colours of a contour', 40, async () => (await colours(landscape)) > 12);
  });

  it('restores the panel after a reload in mid-run, and follows the run in it to its end', async () => {
    await workbench.command('Basin: Open Run');
    await (await panelFrame()).locator('#tab-log').click();
    const [entry] = await new RunStore(workbench.folder).list();
    assert.ok(entry);
    await reload();
    const panel = await panelFrame();
    await until('the lens', 60, async () => {
      const lens = await panel.locator('[role=tab][aria-selected=true]').innerText();
      return lens === 'Log' && (await panel.locator('#lens-log canvas:visible').count()) > 0;
    });
    const steps = async (): Promise<number> => (await entry.run.readManifest()).recording.steps;
    await until('the end', 150, async () => (await entry.run.readManifest()).state === 'finished');
    const all = (await steps()).toLocaleString('en');
    const head = panel.locator('header.head');
    await until(`finished with ${all} steps in the panel`, 20, async () => {
      const told = plain(await head.innerText());
      return told.includes(all) && /\bfinished\b/.test(told);
    });
  });

  it('lists the run as done, its snapshots below it', async () => {
    await until('the end', 120, async () => (await rows()).some((r) => /train\.mjs/.test(r) && /λ₁/.test(r)));
    await workbench.page
      .locator('.statusbar-item', { hasText: /step \d+/ })
      .waitFor({ state: 'detached', timeout: 120_000 });
    await workbench.page
      .locator('.sidebar .monaco-list-row', { hasText: 'train.mjs' })
      .locator('.monaco-tl-twistie')
      .first()
      .click();
    await until('snapshots', 20, async () => (await rows()).some((r) => /Snapshots\s*\d+/.test(r)));
  });

  it('names every script that a question to several runs starts again, and starts none without a yes', async () => {
    const store = new RunStore(workbench.folder);
    const [own] = await store.list();
    assert.ok(own);
    // The same run once more, as if another script had been trained.
    const other = await store.create({ command: ['node', 'other.mjs'], cwd: workbench.folder });
    const { id, created, command } = await other.readRecordedManifest();
    cpSync(own.run.directory, other.directory, { recursive: true });
    const recorded = await own.run.readRecordedManifest();
    await other.writeManifest({ ...recorded, id, created, command, name: 'other.mjs' });
    await store.setBaseline(id);
    await until('the other run', 20, async () => (await rows()).some((r) => /other\.mjs.*baseline/.test(r)));
    await workbench.command('Basin: Compare With Baseline: Shared Plane');
    await workbench.page
      .locator('.quick-input-list .monaco-list-row', { hasText: 'train.mjs' })
      .first()
      .click();
    const toast = workbench.page.locator('.notification-toast', { hasText: 'starts these scripts again' });
    await toast.waitFor({ timeout: 20_000 });
    const asked = plain(await toast.innerText());
    assert.ok(asked.includes(`node other.mjs (in ${workbench.folder})`), asked);
    assert.ok(asked.includes(`${recorded.command.join(' ')} (in ${workbench.folder})`), asked);
    await workbench.screenshot('consent-several');
    await toast.locator('.monaco-button', { hasText: 'Cancel' }).click();
    await toast.waitFor({ state: 'detached' });
    assert.deepEqual(await own.run.analyses(), await other.analyses(), 'nothing was asked of either');
    await other.delete();
    await until('one run', 20, async () => !(await rows()).some((r) => r.includes('other.mjs')));
  });

  it('asks once before it starts the script again, and draws the contour in the panel', async () => {
    await workbench.command('Basin: Show Loss Contour');
    const toast = workbench.page.locator('.notification-toast', { hasText: 'starts this script again' });
    await toast.waitFor({ timeout: 20_000 });
    assert.match(plain(await toast.innerText()), /node .*train\.mjs/);
    await workbench.screenshot('consent');
    await toast.locator('.monaco-button', { hasText: 'Run' }).click();
    const panel = await panelFrame();
    await until('colours of a contour', 40, async () => (await colours(panel)) > 12);
    await until('a whole contour', 120, async () => (await panel.locator('progress:visible').count()) === 0);
    await workbench.screenshot('contour');
  });

  it('averages by one click, the score beside the last snapshot’s', async () => {
    await workbench.command('Basin: Average Snapshots (SWA)');
    const toast = workbench.page.locator('.notification-toast', { hasText: 'Average of' });
    await toast.waitFor({ timeout: 60_000 });
    assert.match(
      plain(await toast.innerText()),
      /Average of \d+ snapshots: loss .* accuracy .*Last snapshot: loss/,
    );
    await toast.locator('.monaco-button', { hasText: 'Save as TF.js model' }).waitFor();
    const panel = await panelFrame();
    await panel
      .locator('[role=tab][aria-selected=true]', { hasText: /averag/i })
      .waitFor({ timeout: 10_000 });
    await until('the score in the lens', 20, async () =>
      /accuracy/i.test(await panel.locator('[role=tabpanel]:visible').innerText()),
    );
    await workbench.screenshot('averaging');
  });

  it('restores the panel after a reload in mid-analysis: nothing hangs, and the next question is answered', async () => {
    // Hundreds of products: more than the test waits for.
    await workbench.command("Basin: Compute the Hessian's Spectrum");
    const before = await panelFrame();
    await before.locator('#lens-spectrum progress[value]:visible').first().waitFor({ timeout: 60_000 });
    await reload();
    const panel = await panelFrame();
    await until(
      'the lens',
      60,
      async () => (await panel.locator('[role=tab][aria-selected=true]').innerText()) === 'Spectrum',
    );
    assert.equal(await panel.locator('progress:visible').count(), 0);
    assert.equal(await panel.locator('.error:visible').count(), 0);
    await workbench.command('Basin: Measure Sharpness');
    await until('an answer', 90, async () =>
      /Hessian-vector products/.test(await panel.locator('#lens-sharpness').innerText()),
    );
  });

  for (const theme of ['light', 'high-contrast'] as const) {
    it(`is readable in ${theme}`, async () => {
      const other = await startWorkbench({ theme, settings, folder: workbench.folder });
      try {
        await other.openContainer('Basin');
        await other.openFile('train.mjs');
        await other.command('Basin: Show Loss Contour');
        const panel = await other.frame('#app.panel');
        await until('colours of a contour', 40, async () => (await colours(panel)) > 12);
        await other.page.waitForTimeout(1500);
        await other.screenshot(`panel-${theme}`);
      } finally {
        await other.close();
      }
    });
  }
});

describe('the workbench in a folder that is not trusted', function () {
  this.timeout(120_000);
  let workbench: Workbench;
  openForSuite(
    () => ({ trust: true, settings: { 'security.workspace.trust.startupPrompt': 'never' } }),
    (opened) => (workbench = opened),
  );

  it('says so in place of an invitation to train, and offers no training', async () => {
    await workbench.openContainer('Basin');
    await workbench.page
      .locator('.sidebar .welcome-view-content', { hasText: 'needs your trust' })
      .waitFor({ timeout: 20_000 });
    await workbench.openFile('train.mjs');
    await workbench.page.waitForTimeout(2500);
    assert.equal(await workbench.page.locator('.codelens-decoration', { hasText: 'Basin' }).count(), 0);
    await workbench.screenshot('untrusted');
  });
});
