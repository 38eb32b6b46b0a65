/** Pictures of every lens of runs, in a real VS Code whose theme is switched while it runs. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Frame } from 'playwright-core';
import { say } from './progress.mjs';
import { startWorkbench, type Workbench } from './workbench.ts';

const themes = {
  dark: ['Default Dark Modern', 'vs-dark'],
  light: ['Default Light Modern', 'vs'],
  'high-contrast': ['Default High Contrast', 'hc-black'],
} as const;
const [WIDTH, HEIGHT] = [1280, 800];

/** A dropdown of a lens is set to a value, as a hand does it. */
const choose = (frame: Frame, lens: string, label: string, value: string): Promise<void> =>
  frame.evaluate(`(() => {
    const one = document.querySelector('#lens-${lens} [aria-label="${label}"]');
    one.value = '${value}';
    one.dispatchEvent(new Event('change'));
  })()`);

/** What is shown beside each lens's own first picture: by a choice in its controls. */
const views: readonly { name: string; lens: string; prepare?: (frame: Frame) => Promise<void> }[] = [
  { name: 'contour', lens: 'contour' },
  {
    name: 'surface',
    lens: 'contour',
    prepare: (frame) => choose(frame, 'contour', 'View', 'surface'),
  },
  {
    name: 'landscapes',
    lens: 'contour',
    prepare: async (frame) => {
      await choose(frame, 'contour', 'View', 'plane');
      await choose(frame, 'contour', 'Plane', 'snapshots');
    },
  },
  ...['line', 'trajectory', 'spectrum', 'sharpness', 'averaging', 'generalisation', 'log'].map((lens) => ({
    name: lens,
    lens,
  })),
];

/**
 * Writes `<view>-<run>-<theme>.png`, and with `-2`, `-3` … what comes to sight below it.
 * @param names of runs in the folder
 * @param wanted only pictures of such names
 */
export async function pictureLenses(
  folder: string,
  names: readonly string[],
  to: string,
  wanted = /./,
): Promise<void> {
  mkdirSync(to, { recursive: true });
  mkdirSync(join(folder, '.vscode'), { recursive: true });
  setTheme(folder, 'dark');
  const workbench = await startWorkbench({ folder, viewport: { width: WIDTH, height: HEIGHT } });
  try {
    await workbench.command('View: Toggle Primary Side Bar Visibility');
    for (const name of names) {
      say(`pictures of ${name}`);
      await openRun(workbench, name);
      const frame = await workbench.frame('#app.panel [role=tab]');
      const label = name.replace(/^.*, /, '');
      for (const { name: view, lens, prepare } of views) {
        if (!Object.keys(themes).some((theme) => wanted.test(`${view}-${label}-${theme}`))) continue;
        await frame.locator(`#tab-${lens}`).click();
        await prepare?.(frame);
        for (const theme of Object.keys(themes) as (keyof typeof themes)[]) {
          if (!wanted.test(`${view}-${label}-${theme}`)) continue;
          setTheme(folder, theme);
          await workbench.page.locator(`.monaco-workbench.${themes[theme][1]}`).waitFor();
          await drawn(workbench, frame);
          const screens = await frame.evaluate<number>(
            `(scrollTo(0, 0), Math.ceil(document.documentElement.scrollHeight / innerHeight))`,
          );
          for (let k = 0; k < screens; k++) {
            if (k > 0) {
              await frame.evaluate(`void scrollTo(0, ${k} * innerHeight)`);
              await drawn(workbench, frame);
            }
            const path = join(to, `${view}-${label}-${theme}${k === 0 ? '' : `-${k + 1}`}.png`);
            await workbench.page.screenshot({ path });
          }
        }
      }
      await workbench.command('View: Close All Editors');
    }
  } finally {
    await workbench.close();
  }
}

function setTheme(folder: string, theme: keyof typeof themes): void {
  const settings = { 'workbench.colorTheme': themes[theme][0] };
  writeFileSync(join(folder, '.vscode/settings.json'), JSON.stringify(settings));
}

async function openRun(workbench: Workbench, name: string): Promise<void> {
  const { page } = workbench;
  await workbench.command('Basin: Open Run');
  await page.locator('.quick-input-list .monaco-list-row', { hasText: name }).first().click();
  await page.locator('.tab.active', { hasText: name }).waitFor();
}

/** Waits until every chart in sight is named, which it is with its first drawing, and still. */
async function drawn({ page }: Workbench, frame: Frame): Promise<void> {
  // The page's own policy lets no text be evaluated in it again and again.
  const named = `[...document.querySelectorAll('[role=img]')].every((one) => one.offsetParent === null || one.hasAttribute('aria-label'))`;
  while (!(await frame.evaluate<boolean>(named))) await page.waitForTimeout(100);
  await page.waitForTimeout(600);
}
