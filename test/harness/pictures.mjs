/**
 * `npm run pictures`: a real VS Code with runs of both frameworks, every lens of them in three themes, in
 * out/screenshots/pictures/ to be looked at; and the README's pictures anew, in media/pictures/.
 *
 *   npm run pictures -- PATTERN     only pictures to be looked at, of lenses whose names match it, as spectrum-PyTorch-dark
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { register } from 'tsx/esm/api';
import { packageExtension } from './build.mjs';
import { ensurePackages, findProgram } from './debian.mjs';
import { picturedRuns } from './picturedRuns.mjs';
import { run, say } from './progress.mjs';
import { root, setUp } from './setup.mjs';

const READMES = {
  contour: 'contour-PyTorch-dark',
  surface: 'surface-PyTorch-dark',
  comparison: 'landscapes-TensorFlow.js-light',
  trajectory: 'trajectory-TensorFlow.js-dark',
  spectrum: 'spectrum-TensorFlow.js-light',
  sharpness: 'sharpness-PyTorch-dark',
  averaging: 'averaging-TensorFlow.js-light',
  generalisation: 'generalisation-TensorFlow.js-high-contrast',
  debugger: '../stopped-dark',
};
const LARGEST = 120_000;

const { missing, python } = await setUp({ vscode: true, torch: true });
missing.push(...(await ensurePackages(['pngquant'], 'small pictures')));
if (missing.length > 0 || python === null) process.exit(1);
await packageExtension();
const { folder, names } = await picturedRuns(python);
register();
const { pictureLenses } = await import('./lensPictures.ts');
const wanted = new RegExp(process.argv[2] ?? '.');
await pictureLenses(folder, names.slice(0, 2), join(root, 'out/screenshots/pictures'), wanted);
if (process.argv[2] !== undefined) process.exit();
const { code } = await run(process.execPath, [join(root, 'test/harness/webview.mjs')], {
  cwd: root,
  env: { ...process.env, BASIN_BUILT: '1', BASIN_TEST_GREP: 'while training stands in the debugger' },
});
if (code !== 0) process.exit(code ?? 1);

const media = join(root, 'media/pictures');
mkdirSync(media, { recursive: true });
for (const [name, picture] of Object.entries(READMES)) {
  const file = join(media, `${name}.png`);
  const taken = join(root, 'out/screenshots/pictures', `${picture}.png`);
  const options = ['--force', '--strip', '--speed', '1', '--nofs', '--output', file, '128'];
  execFileSync(findProgram('pngquant'), [...options, '--', taken]);
  const { size } = statSync(file);
  say(`media/pictures/${name}.png, ${Math.round(size / 1000)} kB`);
  if (size > LARGEST) throw new Error(`${name} is too large for the README.`);
}
