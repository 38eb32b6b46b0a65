/**
 * The PyTorch probe on one thread: CPU time of training with default recording over training without it, in turn.
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
process.env.OMP_NUM_THREADS = '1';

console.log('PyTorch: training under the probe over training without it, CPU time of the whole process:');
for (const { model, steps } of [
  { model: 'mlp-0.5m', steps: 1600 },
  { model: 'cnn', steps: 320 },
  { model: 'mlp-10m', steps: 240 },
]) {
  const scratch = scratchFolder();
  const file = join(scratch.path, 'timing.json');
  const env = { BENCH_RESULT: file };
  const script = [join(scripts, 'torch_train.py'), model, String(steps)];
  const [plain, probed] = await sideBySide(
    rounds,
    async () => {
      await run(python, script, env);
      return readJson<Timing>(file);
    },
    async () => {
      await node([cli, 'train', '--root', scratch.path, '--json', '--', python, ...script], env);
      return readJson<Timing>(file);
    },
  ).finally(() => scratch.remove());
  const parameters = ((plain[0]?.parameters ?? 0) / 1e6).toFixed(2);
  const perStep = median(plain.map((timing) => timing.cpuMs / timing.steps)).toFixed(1);
  report(
    `${model} (${parameters}M parameters, ${perStep} ms a step)`,
    probed.map((timing, round) => timing.cpuMs / (plain[round] ?? timing).cpuMs),
    { atMost: 1.03 },
  );
}
