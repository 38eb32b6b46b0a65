/**
 * What a test may need and a machine may lack. Locally such a test is skipped; on CI, where everything has been set
 * up, its absence is a failure.
 */
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { existsSync } from 'node:fs';
import type { Context } from 'mocha';
import { fileURLToPath } from 'node:url';
import { findChromium } from './debian.mjs';
import { findDebugpy, findReferences, findTestPython } from './torch.mjs';

export type Requirement = 'tfjs-node' | 'torch' | 'references' | 'debugpy' | 'chromium' | 'bundles';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Asked once: to find out whether a Python imports torch takes seconds. */
let known: string | null | undefined;
const python = (): string | null => (known === undefined ? (known = findTestPython(root)) : known);

/** The Python of the tests, after `needs(this, 'torch')`. */
export const testPython = (): string => python() ?? 'python3';

/** The PYTHONPATH of the curvature libraries, after `needs(this, 'references')`. */
export const referencesPath = (): string => findReferences(root, testPython()) ?? '';

/** The PYTHONPATH of debugpy, after `needs(this, 'debugpy')`. */
export const debugpyPath = (): string => findDebugpy(root, testPython()) ?? '';

const checks: Record<Requirement, () => string | null> = {
  'tfjs-node': () => {
    const require = createRequire(import.meta.url);
    const script = `require(${JSON.stringify(require.resolve('@tensorflow/tfjs-node'))})`;
    const env = { ...process.env, TF_CPP_MIN_LOG_LEVEL: '2' };
    const loads = spawnSync(process.execPath, ['-e', script], { env, stdio: 'ignore' }).status === 0;
    return loads ? null : '@tensorflow/tfjs-node does not load; `node test/harness/setup.mjs` sets it up';
  },
  torch: () =>
    python() === null ? 'no Python with torch; `node test/harness/setup.mjs --torch` sets it up' : null,
  references: () =>
    python() === null || referencesPath() === ''
      ? 'no curvature libraries to compare with; `node test/harness/setup.mjs --torch` installs them'
      : null,
  debugpy: () =>
    python() === null || debugpyPath() === ''
      ? 'no debugpy to start scripts under; `node test/harness/setup.mjs --torch` installs it'
      : null,
  chromium: () => (findChromium() ? null : 'no chromium; `node test/harness/setup.mjs --vscode` sets it up'),
  bundles: () =>
    existsSync(new URL('../../dist/cli.cjs', import.meta.url))
      ? null
      : 'no bundles; `npm run build` makes them',
};
const found = new Map<Requirement, string | null>();

/**
 * Call it first in a test or hook: `needs(this, 'tfjs-node')`.
 * @throws on CI, when it is not there
 */
export function needs(context: Context, requirement: Requirement): void {
  let reason = found.get(requirement);
  if (reason === undefined) {
    try {
      reason = checks[requirement]();
    } catch (error) {
      reason = String(error);
    }
    found.set(requirement, reason);
  }
  if (reason === null) return;
  if (process.env.CI) throw new Error(`This test needs ${requirement}: ${reason}`);
  context.skip();
}
