/**
 * The PyTorch probe on one thread: CPU time of training with default recording over training without it, in turn; and with
 * λ₁ and the noise scale measured beside it, which have a budget of their own. Runs of half a minute and more: the first
 * second that snapshots may cost whatever the run's length is most of the overhead of a shorter one.
 */
import { join } from 'node:path';
import { setUpTorch } from '../harness/torch.mjs';
import { cli, median, node, readJson, report, root, run, scratchFolder, sideBySide } from './measure.ts';

interface Timing {
  readonly parameters: number;
  readonly cpuMs: number;
  readonly steps: number;
}

const python = await setUpTorch(root);
const scripts = join(root, 'test/bench/scripts');
const rounds = 5;
const fewer = 3;
process.env.OMP_NUM_THREADS = '1';

console.log('PyTorch: training under the probe over training without it, CPU time of the whole process:');
for (const { model, steps } of [
  { model: 'mlp-0.5m', steps: 4800 },
  { model: 'cnn', steps: 960 },
  { model: 'mlp-10m', steps: 720 },
]) {
  const scratch = scratchFolder();
  const file = join(scratch.path, 'timing.json');
  const env = { BENCH_RESULT: file };
  const script = [join(scripts, 'torch_train.py'), model, String(steps)];
  const plainly = async () => {
    await run(python, script, env);
    return readJson<Timing>(file);
  };
  const under = async (...options: string[]) => {
    await node([cli, 'train', '--root', scratch.path, '--json', ...options, '--', python, ...script], env);
    return readJson<Timing>(file);
  };
  const ratios = ([plain, probed]: readonly [Timing[], Timing[]]) =>
    probed.map((timing, round) => timing.cpuMs / (plain[round] ?? timing).cpuMs);
  try {
    const recorded = await sideBySide(rounds, plainly, () => under('--live-budget', '0'));
    const parameters = ((recorded[0][0]?.parameters ?? 0) / 1e6).toFixed(2);
    const perStep = median(recorded[0].map((timing) => timing.cpuMs / timing.steps)).toFixed(1);
    report(`${model} (${parameters}M parameters, ${perStep} ms a step)`, ratios(recorded), { atMost: 1.03 });
    report('  and measured', ratios(await sideBySide(fewer, plainly, () => under())), {});
  } finally {
    scratch.remove();
  }
}
