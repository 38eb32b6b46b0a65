/** Builds dist/ and packages the extension, once a run: the runner of all suites says by BASIN_BUILT that it has. */
import { existsSync, mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { must, say } from './progress.mjs';

const root = resolve(import.meta.dirname, '../..');
export const vsixFile = join(root, 'out/basin.vsix');

export async function build({ production = false } = {}) {
  if (process.env.BASIN_BUILT) return;
  say(production ? 'building for production' : 'building');
  const args = ['esbuild.config.mjs', ...(production ? ['--production'] : [])];
  await must(process.execPath, args, { cwd: root, quiet: true, label: 'the build' });
}

/** The packaged extension, from a production build. */
export async function packageExtension() {
  if (process.env.BASIN_BUILT && existsSync(vsixFile)) return vsixFile;
  await build({ production: true });
  say('packaging the extension');
  mkdirSync(join(root, 'out'), { recursive: true });
  const vsce = join(root, 'node_modules/@vscode/vsce/vsce');
  const args = [
    vsce,
    'package',
    '--no-dependencies',
    '--allow-missing-repository',
    '--no-rewrite-relative-links',
    '--out',
    vsixFile,
  ];
  await must(process.execPath, args, { cwd: root, quiet: true, label: 'vsce package' });
  return vsixFile;
}
