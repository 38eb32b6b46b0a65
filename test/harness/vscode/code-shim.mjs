#!/usr/bin/env node
/**
 * Stands in for VS Code's desktop program in @vscode/test-electron's runTests({ vscodeExecutablePath }):
 *
 *   code-shim.mjs [folder] --extensionDevelopmentPath=P --extensionTestsPath=P [other flags, ignored]
 *
 * Runs the same mocha suite in the extension host of a real VS Code server, with headless Chromium as its window.
 * Exit code: that of the suite, or above 90 when it could not be run to its end.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { launchBrowser, startVSCode, workbenchUrl } from './vscode-web.mjs';

const reasons = {
  94: 'the server of VS Code ended',
  95: 'the page of VS Code crashed',
  96: 'the extension host ended',
  97: 'mocha did not say that it finished',
  98: 'timeout',
  99: 'the harness failed',
};

const option = (name) =>
  process.argv.find((argument) => argument.startsWith(`--${name}=`))?.slice(name.length + 3);
const folder = process.argv.slice(2).find((argument) => !argument.startsWith('-'));
const limitMs = Number(process.env.BASIN_EDITOR_TIMEOUT ?? 1_800_000);

// The extension host inherits this name and mocha's report goes there; it is shown from here as it grows.
const scratch = mkdtempSync(join(tmpdir(), 'basin-editor-'));
const report = join(scratch, 'report.txt');
writeFileSync(report, '');
let shown = 0;
function show() {
  const bytes = readFileSync(report);
  process.stdout.write(bytes.subarray(shown));
  shown = bytes.length;
}
const showing = setInterval(show, 100);

let server;
let browser;
let code = 99;
async function stop() {
  clearInterval(showing);
  await browser?.close().catch(() => {});
  await server?.stop();
  show();
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
  process.on(signal, () => stop().then(() => process.exit(130)));

try {
  server = await startVSCode({
    // Without the driver, built VS Code ignores the address's payload; it also keeps notification toasts away.
    flags: ['--vscode-option', 'enable-smoke-test-driver'],
    env: { BASIN_EDITOR_REPORT: report },
  });
  browser = await launchBrowser();
  const page = await (await browser.newContext({ viewport: { width: 1400, height: 900 } })).newPage();
  const finished = new Promise((resolve) => {
    void page.exposeFunction('codeAutomationExit', resolve);
    void page.exposeFunction('codeAutomationLog', (type, parts) => {
      const text = parts.map((part) => (typeof part === 'string' ? part : JSON.stringify(part))).join(' ');
      if (process.env.BASIN_EDITOR_LOG) console.error(`[${type}] ${text}`);
      if (/Extension host .*terminated/i.test(text)) resolve(96);
    });
    page.on('crash', () => resolve(95));
    void server.ended.then(() => resolve(94));
    setTimeout(() => resolve(98), limitMs).unref();
  });
  await page.goto(
    workbenchUrl(server, {
      folder,
      extensionPath: option('extensionDevelopmentPath'),
      testsPath: option('extensionTestsPath'),
    }),
  );
  code = await finished;
} catch (error) {
  console.error(error);
} finally {
  await stop();
}
// VS Code reports success also when the extension host died: mocha itself must have said that it finished.
const sentinel = /^\[mocha finished\] (\d+)$/m.exec(readFileSync(report, 'utf8'));
if (code === 0 && sentinel?.[1] !== '0') code = 97;
rmSync(scratch, { recursive: true, force: true });
if (code in reasons) console.error(`editor suite: ${reasons[code]}`);
process.exit(code);
