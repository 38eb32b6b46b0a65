/**
 * A contour over the PyTorch probe on one thread: its loss evaluations a second over bare forward passes at the fastest
 * batch size, and over two loops of published tools, all in turn.
 */
import { join } from 'node:path';
import { contour } from '../../src/analysis/contour.ts';
import type { AnalysisContext } from '../../src/analysis/evaluator.ts';
import { openEvaluator } from '../../src/evaluators/openEvaluator.ts';
import { installedProbes } from '../../src/evaluators/probes.ts';
import { RunStore } from '../../src/runs/runStore.ts';
import { setUpTorch } from '../harness/torch.mjs';
import { cli, median, node, report, root, run, scratchFolder } from './measure.ts';

/** Seconds of torch_forward.py. */
interface Loops {
  readonly bare: number;
  readonly plain: number;
  readonly images: number;
  readonly share: { readonly plain: number; readonly images: number };
}

const python = await setUpTorch(root);
const scripts = join(root, 'test/bench/scripts');
const rounds = 5;
/** A picture as it is drawn by default: refined where its isolines need it. */
const drawnSize = 41;
const drawnRounds = 2;
const context: AnalysisContext = { signal: new AbortController().signal, progress: () => undefined };
process.env.OMP_NUM_THREADS = '1';

console.log('PyTorch: losses a second on a contour:');
for (const model of ['mlp-tiny', 'mlp-0.5m', 'cnn']) {
  const scratch = scratchFolder();
  try {
    const env = { BENCH_RESULT: join(scratch.path, 'result.json') };
    const command = [python, join(scripts, 'torch_train.py'), model, '16'];
    await node([cli, 'train', '--root', scratch.path, '--json', '--', ...command], env);
    const recorded = await new RunStore(scratch.path).open('last');
    Object.assign(process.env, env);
    const opened = await openEvaluator(recorded, await recorded.readManifest(), 0, {
      probes: installedProbes(join(root, 'dist')),
    });
    const { evaluator } = opened;
    try {
      const size = model === 'cnn' ? 9 : 21;
      const mode = evaluator.description.modes[0] ?? 'as-trained';
      await evaluator.load({ into: 'origin', from: 'current' });
      const at = { id: '0', vector: 'origin' };
      const question = { snapshots: [], at, plane: 'random', size, data: { split: 'train' }, mode } as const;
      await contour(evaluator, question, context);
      const samples = String(evaluator.description.train?.samples ?? 0);
      const ratios = { bare: [] as number[], plain: [] as number[], images: [] as number[] };
      const shares = { plain: [] as number[], images: [] as number[] };
      const drawn = { plain: [] as number[], images: [] as number[] };
      for (let round = 0; round < rounds; round++) {
        const forward = [join(scripts, 'torch_forward.py'), model, samples];
        const loops = JSON.parse(await run(python, forward, env)) as Loops;
        const began = performance.now();
        await contour(evaluator, question, context);
        const each = (performance.now() - began) / 1000 / (size * size + 1);
        for (const name of ['bare', 'plain', 'images'] as const) ratios[name].push(loops[name] / each);
        for (const name of ['plain', 'images'] as const) shares[name].push(loops.share[name]);
        if (round >= drawnRounds) continue;
        const begins = performance.now();
        await contour(evaluator, { ...question, size: drawnSize, adaptive: true }, context);
        const whole = (performance.now() - begins) / 1000;
        for (const name of ['plain', 'images'] as const)
          drawn[name].push((loops[name] * drawnSize ** 2) / whole);
      }
      report(`${model}: over bare forward passes at the fastest batch size`, ratios.bare, { atLeast: 0.95 });
      for (const [name, words] of [
        ['plain', 'a state_dict and a DataLoader of tensors'],
        ['images', 'a state_dict and a DataLoader of 8-bit images'],
      ] as const) {
        // Where forward passes are this share of a loop, whoever makes the same passes gains at most 1/share.
        const share = (100 * median(shares[name])).toFixed(0);
        report(`${model}: over ${words} (passes: ${share} %)`, ratios[name], { atLeast: 10 });
        const picture = `points of a drawn picture of ${drawnSize} × ${drawnSize}, interpolated ones among them`;
        report(`${model}: ${picture}, over the same loop`, drawn[name], { atLeast: 10 });
      }
    } finally {
      await opened.close();
    }
  } finally {
    scratch.remove();
  }
}
