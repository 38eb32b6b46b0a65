/**
 * What a debugger costs a run that is recorded in any case: CPU time of the training process and wall time, over recording
 * alone. Without breakpoints, attached and let go again, with a condition on a value that every step has, and with one on
 * λ₁, which is measured anew at every step. The two runs of a ratio train at the same time, so that what else the machine
 * does slows both. Nothing is measured beside training here: that has a budget of its own.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DebugClient } from '@vscode/debugadapter-testsupport';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { RunStore } from '../../src/runs/runStore.ts';
import { setUpTorch } from '../harness/torch.mjs';
import { cli, median, node, readJson, report, root, run, scratchFolder, trainScript } from './measure.ts';

interface Timing {
  readonly cpuMs: number;
  readonly wallMs: number;
  readonly steps: number;
}
interface Case {
  readonly name: string;
  readonly interpreter: string;
  readonly script: string;
  /** What the line that takes the step holds. */
  readonly stepLine: string;
  readonly steps: number;
}

const rounds = 3;
/** Steps with λ₁ at each of them, and how many times as many recording alone takes in about the same time. */
const measuredSteps = 16;
const asLong = 30;
process.env.OMP_NUM_THREADS = '1';
const python = await setUpTorch(root);
const cases: readonly Case[] = [
  {
    name: 'PyTorch, MLP of 0.5M parameters',
    interpreter: python,
    script: join(root, 'test/bench/scripts/torch_train.py'),
    stepLine: 'optimizer.step()',
    steps: 800,
  },
  {
    name: 'TensorFlow.js, MLP of 0.5M parameters',
    interpreter: process.execPath,
    script: trainScript,
    stepLine: 'model.fit(',
    steps: 800,
  },
];

console.log('A debugger over recording alone, CPU time of the training process and wall time:');
for (const one of cases) await measure(one);

async function measure({ name, interpreter, script, stepLine, steps }: Case): Promise<void> {
  const lines = readFileSync(script, 'utf8').split('\n');
  const line = 1 + lines.findIndex((text) => text.includes(stepLine));
  const args = (count: number): string[] => ['mlp-0.5m', String(count)];
  const recorded = (folder: string, count: number): string[] => [
    ...[cli, 'train', '--root', folder, '--json', '--live-budget', '0', '--', interpreter],
    ...[script, ...args(count)],
  ];

  const alone = (count: number): Promise<Timing> =>
    timed(async (folder, env) => {
      await node(recorded(folder, count), env);
    });
  const launched = (condition: string | null, count: number): Promise<Timing> =>
    timed((folder, env) =>
      withAdapter(async (client) => {
        const launch = client.launchRequest({
          ...{ program: script, args: args(count), runtime: interpreter, cwd: root, root: folder, env },
          liveBudget: 0,
        } as DebugProtocol.LaunchRequestArguments);
        const breakpoints = condition === null ? [] : [{ line, condition }];
        await client.setBreakpointsRequest({ source: { path: script }, breakpoints });
        await launch;
        const ended = client.waitForEvent('terminated', 1e9);
        await client.configurationDoneRequest();
        await ended;
      }),
    );
  const letGo = (): Promise<Timing> =>
    timed(async (folder, env) => {
      const training = run(process.execPath, recorded(folder, steps), env);
      await withAdapter(async (client) => {
        const stopped = client.waitForEvent('stopped');
        const attach = { root: folder, run: await firstRun(folder) };
        await client.attachRequest(attach as DebugProtocol.AttachRequestArguments);
        await client.configurationDoneRequest();
        await stopped;
        const { stackFrames } = (await client.stackTraceRequest({ threadId: 1 })).body;
        const step = Number(/^step (\d+)/.exec(stackFrames[0]?.name ?? '')?.[1]);
        // The script's clock starts after a quarter of its steps.
        if (!(step < steps / 4)) throw new Error(`Attached too late, at step ${step} of ${steps}.`);
        await client.disconnectRequest({ terminateDebuggee: false });
      });
      await training;
    });

  console.log(`  ${name}`);
  await compare('debugged, without a breakpoint', () => launched(null, steps), steps, 1.02);
  await compare('attached and let go again', letGo, steps, 1.02);
  await compare('a breakpoint on loss > 1e9', () => launched('loss > 1e9', steps), steps);
  const dear = () => launched('lr * lambda1 > 1e9', measuredSteps);
  await compare('a breakpoint on lr * lambda1 > 1e9', dear, measuredSteps * asLong);

  async function compare(
    what: string,
    debugged: () => Promise<Timing>,
    aloneSteps: number,
    atMost?: number,
  ): Promise<void> {
    const pairs: { cpu: number; wall: number; each: number }[] = [];
    for (let round = 0; round < rounds; round++) {
      const [one, other] = await Promise.all([debugged(), alone(aloneSteps)]);
      const ratio = (kind: 'cpuMs' | 'wallMs'): number => one[kind] / one.steps / (other[kind] / other.steps);
      pairs.push({ cpu: ratio('cpuMs'), wall: ratio('wallMs'), each: other.cpuMs / other.steps });
    }
    const each = median(pairs.map((pair) => pair.each)).toFixed(1);
    const cpu = pairs.map((pair) => pair.cpu);
    report(`  ${what} (${each} ms a step)`, cpu, atMost === undefined ? {} : { atMost });
    const wall = pairs.map((pair) => pair.wall);
    report('    in wall time', wall, {});
  }
}

/** What a script tells of its time, in a folder of its own. */
async function timed(work: (folder: string, env: Record<string, string>) => Promise<void>): Promise<Timing> {
  const scratch = scratchFolder();
  const file = join(scratch.path, 'timing.json');
  try {
    await work(scratch.path, {
      BENCH_RESULT: file,
      TF_NUM_INTRAOP_THREADS: '1',
      TF_CPP_MIN_LOG_LEVEL: '2',
    });
    return readJson<Timing>(file);
  } finally {
    scratch.remove();
  }
}

async function withAdapter(work: (client: DebugClient) => Promise<void>): Promise<void> {
  const client = new DebugClient(process.execPath, join(root, 'dist/debugAdapter.cjs'), 'basin');
  client.defaultTimeout = 120_000;
  await client.start();
  try {
    await client.initializeRequest({ adapterID: 'basin', linesStartAt1: true, pathFormat: 'path' });
    await work(client);
  } finally {
    await client.stop();
  }
}

/** The run of a folder, as soon as it can be attached to. */
async function firstRun(folder: string): Promise<string> {
  const store = new RunStore(folder);
  for (;;) {
    const [found] = await store.list();
    if (found?.run != null && (await found.run.endpoint()) !== null) return found.id;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
