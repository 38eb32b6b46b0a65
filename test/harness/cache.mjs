/**
 * Where what is costly to build is kept between runs, outside of node_modules: $BASIN_CACHE, else the user's cache
 * folder. An entry is built beside its place and renamed when whole, by one process at a time.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { say } from './progress.mjs';

export const cacheDirectory = () =>
  process.env.BASIN_CACHE || join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'basin');

/** First 12 hex digits of the SHA-256 of texts and buffers. */
export function fingerprint(...parts) {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex').slice(0, 12);
}

/**
 * The folder of a cache entry; `build(directory)` fills it when it is not there yet.
 * @param {string} name names the content: versions, platform, fingerprint of the recipe
 */
export async function cached(name, build) {
  const place = join(cacheDirectory(), name);
  if (existsSync(place)) return place;
  mkdirSync(dirname(place), { recursive: true });
  return exclusively(`${place}.lock`, async () => {
    if (existsSync(place)) return place;
    const beside = `${place}.building`;
    rmSync(beside, { recursive: true, force: true });
    mkdirSync(beside);
    try {
      await build(beside);
      renameSync(beside, place);
    } finally {
      rmSync(beside, { recursive: true, force: true });
    }
    return place;
  });
}

/** Runs `work` while holding a lock file; waits for a holder that lives, takes over from one that is gone. */
export async function exclusively(lock, work) {
  mkdirSync(dirname(lock), { recursive: true });
  for (let waited = 0; ; waited++) {
    try {
      writeFileSync(lock, String(process.pid), { flag: 'wx' });
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
      if (!holderLives(lock)) rmSync(lock, { force: true });
      else if (waited % 40 === 0) say(`waiting for another process that holds ${lock}`);
      await sleep(250);
    }
  }
  try {
    return await work();
  } finally {
    rmSync(lock, { force: true });
  }
}

function holderLives(lock) {
  let text;
  try {
    text = readFileSync(lock, 'utf8');
  } catch {
    return false; // released meanwhile
  }
  const pid = Number(text);
  if (!pid) return true; // just created, its pid is not written yet
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
