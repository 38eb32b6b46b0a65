/** The adapter, the process that hosts it or the engine killed while training stands: it goes on or stays held as it was told, and costs nothing standing. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { makePrivateFolder } from '../../../src/evaluators/socketFolder.ts';
import type { Run } from '../../../src/runs/run.ts';
import { EngineClient } from '../../../src/surface/engineClient.ts';
import { needs } from '../../harness/requires.ts';
import { slowly, stepLine, third } from './client.ts';
import { debugging, frameworks, until } from './debugging.ts';

const hostFile = fileURLToPath(new URL('adapterHost.mjs', import.meta.url));
const engineModule = fileURLToPath(new URL('../../../dist/engine.cjs', import.meta.url));
const words = { ended: (how: string) => how, exit: (code: number) => `exit ${code}`, again: '', closing: '' };
/** Of the seconds that it is watched for, what a standing process may take; one that spins takes all it is given. */
const WATCHED_SECONDS = 3;
const MOST_CPU_SECONDS = 0.3;

const killable = ['adapter', 'extension host'] as const;

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Processor time that a process has taken, in seconds. */
function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

async function assertIdle(pid: number): Promise<void> {
  if (process.platform !== 'linux') return;
  const before = cpuSeconds(pid);
  await sleep(1000 * WATCHED_SECONDS);
  const taken = cpuSeconds(pid) - before;
  assert.ok(taken < MOST_CPU_SECONDS, `${taken} s of processor time in ${WATCHED_SECONDS} s of standing`);
}

describe('a debugger that is killed', function () {
  this.timeout(180_000);
  const on = debugging();

  async function stood(run: Run): Promise<{ pid: number; sockets: string }> {
    const { process: training } = await run.readManifest();
    const endpoint = await run.endpoint();
    return { pid: training?.pid ?? 0, sockets: path.dirname(endpoint?.socket ?? '') };
  }

  const parentOf = (pid: number): number =>
    Number(execFileSync('ps', ['-o', 'ppid=', '-p', String(pid)], { encoding: 'utf8' }));

  /** The process that runs a script; 0 where there is none. */
  function runningWith(program: string): number {
    const all = execFileSync('ps', ['-A', '-ww', '-o', 'pid=,stat=,command='], { encoding: 'utf8' });
    const line = all.split('\n').find((one) => one.includes(program) && !/^\s*\d+\s+Z/.test(one));
    return Number(/^\s*(\d+)/.exec(line ?? '')?.[1] ?? 0);
  }

  /** The adapter has started the script, and the host of an adapter that. */
  async function kill(who: 'adapter' | 'extension host', trainingPid: number): Promise<void> {
    const adapter = parentOf(trainingPid);
    process.kill(who === 'adapter' ? adapter : parentOf(adapter), 'SIGKILL');
    on.client.abandon();
    await until(() => !isAlive(adapter));
  }

  for (const [framework, who] of frameworks.flatMap((one) =>
    killable.map((other) => [one, other] as const),
  )) {
    it(`trains on to its end without its ${who}, and leaves no socket folder (${framework})`, async function () {
      if (framework === 'torch') needs(this, 'torch');
      if (who === 'extension host') await on.reopen(hostFile);
      await on.client.halt(on.client.begin(framework, { launch: { stopOnEntry: true } }));
      await on.client.over();
      const run = await on.workspace.store.open(await on.client.runId());
      const { pid, sockets } = await stood(run);
      await assertIdle(pid);
      assert.ok(existsSync(sockets));
      await kill(who, pid);
      await until(async () => (await run.readManifest()).state === 'finished');
      assert.equal((await run.readSteps()).length, 40);
      await until(() => !existsSync(sockets));
    });

    it(`stays held without its ${who} where it was told to, idle, until another one attaches (${framework})`, async function () {
      if (framework === 'torch') needs(this, 'torch');
      if (who === 'extension host') await on.reopen(hostFile);
      // A stop that was asked for, and one that a look at the step has come to.
      const launch = { stopOnEntry: who === 'extension host', whenGone: 'hold' };
      const breakpoints = who === 'adapter' ? [{ line: stepLine[framework], condition: 'step == 1' }] : [];
      await on.client.halt(on.client.begin(framework, { launch, breakpoints }));
      if (who === 'extension host') await on.client.over();
      const run = await on.workspace.store.open(await on.client.runId());
      const norm = await on.client.evaluate(`norm("${third[framework]}")`);
      const { pid, sockets } = await stood(run);
      await kill(who, pid);
      await on.reopen();
      await assertIdle(pid);
      assert.equal((await run.readManifest()).state, 'paused');
      const { description } = await on.client.halt(on.client.join({ run: run.id }));
      assert.match(description ?? '', who === 'adapter' ? /^Inside of step 1/ : /^After 1 steps/);
      assert.equal(await on.client.evaluate(`norm("${third[framework]}")`), norm);
      await on.client.finish();
      assert.equal((await run.readManifest()).state, 'finished');
      assert.equal((await run.readSteps()).length, 40);
      await until(() => !existsSync(sockets));
    });
  }

  for (const framework of frameworks)
    it(`keeps what a failed script has left, where it was told to (${framework})`, async function () {
      if (framework === 'torch') needs(this, 'torch');
      const launch = { whenGone: 'hold', env: { STEPS: '20', FAIL: '6', HOW: 'throw' } };
      await on.client.halt(on.client.begin(framework, { launch }));
      const run = await on.workspace.store.open(await on.client.runId());
      const { pid } = await stood(run);
      await kill('adapter', pid);
      await assertIdle(pid);
      assert.ok(isAlive(pid));
      await on.reopen();
      const { description } = await on.client.halt(on.client.join({ run: run.id }));
      assert.match(description ?? '', /^The script has failed: .*the data ran out/);
      await on.client.finish();
      assert.equal((await run.readManifest()).state, 'failed');
    });

  for (const framework of frameworks)
    it(`trains on where its adapter is killed on the way, though it stands for a moment in each step (${framework})`, async function () {
      if (framework === 'torch') needs(this, 'torch');
      const breakpoints = [{ line: stepLine[framework], condition: 'step == 2 || loss < 0' }];
      const launch = { whenGone: 'hold', env: { STEPS: '300' } };
      await on.client.halt(on.client.begin(framework, { launch, breakpoints }));
      const run = await on.workspace.store.open(await on.client.runId());
      const { pid } = await stood(run);
      await on.client.continueRequest({ threadId: 1 });
      await until(async () => (await run.readSteps()).length > 20);
      await kill('adapter', pid);
      await until(async () => (await run.readManifest()).state === 'finished');
      assert.equal((await run.readSteps()).length, 300);
    });

  for (const framework of frameworks)
    it(`ends with an adapter that is killed while it starts, or stands at its first step by its setting (${framework})`, async function () {
      if (framework === 'torch') needs(this, 'torch');
      const go = path.join(on.workspace.root, `go ${framework}`);
      for (const whenGone of ['continue', 'hold'] as const) {
        const before = new Set((await on.workspace.store.list()).map(({ id }) => id));
        const { program, env } = slowly(on.workspace, framework, go);
        const begun = on.client.begin(framework, { launch: { program, env, whenGone } });
        begun.catch(() => undefined);
        let pid = 0;
        await until(() => (pid = runningWith(program)) !== 0);
        const id =
          (await on.workspace.store.list()).map((one) => one.id).find((one) => !before.has(one)) ?? '';
        const run = await on.workspace.store.open(id);
        await kill('adapter', pid);
        if (whenGone === 'continue') {
          await until(async () => !isAlive(pid) && (await run.readManifest()).state === 'interrupted');
          await until(async () => /debugger was gone/.test((await run.readManifest()).stateReason ?? ''));
          await on.reopen();
          continue;
        }
        assert.ok(isAlive(pid));
        writeFileSync(go, '');
        await until(async () => (await run.readManifest()).state === 'paused');
        await on.reopen();
        await on.client.halt(on.client.join({ run: id }));
        assert.equal((await on.client.variables('Step')).get('step')?.value, '0');
        await on.client.finish();
        assert.equal((await run.readSteps()).length, 40);
      }
    });

  for (const framework of frameworks) {
    it(`stands for its adapter when the engine that asked it is killed (${framework})`, async function () {
      if (framework === 'torch') needs(this, 'torch');
      await on.client.halt(on.client.begin(framework, { launch: { stopOnEntry: true } }));
      for (let i = 0; i < 2; i++) await on.client.over();
      const run = await on.workspace.store.open(await on.client.runId());
      const { pid } = await stood(run);
      const engine = new EngineClient({ module: engineModule, log: () => undefined, words });
      const { signal } = new AbortController();
      const heard: string[] = [];
      const ignore = (): undefined => undefined;
      const warmUp = { signal, progress: ignore, partial: ignore };
      await engine.run({ kind: 'layers', run: run.id }, on.workspace.root, warmUp);
      await on.client.over();
      const { step } = (await on.client.customRequest('basin.snapshot')).body as { step: number };
      assert.equal(
        (await run.readManifest()).state,
        'training',
        'a stop just made is not in the manifest yet',
      );
      const asked = engine.run(
        { kind: 'contour', run: run.id, plane: 'random', at: step, size: 401, adaptive: false },
        on.workspace.root,
        {
          signal,
          standing: true,
          progress: ({ message }) => {
            heard.push(message);
            if (/\d+ of \d+/.test(message) && engine.pid !== null) process.kill(engine.pid, 'SIGKILL');
          },
          partial: () => undefined,
        },
      );
      await assert.rejects(asked, { code: 'process-ended' });
      assert.ok(heard.includes('asking the training process'), 'the script is not started again beside it');
      assert.match(await on.client.evaluate('loss("train")'), /on 96 train samples/);
      await assertIdle(pid);
      await on.client.over();
      assert.equal((await on.client.variables('Step')).get('step')?.value, '3');
      await on.client.finish();
      assert.equal((await run.readSteps()).length, 40);
    });
  }

  it('takes away the socket folder of a process that was killed with its debugger, and no other', async function () {
    if (process.platform === 'win32') this.skip();
    const own = await makePrivateFolder();
    const parent = path.dirname(own.path);
    const made = (name: string, entries: readonly string[]): string => {
      const folder = path.join(parent, `basin-test-${process.pid}-${name}`);
      mkdirSync(folder);
      for (const entry of entries) writeFileSync(path.join(folder, entry), '');
      return folder;
    };
    const gone = Number(execFileSync(process.execPath, ['-p', 'process.pid'], { encoding: 'utf8' }));
    const orphan = made('orphan', [`${gone}.sock`]);
    const others = [
      made('living', [`${process.pid}.sock`]),
      made('empty', []),
      made('files', [`${gone}.sock`, 'run.json']),
    ].map((folder) => ({ path: folder, remove: () => execFileSync('rm', ['-r', folder]) }));
    const next = await makePrivateFolder();
    assert.ok(!existsSync(orphan));
    for (const { path: folder, remove } of others) {
      assert.ok(existsSync(folder), folder);
      remove();
    }
    await own.remove();
    await next.remove();
  });
});
