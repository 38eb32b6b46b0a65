/** CPU time of training with the probe at its default settings over training without, the two interleaved. */
import { join } from 'node:path';
import { cli, median, node, readJson, report, scratchFolder, sideBySide, trainScript } from './measure.ts';

interface Timing {
  readonly parameters: number;
  readonly cpuMs: number;
  readonly wallMs: number;
  readonly steps: number;
}
const rounds = 5;
const cases = [
  { model: 'mlp-0.5m', steps: 960 },
  { model: 'mlp-10m', steps: 96 },
  { model: 'cnn', steps: 160 },
];

console.log('Training under the probe over training without it, CPU time of the whole process:');
for (const { model, steps } of cases) {
  const scratch = scratchFolder();
  const measured = async (round: number, args: readonly string[]): Promise<Timing> => {
    const file = join(scratch.path, `${round}.json`);
    await node(args, { BENCH_RESULT: file, TF_NUM_INTRAOP_THREADS: '1', TF_CPP_MIN_LOG_LEVEL: '2' });
    return readJson<Timing>(file);
  };
  const script = [trainScript, model, String(steps)];
  const under = [cli, 'train', '--root', scratch.path, '--json', '--', process.execPath, ...script];
  const [plain, probed] = await sideBySide(
    rounds,
    (round) => measured(round, script),
    (round) => measured(round, under),
  ).finally(() => scratch.remove());
  const ratios = (pick: (timing: Timing) => number) =>
    probed.map((timing, round) => pick(timing) / pick(plain[round] ?? timing));
  const parameters = ((plain[0]?.parameters ?? 0) / 1e6).toFixed(2);
  const perStep = median(plain.map((timing) => timing.cpuMs / timing.steps)).toFixed(1);
  report(
    `${model} (${parameters}M parameters, ${perStep} ms a step)`,
    ratios((timing) => timing.cpuMs),
    { atMost: 1.03 },
  );
  report(
    '  the same in wall time',
    ratios((timing) => timing.wallMs),
    {},
  );
}
