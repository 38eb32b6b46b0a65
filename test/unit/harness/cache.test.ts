import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { cached } from '../../harness/cache.mjs';

describe('cache of the harness', () => {
  let folder = '';
  const outside = process.env.BASIN_CACHE;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'basin-cache-'));
    process.env.BASIN_CACHE = folder;
  });
  afterEach(() => {
    if (outside === undefined) delete process.env.BASIN_CACHE;
    else process.env.BASIN_CACHE = outside;
    rmSync(folder, { recursive: true, force: true });
  });

  it('builds an entry once and finds it afterwards', async () => {
    let builds = 0;
    const build = (directory: string) => {
      builds++;
      writeFileSync(join(directory, 'whole'), 'yes');
    };
    const first = await cached('entry', build);
    const second = await cached('entry', build);
    assert.equal(first, second);
    assert.equal(builds, 1);
    assert.equal(readFileSync(join(second, 'whole'), 'utf8'), 'yes');
  });

  it('leaves nothing of a build that failed, and builds again', async () => {
    await assert.rejects(
      cached('entry', (directory: string) => {
        writeFileSync(join(directory, 'half'), '');
        throw new Error('no space');
      }),
      /no space/,
    );
    assert.deepEqual(readdirSync(folder), []);
    await cached('entry', () => undefined);
    assert.deepEqual(readdirSync(folder), ['entry']);
  });

  it('takes a lock over whose holder is gone', async () => {
    const child = spawn(process.execPath, ['-e', '']);
    await once(child, 'exit');
    writeFileSync(join(folder, 'entry.lock'), String(child.pid));
    assert.ok(existsSync(await cached('entry', () => undefined)));
  });

  it('two processes at once build one entry once', async () => {
    const log = join(folder, 'builds');
    const script = `
      import { appendFileSync, writeFileSync } from 'node:fs';
      import { setTimeout as sleep } from 'node:timers/promises';
      import { cached } from ${JSON.stringify(pathToFileURL(join(import.meta.dirname, '../../harness/cache.mjs')).href)};
      const place = await cached('entry', async (directory) => {
        appendFileSync(${JSON.stringify(log)}, 'built ');
        await sleep(400);
        writeFileSync(directory + '/whole', '');
      });
      const { existsSync } = await import('node:fs');
      process.exit(existsSync(place + '/whole') ? 0 : 1);`;
    const run = async () => {
      const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'ignore' });
      return (await once(child, 'exit'))[0] as number;
    };
    assert.deepEqual(await Promise.all([run(), run()]), [0, 0]);
    assert.equal(readFileSync(log, 'utf8'), 'built ');
  });
});
