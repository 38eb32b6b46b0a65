import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Job } from '../../../src/protocol/engine.ts';
import { BasinError } from '../../../src/protocol/errors.ts';
import { EngineClient } from '../../../src/surface/engineClient.ts';
import { needs } from '../../harness/requires.ts';

const module = path.resolve(import.meta.dirname, '../../../dist/engine.cjs');
const job: Job = { kind: 'score', run: 'last' };

const code = (expected: string) => (error: unknown) => {
  assert.ok(error instanceof BasinError, String(error));
  assert.equal(error.code, expected, error.message);
  return true;
};

describe('EngineClient with the real engine', function () {
  this.timeout(30_000);
  let root: string;
  let client: EngineClient;
  const observe = (signal = new AbortController().signal) => ({
    signal,
    progress: () => undefined,
    partial: () => undefined,
  });

  before(function () {
    needs(this, 'bundles');
  });
  const pid = (): number | null => client.pid;

  beforeEach(async () => {
    root = await mkdtemp(path.join(tmpdir(), 'basin-engine-'));
    client = new EngineClient({
      module,
      log: () => undefined,
      words: {
        ended: (how) => `The process ended (${how}).`,
        exit: (code) => `exit code ${code}`,
        again: 'Ask again.',
        closing: 'It is shutting down.',
      },
    });
  });
  afterEach(async () => {
    await client.dispose();
    await rm(root, { recursive: true, force: true });
  });

  it('starts with the first question and brings its errors over with code and cure', async () => {
    assert.equal(pid(), null);
    await assert.rejects(client.run(job, root, observe()), (error: unknown) => {
      assert.ok(code('not-found')(error));
      assert.match((error as BasinError).cure ?? '', /basin train/);
      return true;
    });
    assert.ok(pid() !== null);
  });

  it('fails what is pending when the engine is killed, and starts another for the next question', async () => {
    const pending = client.run(job, root, observe());
    const first = pid();
    assert.ok(first !== null);
    process.kill(first, 'SIGKILL');
    await assert.rejects(pending, code('process-ended'));
    await assert.rejects(client.run(job, root, observe()), code('not-found'));
    assert.notEqual(pid(), first);
  });

  it('cancels before and after the question was sent', async () => {
    await assert.rejects(client.run(job, root, observe(AbortSignal.abort())), code('cancelled'));
    assert.equal(pid(), null);
    const controller = new AbortController();
    const pending = client.run(job, root, observe(controller.signal));
    controller.abort();
    await assert.rejects(pending, code('cancelled'));
  });

  it('leaves no process behind', async () => {
    await assert.rejects(client.run(job, root, observe()), code('not-found'));
    const last = pid();
    assert.ok(last !== null);
    await client.dispose();
    assert.throws(() => process.kill(last, 0), /ESRCH/);
    await assert.rejects(client.run(job, root, observe()), code('process-ended'));
  });
});
