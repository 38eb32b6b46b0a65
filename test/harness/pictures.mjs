/**
 * `npm run pictures`: makes the README's pictures anew. They are what the webview suite looks at: lenses of runs that
 * were trained, and a training that stands in VS Code's debugger.
 */
import { copyFileSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { run, say } from './progress.mjs';
import { root } from './setup.mjs';

/** Pictures of the suite by the names that the README has for them. */
const pictures = {
  comparison: 'landscapes-own-light',
  trajectory: 'trajectory-digits-dark',
  spectrum: 'spectrum-digits-light',
  sharpness: 'sharpness-digits-dark',
  averaging: 'averaging-asked-light',
  generalisation: 'generalisation-asked-dark',
  debugger: 'stopped-dark',
};
const suites =
  'every lens, is accessible \\((dark|light),|go from run to run by keyboard|while training stands in the debugger';

const { code } = await run(process.execPath, [join(root, 'test/harness/webview.mjs')], {
  cwd: root,
  env: { ...process.env, BASIN_TEST_GREP: suites },
});
if (code !== 0) process.exit(code ?? 1);
const folder = join(root, 'media/pictures');
mkdirSync(folder, { recursive: true });
for (const [name, picture] of Object.entries(pictures)) {
  const file = join(folder, `${name}.png`);
  copyFileSync(join(root, 'out/screenshots', `${picture}.png`), file);
  say(`media/pictures/${name}.png, ${Math.round(statSync(file).size / 1024)} KiB`);
}
