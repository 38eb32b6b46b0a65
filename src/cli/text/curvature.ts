/** Answers on curvature as a person reads them on a terminal. */
import type { SpectrumBlock, SpectrumResult, StabilityResult } from '../../protocol/curvature.ts';
import { figures, newTable } from './table.ts';

export function spectrumTable(result: SpectrumResult): string {
  const matrix = result.matrix === 'hessian' ? 'Hessian' : 'Gauss–Newton';
  const table = newTable([matrix, 'parameters', 'largest', 'smallest', 'trace']);
  for (const block of result.blocks) {
    table.push([
      block.name,
      block.dimension,
      ends(block.largest),
      ends(block.smallest),
      block.trace === null ? '–' : `${figures(block.trace.value)} ± ${figures(block.trace.standardError, 2)}`,
    ]);
  }
  const densities = result.blocks.filter((b) => b.density !== null).map(densityTable);
  return [table.toString(), ...densities].join('\n');
}

function ends(end: SpectrumBlock['largest']): string {
  return end === null ? '–' : end.values.map((value) => figures(value)).join('\n');
}

/** Shares of the eigenvalues in equal parts of the range, as bars. */
function densityTable({ name, density }: SpectrumBlock): string {
  const table = newTable([`density of ${name}, from`, 'to', 'share', '']);
  if (density === null) return '';
  const { x, density: height } = density;
  const gap = (x[1] ?? 0) - (x[0] ?? 0);
  const parts = 16;
  for (let k = 0; k < parts; k++) {
    const [begin, end] = [k, k + 1].map((i) => Math.round((i * x.length) / parts)) as [number, number];
    const share = height.slice(begin, end).reduce((s, d) => s + d * gap, 0);
    const to = (x[end - 1] ?? NaN) + gap;
    table.push([
      figures(x[begin], 3),
      figures(to, 3),
      `${(100 * share).toFixed(2)} %`,
      '█'.repeat(Math.round(40 * share)),
    ]);
  }
  return `${table.toString()}\nbandwidth ${figures(density.bandwidth)}`;
}

export function stabilityTable(result: StabilityResult): string {
  const table = newTable([
    'step',
    'λ₁',
    'learning rate',
    `bound ${result.formula ?? ''}`.trim(),
    'λ₁/bound',
    'verdict',
  ]);
  for (const { step, lambda1, learningRate, bound, ratio, verdict } of result.points) {
    table.push([step, figures(lambda1), figures(learningRate), figures(bound), figures(ratio, 3), verdict]);
  }
  const { preconditioned: own } = result;
  if (own === null) return table.toString();
  return [
    table.toString(),
    `preconditioned λ₁ ${figures(own.lambda1)} at step ${own.step}, bound ${own.formula} = ${figures(own.bound)}, ratio ${figures(own.ratio, 3)}: ${own.verdict}`,
  ].join('\n');
}
