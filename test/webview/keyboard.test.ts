/** From an empty folder to an exported picture in the workbench itself, with the packaged extension, by keys alone. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import type { Frame } from 'playwright-core';
import type { Workbench } from '../harness/workbench.ts';
import { openForSuite } from './openForSuite.ts';
import { until } from './pageHarness.ts';

/** Inside of the repository, where the sample finds its packages: `npm install` needs no keys of Basin's. */
const folder = path.resolve(import.meta.dirname, '../../out/workspaces/keyboard');
/** More stops than any way here has. */
const MOST_TABS = 150;

/** What has the focus, through frames and shadow roots: its name and text. */
const FOCUSED = `(() => {
  let at = document.activeElement;
  while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
  if (at === null || at === document.body || at.tagName === 'IFRAME') return null;
  return (at.getAttribute('aria-label') ?? at.innerText ?? '').trim();
})()`;

describe('the workbench by keyboard alone, from an empty folder to an exported picture', function () {
  this.timeout(240_000);
  let workbench: Workbench;
  openForSuite(
    () => {
      rmSync(folder, { recursive: true, force: true });
      mkdirSync(folder, { recursive: true });
      return { folder, settings: { 'basin.contourSize': 21 } };
    },
    (opened) => (workbench = opened),
  );

  const press = (...keys: string[]): Promise<void> =>
    keys.reduce((before, key) => before.then(() => workbench.page.keyboard.press(key)), Promise.resolve());
  const shown = (text: string | RegExp): Promise<void> =>
    workbench.page.locator('.quick-input-widget', { hasText: text }).waitFor({ state: 'visible' });

  /** Runs a command by its title, as it is typed into the palette, from the row of that very name. */
  async function palette(title: string): Promise<void> {
    const rows = workbench.page.locator('.quick-input-list .monaco-list-row');
    const current = rows.and(workbench.page.locator('.focused')).locator('.label-name').first();
    // The palette lists what it knew at opening.
    await until(
      `${title} in the palette`,
      async () => {
        await press('Escape', 'F1');
        await workbench.page.keyboard.type(title);
        await rows.filter({ hasText: title }).first().waitFor({ timeout: 3000 });
        for (let row = await rows.count(); row > 0; row--) {
          if ((await current.innerText()).replace(/\s/g, ' ') === title) return true;
          await press('ArrowDown');
        }
        return false;
      },
      60,
    );
    await press('Enter');
  }

  /** Names of what has the focus in any frame. */
  const focused = async (frames: readonly (Frame | Workbench['page'])[]): Promise<(string | null)[]> =>
    Promise.all(frames.map((frame) => frame.evaluate<string | null>(FOCUSED).catch(() => null)));

  /** Presses Tab until something with this name has the focus. */
  async function tabTo(name: string, frame: Frame | Workbench['page']): Promise<void> {
    const passed: (string | null)[] = [];
    for (let tabs = 0; tabs < MOST_TABS; tabs++) {
      const [at] = await focused([frame]);
      if (at === name) return;
      passed.push(at ?? null);
      await press('Tab');
    }
    assert.fail(`Tab never comes to ${name}, but to ${passed.join(' | ')}`);
  }

  it('comes from the welcome to a copy of the sample, open in the editor', async () => {
    const welcome = workbench.page.locator('.sidebar .welcome-view-content', {
      hasText: 'No run is recorded',
    });
    for (let tries = 1; ; tries++) {
      try {
        await palette('Basin: Focus on Runs View');
        await welcome.waitFor({ timeout: 20_000 });
        await tabTo('Open Sample', workbench.page);
        break;
      } catch (error) {
        // What an editor that has just started opens may take the focus once more.
        if (tries === 3) throw error;
      }
    }
    await press('Enter');
    await shown('TensorFlow.js');
    await press('Enter');
    // The folder that is open is the one that is proposed.
    await shown('Copy Sample Here');
    await press('Enter');
    await workbench.page.locator('.tab.active', { hasText: 'train.mjs' }).waitFor();
    assert.ok(readdirSync(path.join(folder, 'basin-digits')).includes('train.mjs'));
  });

  it('trains it, from the editor that has the focus', async () => {
    await palette('Basin: Train This File');
    const row = workbench.page.locator('.sidebar .monaco-list-row', { hasText: 'train.mjs' });
    await row.filter({ hasText: /step \d+/ }).waitFor({ timeout: 60_000 });
    await workbench.page.locator('.statusbar-item', { hasText: /step \d+/ }).waitFor();
    await workbench.page
      .locator('.statusbar-item', { hasText: /step \d+/ })
      .waitFor({ state: 'detached', timeout: 150_000 });
  });

  it('draws the contour, after its question is answered by a key', async () => {
    await palette('Basin: Show Loss Contour');
    await workbench.page
      .locator('.notification-toast', { hasText: 'starts this script again' })
      .waitFor({ timeout: 20_000 });
    await palette('Notifications: Accept Notification Primary Action');
    const panel = await workbench.frame('#app.panel');
    await until(
      'a whole contour',
      async () =>
        (await panel.locator('.chart-contour[aria-label]').count()) > 0 &&
        (await panel.locator('progress:visible').count()) === 0,
      120,
    );
  });

  it('exports it as a picture', async () => {
    const panel = await workbench.frame('#app.panel');
    await palette('View: Focus Active Editor Group');
    await tabTo('PNG', panel);
    await workbench.screenshot('keyboard-export');
    await press('Enter');
    const before = new Set(readdirSync(folder));
    await shown('Save');
    await press('Enter');
    const file = await new Promise<string>((resolve, reject) => {
      until('the file', () => {
        const made = readdirSync(folder).find((name) => !before.has(name) && name.endsWith('.png'));
        if (made !== undefined) resolve(path.join(folder, made));
        return Promise.resolve(made !== undefined);
      }).catch(reject);
    });
    await until('what was saved to be said', async () =>
      (await panel.locator('.export:visible').first().innerText()).includes('.png'),
    );
    const bytes = readFileSync(file);
    const picture = await workbench.page.evaluate(
      `new Promise((resolve, reject) => {
        const image = new Image();
        image.onload = () => {
          const canvas = new OffscreenCanvas(image.width, image.height);
          const context = canvas.getContext('2d');
          context.drawImage(image, 0, 0);
          const { data } = context.getImageData(0, 0, image.width, image.height);
          const colours = new Set();
          for (let i = 0; i < data.length; i += 28) colours.add((data[i] >> 4) * 256 + (data[i + 1] >> 4) * 16 + (data[i + 2] >> 4));
          resolve({ width: image.width, height: image.height, colours: colours.size });
        };
        image.onerror = () => reject(new Error('it is no picture'));
        image.src = 'data:image/png;base64,${bytes.toString('base64')}';
      })`,
    );
    const { width, height, colours } = picture as { width: number; height: number; colours: number };
    assert.ok(width > 300 && height > 200, `${width} × ${height}`);
    assert.ok(colours > 12, `${colours} colours`);
  });
});
