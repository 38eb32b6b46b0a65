/** λ₁ and the noise scale beside a run that trains: the share of its time that they took, of the 5 % that they may. */
import { join } from 'node:path';
import { LIVE_ADVANCE, LIVE_BUDGET } from '../../src/protocol/run.ts';
import { measuringCost } from '../../src/runs/measuringCost.ts';
import { RunStore } from '../../src/runs/runStore.ts';
import { cli, node, report, scratchFolder, trainScript } from './measure.ts';

console.log('Measured while training, share of its time:');
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
    const live = await run.readLive();
    const cost = measuringCost(live, await run.readNoise(), await run.readLastStep());
    if (cost?.trained == null) throw new Error(`Nothing was measured beside ${model}.`);
    const { sharpness, noise, trained } = cost;
    // What may be spent ahead of the share pays for the first λ₁, whatever that costs.
    const ahead = Math.max(LIVE_ADVANCE, live[0]?.seconds ?? 0);
    report(
      `${model}: λ₁ ${sharpness.count} times, noise scale ${noise.count} times in ${trained.toFixed(0)} s`,
      (sharpness.seconds + noise.seconds) / trained,
      { atMost: Number((LIVE_BUDGET + ahead / trained).toFixed(3)) },
    );
  } finally {
    scratch.remove();
  }
}
