/** A training that stands in the debugger, as VS Code's own views show it: by keys, and in three themes switched live. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Locator } from 'playwright-core';
import type { Workbench } from '../harness/workbench.ts';
import { freshWorkspace } from '../harness/workspace.mjs';
import { openForSuite } from './openForSuite.ts';
import { plain, until } from './pageHarness.ts';

const STOP = 40;
const configuration = {
  type: 'basin',
  request: 'launch',
  name: 'Debug training',
  program: '${workspaceFolder}/train.mjs',
  breakpoints: [`step == ${STOP}`],
};
const themes = {
  dark: 'Default Dark Modern',
  light: 'Default Light Modern',
  'high-contrast': 'Default High Contrast',
} as const;

describe('the workbench, while training stands in the debugger', function () {
  this.timeout(240_000);
  let workbench: Workbench;
  let folder: string;
  openForSuite(
    () => {
      folder = freshWorkspace('stopped');
      mkdirSync(join(folder, '.vscode'), { recursive: true });
      const launch = { version: '0.2.0', configurations: [configuration] };
      writeFileSync(join(folder, '.vscode/launch.json'), JSON.stringify(launch));
      return { folder };
    },
    (opened) => (workbench = opened),
    'stopped-',
  );

  const rowsOf = async (view: string): Promise<string[]> =>
    (await workbench.page.locator(`.sidebar .debug-${view} .monaco-list-row`).allInnerTexts()).map(plain);
  const stack = (): Promise<string[]> => rowsOf('call-stack');
  const stands = (step: number): Promise<void> =>
    until(
      `step ${step} in the call stack`,
      async () => (await stack()).some((row) => row.includes(`step ${step}`)),
      60,
    );

  /** Waits for a text; what stands there instead is told. */
  async function reads(at: Locator, pattern: RegExp, seconds: number): Promise<void> {
    let text = '';
    await until(
      `${pattern}`,
      async () => pattern.test((text = plain(await at.innerText()).trim())),
      seconds,
    ).catch(() => assert.match(text, pattern));
  }

  it('starts by F5 and shows run, epoch and step where the condition holds', async () => {
    await workbench.openFile('train.mjs');
    await workbench.page.keyboard.press('F5');
    await stands(STOP);
    const rows = (await stack()).join('\n');
    assert.match(rows, /train\.mjs/);
    assert.match(rows, /epoch/i);
  });

  it('has the step’s values among the variables, and at the call', async () => {
    const call = workbench.page.locator('.view-line', { hasText: 'fit(images' }).first();
    const inline = new RegExp(`step = ${STOP}, loss = \\d.*, lr = 0.5`);
    await reads(call, inline, 20);
    const scope = workbench.page.locator('.sidebar .debug-variables .monaco-list-row', { hasText: 'Step' });
    await scope.first().waitFor();
    // VS Code opens the first scope by itself, but not always where its view is made by the stop.
    if ((await scope.first().getAttribute('aria-expanded')) === 'false') await scope.first().click();
    const values = async (): Promise<string> => (await rowsOf('variables')).join('\n');
    await until('the loss', async () => /^loss = \d/m.test(await values()), 30);
    assert.match(await values(), /^lr = 0\.5$/m);
    assert.match(await values(), new RegExp(`^step = ${STOP}$`, 'm'));
  });

  it('answers in the console', async () => {
    await workbench.page.keyboard.press('Control+Shift+Y');
    // It has the focus a moment after it is there.
    await workbench.page.locator('.repl-input-wrapper .monaco-editor.focused').waitFor();
    const output = workbench.page.locator('.repl-tree .monaco-list-rows').first();
    for (const [expression, answer] of [
      ['loss("validation")', /\d\.\d+ ± \d\.\d+ on 1024 validation samples/],
      ['lr * sharpness()', /sharpness\(\) -?\d+\.\d+$/],
    ] as const) {
      await workbench.page.keyboard.type(expression);
      // The list of completions would take the Enter.
      await workbench.page.keyboard.press('Escape');
      await workbench.page.keyboard.press('Enter');
      await reads(output, answer, 60);
    }
  });

  for (const [name, theme] of Object.entries(themes)) {
    it(`is readable in ${name}`, async () => {
      const settings = { 'workbench.colorTheme': theme };
      writeFileSync(join(folder, '.vscode/settings.json'), JSON.stringify(settings));
      const kind = { dark: 'vs-dark', light: 'vs', 'high-contrast': 'hc-black' }[name];
      await workbench.page.locator(`.monaco-workbench.${kind}`).waitFor({ timeout: 20_000 });
      await workbench.page.waitForTimeout(1000);
      await workbench.screenshot(`stopped-${name}`);
    });
  }

  it('takes one step, and ends with its process', async () => {
    // At a condition training stands before the update of its step: this step is taken.
    await workbench.page.keyboard.press('F10');
    const taken = workbench.page.locator('.sidebar', { hasText: `After ${STOP + 1} steps of epoch 0` });
    await taken.waitFor({ timeout: 60_000 });
    await stands(STOP);
    await workbench.page.keyboard.press('F10');
    await stands(STOP + 1);
    await workbench.page.keyboard.press('Shift+F5');
    await until('an empty call stack', async () => !(await stack()).some((row) => /step \d/.test(row)), 60);
  });
});
