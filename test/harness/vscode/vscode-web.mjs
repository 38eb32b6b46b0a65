/** Starts a real VS Code (code-server on loopback) and the headless browser that shows it. */
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { chromium } from 'playwright-core';
import { findChromium } from '../debian.mjs';
import { vscodeForTests } from './install.mjs';

/** Nothing that pops up by itself, nothing that asks the network. */
const quietSettings = {
  'chat.commandCenter.enabled': false,
  'chat.disableAIFeatures': true,
  'editor.minimap.enabled': false,
  'extensions.autoCheckUpdates': false,
  'extensions.autoUpdate': false,
  'extensions.ignoreRecommendations': true,
  'files.autoSave': 'off',
  'git.enabled': false,
  'telemetry.telemetryLevel': 'off',
  'window.autoDetectHighContrast': false,
  'window.restoreWindows': 'none',
  'workbench.enableExperiments': false,
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'workbench.startupEditor': 'none',
  'workbench.tips.enabled': false,
};

const themes = {
  dark: 'Default Dark Modern',
  light: 'Default Light Modern',
  'high-contrast': 'Default High Contrast',
  'high-contrast-light': 'Default High Contrast Light',
};

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** This process's environment without what belongs to another VS Code, npm or a debugged Node. */
function cleanEnvironment(extra) {
  const env = {};
  for (const [name, value] of Object.entries({ ...process.env, ...extra })) {
    if (!/^(VSCODE_|npm_|NODE_OPTIONS$|ELECTRON_)/.test(name)) env[name] = value;
  }
  return env;
}

/**
 * Registers a language as a language pack would be that has none of VS Code's own words translated: these packs come from
 * the marketplace alone, and VS Code takes up no language without one. Written after extensions were installed,
 * which makes the list anew.
 */
function addLanguage(userData, language) {
  const pack = join(userData, 'pack');
  mkdirSync(pack);
  const words = join(pack, 'main.i18n.json');
  writeFileSync(words, JSON.stringify({ version: '1.0.0', contents: {} }));
  const extensions = [{ extensionIdentifier: { id: `basin.words-${language}` }, version: '1.0.0' }];
  const known = { hash: 'basin', label: language, extensions, translations: { vscode: words } };
  writeFileSync(join(userData, 'languagepacks.json'), JSON.stringify({ [language]: known }));
}

/**
 * Starts the server with a profile of its own in a temporary folder, which `stop()` removes with all its processes.
 * @param {object} [options]
 * @param {string} [options.vsix] packaged extension to install first
 * @param {keyof typeof themes} [options.theme]
 * @param {Record<string, unknown>} [options.settings] user settings
 * @param {boolean} [options.trust] whether workspace trust is in force: a new folder is then untrusted until one says so
 * @param {string} [options.language] language of VS Code, which hands it to extensions; its own words stay English
 * @param {string[]} [options.flags] more flags of the server
 * @param {number} [options.port] instead of any free one
 * @param {Record<string, string>} [options.env]
 */
export async function startVSCode(options = {}) {
  const { server, node } = vscodeForTests();
  const home = mkdtempSync(join(tmpdir(), 'basin-vscode-'));
  const userData = join(home, 'data');
  const extensions = join(home, 'extensions');
  mkdirSync(join(userData, 'User'), { recursive: true });
  mkdirSync(extensions);
  const settings = {
    ...quietSettings,
    'security.workspace.trust.enabled': options.trust ?? false,
    'workbench.colorTheme': themes[options.theme ?? 'dark'],
    ...options.settings,
  };
  writeFileSync(join(userData, 'User/settings.json'), JSON.stringify(settings, null, 2));
  writeFileSync(join(home, 'config.yaml'), '');
  const env = cleanEnvironment({
    EXTENSIONS_GALLERY: '{"serviceUrl":"","itemUrl":"","resourceUrlTemplate":""}',
    XDG_DATA_HOME: join(home, 'xdg-data'),
    XDG_CONFIG_HOME: join(home, 'xdg-config'),
    ...options.env,
  });
  const entry = [join(server, 'out/node/entry.js'), '--config', join(home, 'config.yaml')];
  const profile = ['--user-data-dir', userData, '--extensions-dir', extensions];
  if (options.vsix) {
    const args = [...entry, ...profile, '--install-extension', options.vsix];
    execFileSync(node, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  }

  if (options.language) addLanguage(userData, options.language);

  const port = options.port ?? (await freePort());
  const logFile = join(home, 'server.log');
  const log = openSync(logFile, 'a');
  const flags = [
    ...[
      '--bind-addr',
      `127.0.0.1:${port}`,
      '--auth',
      'none',
      '--disable-telemetry',
      '--disable-update-check',
    ],
    ...['--disable-getting-started-override', '--ignore-last-opened'],
    ...(options.trust ? [] : ['--disable-workspace-trust']),
    ...(options.language ? ['--locale', options.language] : []),
  ];
  const child = spawn(node, [...entry, ...profile, ...flags, ...(options.flags ?? [])], {
    env,
    stdio: ['ignore', log, log],
    detached: true, // its own process group: server, extension host, terminals, file watcher end together
  });
  const endGroup = (signal) => {
    try {
      process.kill(-child.pid, signal);
    } catch {
      // it is gone already
    }
  };
  const groupLives = () => {
    try {
      return process.kill(-child.pid, 0);
    } catch {
      return false;
    }
  };
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const atExit = () => endGroup('SIGKILL');
  process.once('exit', atExit);

  let stopped;
  const stop = () =>
    (stopped ??= (async () => {
      endGroup('SIGTERM');
      await Promise.race([ended, sleep(5000, undefined, { ref: false })]);
      endGroup('SIGKILL');
      for (let tries = 0; tries < 40 && groupLives(); tries++) await sleep(50); // what dies last may still write
      process.off('exit', atExit);
      rmSync(home, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    })());

  const url = `http://127.0.0.1:${port}`;
  for (let tries = 0; ; tries++) {
    const healthy = await fetch(`${url}/healthz`).then(
      (answer) => answer.ok,
      () => false,
    );
    if (healthy) break;
    if (child.exitCode !== null || tries > 600) {
      const text = readFileSync(logFile, 'utf8');
      await stop();
      throw new Error(`VS Code's server did not start:\n${text}`);
    }
    await sleep(50);
  }
  return { url, port, home, userData, ended, stop };
}

/**
 * Address of the workbench for a folder or a .code-workspace file; with an extension under development and its test suite when they are given.
 * @param {{url: string, port: number}} server
 * @param {{folder?: string, workspace?: string, extensionPath?: string, testsPath?: string}} what absolute paths
 */
export function workbenchUrl(server, { folder, workspace, extensionPath, testsPath }) {
  const remote = (path) => `vscode-remote://127.0.0.1:${server.port}${path}`;
  const payload = [];
  if (extensionPath) payload.push(['extensionDevelopmentPath', remote(extensionPath)]);
  if (testsPath) payload.push(['extensionTestsPath', remote(testsPath)]);
  const query = new URLSearchParams();
  if (workspace) query.set('workspace', workspace);
  else if (folder) query.set('folder', folder);
  if (payload.length > 0) query.set('payload', JSON.stringify(payload));
  return `${server.url}/?${query}`;
}

/** Headless Chromium with software WebGL. */
export function launchBrowser() {
  const executablePath = findChromium();
  if (!executablePath)
    throw new Error('No Chromium found: `node test/harness/setup.mjs --vscode` says how to get it.');
  return chromium.launch({
    executablePath,
    headless: true,
    args: [
      '--no-sandbox',
      ...['--use-angle=swiftshader', '--enable-unsafe-swiftshader', '--ignore-gpu-blocklist'],
      ...[
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
      ...['--disable-dev-shm-usage', '--disable-quic'],
    ],
  });
}
