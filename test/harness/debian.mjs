/** System packages that npm cannot bring: installed when root on Debian or a relative, else named with their command. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { run, say } from './progress.mjs';

/** Path of the first of these programs on PATH, or null. */
export function findProgram(...names) {
  for (const name of names) {
    for (const folder of (process.env.PATH ?? '').split(delimiter)) {
      for (const file of process.platform === 'win32' ? [`${name}.exe`, `${name}.cmd`] : [name]) {
        if (folder && existsSync(join(folder, file))) return join(folder, file);
      }
    }
  }
  return null;
}

/** A Chromium to drive; BASIN_CHROMIUM names another one. */
export const findChromium = () =>
  process.env.BASIN_CHROMIUM ||
  findProgram('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable');

/** A Python that has pip; a `python3` on PATH may be one without it. */
export function findPip() {
  for (const name of ['python3', 'python', '/usr/bin/python3']) {
    if (spawnSync(name, ['-m', 'pip', '--version'], { stdio: 'ignore' }).status === 0) return name;
  }
  return null;
}

/** A Python ≥ 3.9 that can make virtual environments. */
export function findVenv() {
  const check = 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 9))';
  for (const name of ['python3', 'python', '/usr/bin/python3']) {
    if (spawnSync(name, ['-c', check], { stdio: 'ignore' }).status === 0) return name;
  }
  return null;
}

export const findCompiler = () => findProgram('g++', 'c++', 'clang++');

function hasFonts() {
  if (process.platform !== 'linux') return true;
  return ['/usr/share/fonts/truetype', '/usr/share/fonts/opentype', '/usr/share/fonts/TTF'].some(
    (folder) => existsSync(folder) && readdirSync(folder).length > 0,
  );
}

const packages = {
  chromium: () => findChromium() !== null,
  'fonts-dejavu-core': hasFonts,
  pngquant: () => findProgram('pngquant') !== null,
  'g++': () => findCompiler() !== null,
  'python3-venv': () => findVenv() !== null,
  'python3-pip': () => findPip() !== null,
};

/**
 * Makes sure of system packages.
 * @param {(keyof typeof packages)[]} names
 * @returns {Promise<string[]>} those that are still missing; what to do about them has been said
 */
export async function ensurePackages(names, purpose) {
  const absent = () => names.filter((name) => !packages[name]());
  let missing = absent();
  if (missing.length === 0) return missing;
  const apt = findProgram('apt-get');
  const command = `apt-get update && apt-get install -y --no-install-recommends ${missing.join(' ')}`;
  if (apt && process.getuid?.() === 0) {
    say(`installing ${missing.join(', ')} (${purpose})`);
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    const { code, output } = await run('sh', ['-c', command], { env, quiet: true, label: 'apt-get' });
    if (code !== 0) console.log(output.trim().split('\n').slice(-8).join('\n'));
    missing = absent();
  }
  if (missing.length > 0) {
    const how = apt
      ? `Install with: sudo sh -c '${command}'`
      : 'Install them with your system’s package manager.';
    say(`missing for ${purpose}: ${missing.join(', ')}. ${how}`);
  }
  return missing;
}
