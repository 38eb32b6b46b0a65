/**
 * What questions cost, asked of one frozen evaluator: a whole contour in loss evaluations a second over bare forward
 * passes of the same model on as many samples, the two interleaved; and λ₁ in multiples of one gradient.
 */
import { join } from 'node:path';
import { contour } from '../../src/analysis/contour.ts';
import type { AnalysisContext } from '../../src/analysis/evaluator.ts';
import { sharpness } from '../../src/analysis/sharpness.ts';
import { installedProbes } from '../../src/evaluators/probes.ts';
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
const rounds = 5;
const size = 9;
const context: AnalysisContext = { signal: new AbortController().signal, progress: () => undefined };

/** Seconds that a call takes. */
async function seconds(call: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await call();
  return (performance.now() - began) / 1000;
}

/** Median seconds of a call, the first one not counted. */
async function typical(times: number, call: () => Promise<unknown>): Promise<number> {
  await call();
  const all: number[] = [];
  for (let i = 0; i < times; i++) all.push(await seconds(call));
  return median(all);
}

console.log('Questions to one evaluator:');
try {
  for (const model of ['mlp-0.5m', 'cnn']) {
    const command = [process.execPath, trainScript, model, '48'];
    await node([cli, 'train', '--root', scratch.path, '--json', '--', ...command], env);
    const run = await new RunStore(scratch.path).open('last');
    const manifest = await run.readManifest();
    const opened = await openEvaluator(run, manifest, 0, { probes: installedProbes(join(root, 'dist')) });
    const { evaluator } = opened;
    try {
      const { description } = evaluator;
      const mode = description.modes[0] ?? 'as-trained';
      const data = { split: 'train' } as const;
      const how: HowToEvaluate = { data, mode, refresh: false };
      await evaluator.load({ into: 'origin', from: 'current' });
      const at = { id: '0', vector: 'origin' };
      const plane = { snapshots: [], at, plane: 'random', size, data, mode } as const;
      await contour(evaluator, { ...plane, size: 5 }, context);
      const samples = String(description.train?.samples ?? 0);
      const forward = [join(root, 'test/bench/scripts/forward.mjs'), model, samples];
      const rates: number[] = [];
      for (let round = 0; round < rounds; round++) {
        const bare = Number(await node(forward, env));
        // The grid and its centre, with the directions, the requests and the coarse-to-fine order.
        const took = await seconds(() => contour(evaluator, plane, context));
        rates.push((bare * (size * size + 1)) / took);
      }
      report(`${model}: losses a second on a contour over forward passes`, rates, { atLeast: 0.95 });

      const products: number[] = [];
      const estimates: number[] = [];
      let count = 0;
      await evaluator.random({
        into: 'v',
        seed: 1,
        like: 'origin',
        normalisation: 'none',
        include: { bias: true, norm: true },
      });
      for (let round = 0; round < 3; round++) {
        const gradient = await typical(3, () => evaluator.gradient({ at: 'origin', into: 'g', how }));
        const product = await typical(3, () =>
          evaluator.hvp({ at: 'origin', vector: 'v', into: 'hv', how, method: 'auto' }),
        );
        products.push(product / gradient);
        const question = { at, top: 1, data, mode, optimizer: null, learningRate: null };
        const took = await seconds(async () => {
          ({ products: count } = await sharpness(evaluator, question, context));
        });
        estimates.push(took / gradient);
      }
      report(`${model}: one Hessian-vector product in gradients`, products, {});
      report(`${model}: λ₁ and its error (${count} products) in gradients`, estimates, {});
    } finally {
      await opened.close();
    }
  }
} finally {
  scratch.remove();
}
