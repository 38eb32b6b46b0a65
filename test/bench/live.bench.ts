/** λ₁ beside a run that trains: the share of the training's time that it took, of the 5 % that it may. */
import { join } from 'node:path';
import { RunStore } from '../../src/runs/runStore.ts';
import { cli, node, report, scratchFolder, trainScript } from './measure.ts';

console.log('λ₁ while training, share of its time:');
for (const { model, steps } of [
  { model: 'mlp-0.5m', steps: 2400 },
  { model: 'cnn', steps: 400 },
]) {
  const scratch = scratchFolder();
  try {
    const env = {
      BENCH_RESULT: join(scratch.path, 'r.json'),
      TF_NUM_INTRAOP_THREADS: '1',
      TF_CPP_MIN_LOG_LEVEL: '2',
    };
    const script = [process.execPath, trainScript, model, String(steps)];
    await node([cli, 'train', '--root', scratch.path, '--json', '--', ...script], env);
    const run = await new RunStore(scratch.path).open('last');
    const [live, recorded] = [await run.readLive(), await run.readSteps()];
    const spent = live.reduce((s, { seconds }) => s + seconds, 0);
    const [first, last] = [recorded[0]?.time ?? NaN, recorded.at(-1)?.time ?? NaN];
    // Half a second may be spent ahead of the share, so that a short run is measured at all.
    const allowed = 0.05 + 0.5 / (last - first);
    report(`${model}: ${live.length} estimates in ${(last - first).toFixed(1)} s`, spent / (last - first), {
      atMost: Number(allowed.toFixed(3)),
    });
  } finally {
    scratch.remove();
  }
}
