/**
 * `basin sweep` over 100 snapshots of ten million parameters, by the evaluator of a PyTorch script: how often it loads
 * each snapshot, how many weight vectors it holds at most, by name and by the process's memory (apart from what evaluating
 * a model takes beside its weights: the activations of a batch), and its time over that of loading the snapshots once.
 * BENCH_MODEL (mlp-0.5m, mlp-tiny) and BENCH_SNAPSHOTS make it smaller.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AnalysisContext, Evaluator } from '../../src/analysis/evaluator.ts';
import { measureModel } from '../../src/analysis/measure.ts';
import { sweep } from '../../src/analysis/sweep.ts';
import { openEvaluator } from '../../src/evaluators/openEvaluator.ts';
import { installedProbes } from '../../src/evaluators/probes.ts';
import { RunStore } from '../../src/runs/runStore.ts';
import { setUpTorch } from '../harness/torch.mjs';
import { cli, node, report, root, scratchFolder } from './measure.ts';

const model = process.env.BENCH_MODEL ?? 'mlp-10m';
const wanted = Number(process.env.BENCH_SNAPSHOTS ?? 100);
const python = await setUpTorch(root);
const context: AnalysisContext = { signal: new AbortController().signal, progress: () => undefined };
process.env.OMP_NUM_THREADS = '1';

/** The evaluator, and what passes through it. */
function counted(evaluator: Evaluator) {
  const loads = new Map</* file */ string, number>();
  const held = new Set</* vector */ string>();
  let most = 0;
  let reading = 0;
  const seen = (method: string, params: Record<string, unknown>): void => {
    const { into, from, terms, vectors } = params as {
      into?: string;
      from?: { file?: string };
      terms?: readonly { vector: string | { file: string } }[];
      vectors?: readonly string[];
    };
    const files = [from, ...(terms ?? []).map((t) => t.vector)].flatMap((one) =>
      typeof one === 'object' && one.file !== undefined ? [one.file] : [],
    );
    for (const file of files) loads.set(file, (loads.get(file) ?? 0) + 1);
    if (into !== undefined) held.add(into);
    // A file that is streamed into a sum is held a stretch at a time.
    most = Math.max(most, held.size);
    if (method === 'release') for (const name of vectors ?? []) held.delete(name);
  };
  const watched = new Proxy(evaluator, {
    get(target, name, receiver) {
      const value: unknown = Reflect.get(target, name, receiver);
      if (typeof value !== 'function') return value;
      return (params: Record<string, unknown>, signal?: AbortSignal): unknown => {
        seen(String(name), params);
        const began = performance.now();
        const answer = Reflect.apply(value, target, [params, signal]) as unknown;
        if (['load', 'combine', 'save'].includes(String(name)))
          void Promise.resolve(answer).finally(() => (reading += performance.now() - began));
        return answer;
      };
    },
  });
  return { watched, loads, most: () => most, reading: () => reading };
}

/** Processes that this one has started and their own, by id. */
function descendants(pid: number = process.pid): number[] {
  const tasks = readdirSync(`/proc/${pid}/task`);
  const own = tasks.flatMap((task) => readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' '));
  return own.filter(Boolean).flatMap((child) => [Number(child), ...descendants(Number(child))]);
}

/** Bytes that a process holds: now, or at most since {@link forgetPeak}. */
function memoryOf(pid: number, field: 'VmRSS' | 'VmHWM'): number {
  const [, kib = 'NaN'] =
    new RegExp(`${field}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return 1024 * Number(kib);
}

const forgetPeak = (pid: number): void => writeFileSync(`/proc/${pid}/clear_refs`, '5');

const scratch = scratchFolder();
try {
  process.env.BENCH_RESULT = join(scratch.path, 'result.json');
  const command = [python, join(root, 'test/bench/scripts/torch_train.py'), model, String(wanted)];
  await node([cli, 'train', '--every', '1', '--root', scratch.path, '--json', '--', ...command]);
  const run = await new RunStore(scratch.path).open('last');
  const manifest = await run.readManifest();
  const files = await run.snapshots(0);
  const count = manifest.objectives[0]?.parameterCount ?? 0;
  console.log(`Sweep: ${files.length} snapshots of ${(count / 1e6).toFixed(2)}M parameters:`);
  const opened = await openEvaluator(run, manifest, 0, { probes: installedProbes(join(root, 'dist')) });
  try {
    const { evaluator } = opened;
    let began = performance.now();
    for (const { file } of files) await evaluator.load({ into: 'once', from: { file } });
    await evaluator.release({ vectors: ['once'] });
    const once = performance.now() - began;
    const { watched, loads, most, reading } = counted(evaluator);
    // The one with the weights in it. Linux tells of memory, other systems are not asked.
    const [heaviest] =
      process.platform === 'linux'
        ? descendants().sort((a, b) => memoryOf(b, 'VmRSS') - memoryOf(a, 'VmRSS'))
        : [];
    const mode = evaluator.description.modes[0] ?? 'as-trained';
    /** The most memory that the process takes above what it holds at the beginning, in weight vectors. */
    const peakOf = async <T>(work: () => Promise<T>): Promise<{ value: T; added: number }> => {
      const before = heaviest === undefined ? NaN : memoryOf(heaviest, 'VmRSS');
      if (heaviest !== undefined) forgetPeak(heaviest);
      const value = await work();
      return {
        value,
        added: heaviest === undefined ? NaN : (memoryOf(heaviest, 'VmHWM') - before) / (4 * count),
      };
    };
    // One model that is held already is evaluated: what that adds is no weight vector. The first time warms up.
    await evaluator.load({ into: 'once', from: { file: (files[0] as (typeof files)[number]).file } });
    const evaluate = () => measureModel(evaluator, 'once', mode, context);
    await evaluate();
    const { added: activations } = await peakOf(evaluate);
    await evaluator.release({ vectors: ['once'] });
    began = performance.now();
    const { value: result, added } = await peakOf(() =>
      sweep(
        watched,
        {
          snapshots: files.map(({ step, file }) => ({ step, vector: { file }, loss: null })),
          places: 20,
          decays: [0.5, 0.9],
          mode,
          scratch: (block) => join(scratch.path, `block-${block}.safetensors`),
        },
        context,
      ),
    );
    const seconds = performance.now() - began;
    const last = files.at(-1)?.file;
    // The last one is also loaded by itself, as what the averages are compared with.
    const each = files.map(({ file }) => (loads.get(file) ?? 0) - (file === last ? 1 : 0));
    report('averages scored', result.windows.length + result.moving.length, { atLeast: 200 });
    report('times that it loaded a snapshot, at most', Math.max(...each), { atMost: 1 });
    report('weight vectors held, at most', most(), { atMost: 4 });
    if (heaviest !== undefined) {
      report("the process's memory above that before, in weight vectors", added, {});
      report('… evaluating one model that it holds already', activations, {});
      const rest = (added - most() - activations) * 4 * count;
      report('… and neither that nor a vector: working space, in MiB', rest / 2 ** 20, {});
    }
    console.log(
      `  loading the snapshots once takes ${(once / 1000).toFixed(1)} s, the sweep ${(seconds / 1000).toFixed(1)} s`,
    );
    report('time over loading the snapshots once', seconds / once, {});
    report('time of its reading alone over loading the snapshots once', reading() / once, {});
  } finally {
    await opened.close();
  }
} finally {
  scratch.remove();
}
