/**
 * `npm run bench`: sets up, builds for production, then runs each file of test/bench by itself, one after the other.
 *
 *   npm run bench -- [name …]     only files whose name contains one of these
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { build } from './build.mjs';
import { run, say } from './progress.mjs';
import { root, setUp } from './setup.mjs';

const wanted = process.argv.slice(2);
const { tfjs } = await setUp();
await build({ production: true });
say(`TensorFlow.js runs ${tfjs === 'native' ? 'natively (tfjs-node)' : 'on wasm'}`);
let failed = 0;
for (const file of readdirSync(join(root, 'test/bench')).sort()) {
  if (!file.endsWith('.bench.ts') || (wanted.length > 0 && !wanted.some((name) => file.includes(name))))
    continue;
  say(file);
  const env = { ...process.env, TF_CPP_MIN_LOG_LEVEL: '2' };
  const args = ['--expose-gc', '--import', 'tsx', join(root, 'test/bench', file)];
  const { code } = await run(process.execPath, args, { cwd: root, env });
  if (code !== 0) failed++;
}
process.exitCode = failed > 0 ? 1 : 0;
