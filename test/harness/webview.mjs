/**
 * The webview suite: packages the extension, then mocha drives it in a real VS Code (test/webview, the fixture is
 * workbench.ts). BASIN_TEST_GREP selects tests; further arguments go to mocha.
 */
import { join } from 'node:path';
import { packageExtension } from './build.mjs';
import { run, say } from './progress.mjs';
import { root, setUp } from './setup.mjs';

const { missing } = await setUp({ vscode: true });
if (missing.includes('chromium')) process.exit(1);
await packageExtension();
say('webview suite: the packaged extension in VS Code, headless');
const { code } = await run(
  process.execPath,
  [
    join(root, 'node_modules/mocha/bin/mocha.js'),
    ...['--timeout', '120000'],
    ...(process.env.BASIN_TEST_GREP ? ['--grep', process.env.BASIN_TEST_GREP] : []),
    ...process.argv.slice(2),
    'test/webview/**/*.test.ts',
  ],
  { cwd: root },
);
process.exit(code);
