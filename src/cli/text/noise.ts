/** The noise of batch gradients as a person reads it on a terminal. */
import type { NoiseResult, WithError } from '../../protocol/noise.ts';
import { figures, newTable } from './table.ts';

interface Bounded {
  /** null for an end that is not bounded. */
  readonly interval: readonly [number, number | null] | null;
}

export function noiseTable({ scale, rank, hessian }: NoiseResult): string {
  const table = newTable(['noise', 'value', '± standard error', '95 %']);
  const row = (name: string, { value, standardError, interval }: WithError & Partial<Bounded>): void => {
    const bounds = interval == null ? '' : `${figures(interval[0], 3)} to ${figures(interval[1], 3)}`;
    table.push([name, figures(value), figures(standardError, 2), bounds]);
  };
  row('noise scale B (samples)', scale);
  row('tr Σ, of one sample', scale.trace);
  row('‖∇L‖²', scale.gradient);
  table.push([`directions of ${100 * rank.share} %`, `${rank.directions} of ${rank.parameters}`, '', '']);
  row('participation ratio', rank.participation);
  if (hessian !== null) {
    const k = hessian.eigenvalues.length;
    row(`share in the top ${k} of H`, hessian.noise);
    row(`gradient's share there`, hessian.gradient);
    row('Tr(HΣ)', hessian.trace);
    row('Tr H', hessian.hessianTrace);
    row('Tr(HΣ)·d/(Tr H·Tr Σ)', hessian.anisotropy);
  }
  const growth = newTable(['batches', `directions of ${100 * rank.share} %`, 'at most']);
  for (const { batches, directions } of rank.growth)
    growth.push([batches, figures(directions, 3), batches - 1]);
  return [table.toString(), growth.toString()].join('\n');
}
