/**
 * What questions cost: loss evaluations on a plane over bare forward passes of the same script on the same data, and
 * λ₁ in multiples of one gradient, both asked of one frozen evaluator.
 */
import { join } from 'node:path';
import { openEvaluator } from '../../src/evaluators/openEvaluator.ts';
import type { HowToEvaluate } from '../../src/protocol/evaluator.ts';
import { RunStore } from '../../src/runs/runStore.ts';
import { cli, median, node, report, root, scratchFolder, trainScript } from './measure.ts';

const scratch = scratchFolder();
const env = {
  BENCH_RESULT: join(scratch.path, 'result.json'),
  TF_NUM_INTRAOP_THREADS: '1',
  TF_CPP_MIN_LOG_LEVEL: '2',
};
Object.assign(process.env, env);

/** Median seconds of a call, the first one not counted. */
async function seconds(times: number, call: () => Promise<unknown>): Promise<number> {
  await call();
  const all: number[] = [];
  for (let i = 0; i < times; i++) {
    const began = performance.now();
    await call();
    all.push((performance.now() - began) / 1000);
  }
  return median(all);
}

try {
  for (const model of ['mlp-0.5m', 'cnn']) {
    await node(
      [cli, 'train', '--root', scratch.path, '--json', '--', process.execPath, trainScript, model, '48'],
      env,
    );
    const run = await new RunStore(scratch.path).open('last');
    const manifest = await run.readManifest();
    const opened = await openEvaluator(run, manifest, 0, { probe: join(root, 'dist/probe-tfjs.cjs') });
    const { evaluator } = opened;
    try {
      const mode = evaluator.description.modes[0] ?? 'as-trained';
      const how: HowToEvaluate = { data: { split: 'train' }, mode, refresh: false };
      await evaluator.load({ into: 'origin', from: 'current' });
      for (const [into, seed] of [
        ['u', 1],
        ['v', 2],
      ] as const) {
        const include = { bias: false, norm: false };
        await evaluator.random({ into, seed, like: 'origin', normalisation: 'filter', include });
      }
      const points = 24;
      const coefficients = Array.from({ length: points }, (_, i) => [i / points - 0.5, 0.5 - i / points]);
      const plane = { origin: 'origin', directions: ['u', 'v'], how };
      const onPlane = (await seconds(3, () => evaluator.loss({ ...plane, coefficients }))) / points;
      const samples = evaluator.description.train?.samples ?? 0;
      const bare = Number(
        await node([join(root, 'test/bench/scripts/forward.mjs'), model, String(samples)], env),
      );
      report(`${model}: losses a second on a plane over bare forward passes`, bare / onPlane, {
        atLeast: 0.95,
      });

      const gradient = await seconds(5, () => evaluator.gradient({ at: 'origin', into: 'g', how }));
      const product = await seconds(5, () =>
        evaluator.hvp({ at: 'origin', vector: 'u', into: 'hu', how, method: 'auto' }),
      );
      report(`${model}: one exact Hessian-vector product in gradients`, product / gradient, {});
      const began = performance.now();
      const answer = await node([cli, 'sharpness', 'last', '--root', scratch.path, '--json'], env);
      const took = (performance.now() - began) / 1000;
      const { products } = JSON.parse(answer) as { products: number };
      report(`${model}: λ₁ (${products} products) in gradients`, (products * product) / gradient, {});
      report(`${model}: λ₁ from a cold start, script and all, in seconds`, took, {});
    } finally {
      await opened.close();
    }
  }
} finally {
  scratch.remove();
}
