import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { endingSignal } from '../../../src/evaluators/children.ts';
import { probeEnvironment } from '../../../src/evaluators/probeEnvironment.ts';
import type { Probes } from '../../../src/evaluators/probes.ts';
import { relaunch } from '../../../src/evaluators/relaunch.ts';
import { makePrivateFolder } from '../../../src/evaluators/socketFolder.ts';
import { launchTraining, settleRun } from '../../../src/evaluators/training.ts';
import { BasinError, isCancelled, type ErrorCode } from '../../../src/protocol/errors.ts';
import { CLAIM_FILE, LOADED_FILE, type ProbeOptions } from '../../../src/protocol/launch.ts';
import type { RunState } from '../../../src/protocol/run.ts';
import { makeFinishedRun, makeWorkspace, objective, type Workspace } from '../../fixtures/runs.ts';

const hasCode = (code: ErrorCode) => (error: unknown) => error instanceof BasinError && error.code === code;

const probesOf = (tfjs: string): Probes => ({ tfjs, torch: path.resolve('src/probe/torch') });

describe('launching', () => {
  let workspace: Workspace;
  /** A preload that does nothing but leave a mark: what the launcher does by itself, without a probe's help. */
  let probe: string;
  beforeEach(async () => {
    workspace = await makeWorkspace();
    const folder = path.join(workspace.root, 'a "quoted" folder');
    await mkdir(folder);
    probe = path.join(folder, 'probe.cjs');
    await writeFile(
      probe,
      `require('node:fs').writeFileSync(${JSON.stringify(path.join(workspace.root, 'preloaded'))}, process.env.BASIN_PROBE)`,
    );
  });
  afterEach(() => workspace.remove());

  const launch = async (code: string) => {
    const script = path.join(workspace.root, 'träin me.mjs');
    await writeFile(script, code);
    return launchTraining({
      store: workspace.store,
      command: [process.execPath, script, '--lr', '0.1'],
      cwd: workspace.root,
      probes: probesOf(probe),
      version: '0.0.0',
      stdio: 'ignore',
    });
  };

  it('loads the probe from a path with spaces and quotes, beside the NODE_OPTIONS there were', async () => {
    const options = { mode: 'record' } as ProbeOptions;
    const env = probeEnvironment(
      { ...process.env, NODE_OPTIONS: '--no-deprecation' },
      probesOf(probe),
      options,
    );
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['-p', 'process.noDeprecation + " " + process.env.BASIN_PROBE'],
      { env },
    );
    assert.equal(stdout.trim(), 'true {"mode":"record"}');
    assert.ok(await stat(path.join(workspace.root, 'preloaded')));
    assert.throws(() => probeEnvironment({}, probesOf(`${probe}.none`), options), BasinError);
  });

  it('makes socket folders that nobody else can enter, with short paths', async () => {
    const folder = await makePrivateFolder();
    assert.equal((await stat(folder.path)).mode & 0o777, 0o700);
    assert.ok(Buffer.byteLength(folder.path) < 90);
    await folder.remove();
    await assert.rejects(stat(folder.path));
  });

  it('says of a script that loads no TensorFlow.js that it trained nothing', async () => {
    const { run, ended } = await launch('console.log("hello")');
    const { manifest } = await ended;
    assert.equal(manifest.state, 'no-training');
    assert.match(manifest.stateReason ?? '', /without loading TensorFlow\.js/);
    assert.deepEqual((await run.readManifest()).state, 'no-training');
    assert.equal(manifest.script, path.join(workspace.root, 'träin me.mjs'));
    assert.deepEqual(manifest.command.slice(2), ['--lr', '0.1']);
  });

  it('keeps the exit code of a script that dies before its first step', async () => {
    const { ended } = await launch('process.exit(7)');
    const { manifest, ending } = await ended;
    assert.equal(ending.code, 7);
    assert.equal(manifest.state, 'failed');
    assert.match(manifest.stateReason ?? '', /exit code 7 before its first training step/);
  });

  it('names the signal that ended a script', async () => {
    const training = await launch('setInterval(() => {}, 1000)');
    training.kill('SIGTERM');
    const { manifest } = await training.ended;
    assert.equal(manifest.state, 'interrupted');
    assert.match(manifest.stateReason ?? '', /SIGTERM/);
  });

  it('leaves no run behind when the command is not there', async () => {
    const options = {
      store: workspace.store,
      probes: probesOf(probe),
      version: '0.0.0',
      stdio: 'ignore',
    } as const;
    const there = { cwd: workspace.root, command: ['no-such-program-here'] };
    await assert.rejects(launchTraining({ ...options, ...there }), hasCode('bad-input'));
    const nowhere = { cwd: path.join(workspace.root, 'gone'), command: ['node'] };
    await assert.rejects(launchTraining({ ...options, ...nowhere }), hasCode('bad-input'));
    await writeFile(path.join(workspace.root, 'train.py'), '');
    await assert.rejects(launchTraining({ ...options, cwd: workspace.root, command: ['train.py'] }), {
      cure: 'Name what runs it: python train.py',
    });
    assert.deepEqual(await workspace.store.list(), []);
  });

  const endings: readonly [
    string,
    boolean,
    boolean,
    number | null,
    NodeJS.Signals | null,
    RunState,
    RegExp | null,
  ][] = [
    ['a good end', true, true, 0, null, 'finished', null],
    ['an exception', true, true, 1, null, 'failed', /exit code 1/],
    ['kill -9', true, true, null, 'SIGKILL', 'interrupted', /memory/],
    ['kill -9 below a shell', true, true, 137, null, 'interrupted', /SIGKILL/],
    ['Ctrl+C below npm', true, true, 130, null, 'interrupted', /Ctrl\+C/],
    ['a crash', true, true, null, 'SIGSEGV', 'failed', /Crashed/],
    ['no step after loading', false, true, 0, null, 'no-training', /without a training step/],
  ];
  for (const [what, claimed, loaded, code, signal, state, reason] of endings) {
    it(`tells ${what} as ${state}`, async () => {
      const run = await makeFinishedRun(workspace.store, 2, { state: 'training', ended: null });
      if (claimed) await writeFile(run.path(CLAIM_FILE), '');
      if (loaded) await writeFile(run.path(LOADED_FILE), '');
      await writeFile(run.path('endpoint.json'), '{}');
      const manifest = await settleRun(run, { code, signal });
      assert.equal(manifest.state, state);
      if (reason === null) assert.equal(manifest.stateReason, null);
      else assert.match(manifest.stateReason ?? '', reason);
      assert.notEqual(manifest.ended, null);
      await assert.rejects(stat(run.path('endpoint.json')));
    });
  }

  it('settles for a run that is deleted while its script goes on, which ends as it would', async () => {
    // The script waits to be told, so that the folder is gone before its end.
    const { run, ended } = await launch(
      `import { existsSync } from 'node:fs';
       const look = () => (existsSync(${JSON.stringify(path.join(workspace.root, 'go'))}) ? undefined : setTimeout(look, 20));
       look();`,
    );
    await rm(run.directory, { recursive: true });
    await writeFile(path.join(workspace.root, 'go'), '');
    const { manifest, ending } = await ended;
    assert.deepEqual(ending, { code: 0, signal: null });
    assert.deepEqual([manifest.id, manifest.state], [run.id, 'failed']);
    assert.match(manifest.stateReason ?? '', /^The run was deleted while/);
    await assert.rejects(stat(run.directory), 'it is not made anew');
  });

  it("keeps the probe's own reason for a failure", async () => {
    const run = await makeFinishedRun(workspace.store, 2, { state: 'failed', stateReason: 'TypeError: x' });
    await writeFile(run.path(CLAIM_FILE), '');
    assert.equal((await settleRun(run, { code: 1, signal: null })).stateReason, 'TypeError: x');
  });

  it('reads signals out of exit codes', () => {
    assert.equal(endingSignal({ code: 143, signal: null }), 'SIGTERM');
    assert.equal(endingSignal({ code: 2, signal: null }), null);
    assert.equal(endingSignal({ code: null, signal: 'SIGHUP' }), 'SIGHUP');
  });

  describe('again', () => {
    const again = async (code: string, more: { signal?: AbortSignal; timeout?: number } = {}) => {
      const script = path.join(workspace.root, 'again ß.mjs');
      await writeFile(script, code);
      const run = await makeFinishedRun(workspace.store, 2, {
        command: [process.execPath, script],
        objectives: [objective],
      });
      return relaunch(run, await run.readManifest(), 0, { probes: probesOf(probe), ...more });
    };

    it('shows the command first, and does not run it when that is refused', async () => {
      const run = await makeFinishedRun(workspace.store, 1);
      const refused = new BasinError('not-allowed', 'No.');
      const onCommand = (): Promise<void> => Promise.reject(refused);
      await assert.rejects(
        relaunch(run, await run.readManifest(), 0, { probes: probesOf(probe), onCommand }),
        (error: unknown) => error === refused,
      );
    });

    it("fails with the script's own last words when it ends before its first step", async () => {
      await assert.rejects(again('throw new Error("digits.csv is missing")'), (error: unknown) => {
        assert.ok(hasCode('process-ended')(error));
        assert.match((error as BasinError).detail ?? '', /digits\.csv is missing/);
        return true;
      });
    });

    it('gives up on a script that never comes to a step', async () => {
      const script = 'console.log("waiting for a service"); setInterval(() => {}, 1000)';
      await assert.rejects(again(script, { timeout: 2500 }), (error: unknown) => {
        assert.ok(hasCode('timeout')(error));
        assert.match((error as BasinError).detail ?? '', /waiting for a service/);
        return true;
      });
    });

    it('is cancelled while it starts, and leaves no process', async () => {
      const controller = new AbortController();
      const mark = path.join(workspace.root, 'pid');
      const started = again(
        `import { writeFileSync } from 'node:fs';
         writeFileSync(${JSON.stringify(mark)}, String(process.pid)); setInterval(() => {}, 1000)`,
        { signal: controller.signal },
      );
      const { readFile } = await import('node:fs/promises');
      let pid = '';
      while (pid === '') {
        await new Promise((resolve) => setTimeout(resolve, 20));
        pid = await readFile(mark, 'utf8').catch(() => '');
      }
      controller.abort();
      await assert.rejects(started, isCancelled);
      assert.throws(() => process.kill(Number(pid), 0));
    });
  });
});
