/** What VS Code calls in its extension host (extensionTestsPath): runs the mocha files that lie beside the bundle. */
import { appendFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { format } from 'node:util';
import Mocha from 'mocha';

export async function run(): Promise<void> {
  const report = process.env.BASIN_EDITOR_REPORT;
  const write = (text: string) => {
    if (report) appendFileSync(report, text);
    else process.stdout.write(text);
  };
  // The extension host's console goes to VS Code's log: what the reporter prints goes to the report instead.
  (Mocha.reporters.Base as unknown as { consoleLog: typeof console.log }).consoleLog = (
    ...parts: unknown[]
  ) => {
    write(`${format(...parts)}\n`);
  };
  const mocha = new Mocha({
    ui: 'bdd',
    timeout: 60_000,
    reporter: join(__dirname, '../../test/harness/reporter.cjs'),
    ...(process.env.BASIN_TEST_GREP ? { grep: process.env.BASIN_TEST_GREP } : {}),
  });
  for (const file of readdirSync(__dirname, { recursive: true, encoding: 'utf8' }).sort()) {
    if (file.endsWith('.test.cjs')) mocha.addFile(join(__dirname, file));
  }
  const failures = await new Promise<number>((resolve, reject) => {
    try {
      mocha.run(resolve);
    } catch (error) {
      write(`${String(error)}\n`);
      reject(error instanceof Error ? error : new Error(String(error)));
    }
  });
  write(`\n[mocha finished] ${failures}\n`);
  if (failures > 0) throw new Error(`${failures} tests failed.`);
}
