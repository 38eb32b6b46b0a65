/** Each layer of a run, as a person reads it on a terminal. */
import type { LayersResult, OverRun } from '../../protocol/layers.ts';
import { figures, newTable } from './table.ts';

export function layersTable(result: LayersResult): string {
  const table = newTable([
    'parameter',
    'update ratio: last',
    'median',
    'gradient norm: last',
    'median',
    'weight norm',
    'alignment',
    'dead units',
    'not finite',
  ]);
  const alignment = (of: OverRun): string => figures(of.median, 2);
  for (const p of result.parameters) {
    table.push([
      p.name,
      figures(p.updateRatio.last, 2),
      figures(p.updateRatio.median, 2),
      figures(p.gradientNorm.last, 2),
      figures(p.gradientNorm.median, 2),
      figures(p.weightNorm.last, 3),
      alignment(p.alignment),
      p.dead === null ? '' : `${p.dead.units} of ${p.dead.of}`,
      p.nonFinite === null ? '' : `${p.nonFinite.what}, step ${p.nonFinite.step}`,
    ]);
  }
  return `${table.toString()}\nsteps ${result.from} to ${result.to}; all parameters together: alignment ${alignment(result.alignment)}`;
}
