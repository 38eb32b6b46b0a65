/** A sweep of averages as a person reads it on a terminal. */
import type { Candidate, SweepResult } from '../../protocol/averaging.ts';
import type { Scores } from '../../protocol/results.ts';
import { figures, newTable } from './table.ts';

/** The windows that end with the last snapshot, the moving averages, and the best of all where it is none of these. */
export function sweepTable(result: SweepResult): string {
  const { windows, moving, best, last } = result;
  const end = result.blocks.at(-1)?.to;
  const shown = windows.filter((w) => w.to === end).reverse();
  if (best !== null && best.decay === null && best.to !== end) shown.push(best);
  const table = newTable(['average', 'snapshots', 'loss', 'accuracy', 'calibration error', 'gain']);
  const row = (
    name: string,
    snapshots: number,
    scores: Scores,
    calibration: number | null,
    gain: string,
  ): void => {
    const { loss, accuracy } = scores.validation ?? scores.train;
    table.push([name, snapshots, figures(loss), figures(accuracy), figures(calibration, 3), gain]);
  };
  row(`snapshot ${last.step}`, 1, last, last.calibrationError, '');
  for (const c of [...shown, ...moving]) {
    const mark = same(c, best) ? ' *' : '';
    const gain = c.gain === null ? '–' : `${figures(c.gain.value, 2)} ± ${figures(c.gain.standardError, 1)}`;
    const name = c.decay === null ? `${c.from} to ${c.to}` : `decay ${c.decay}, to ${c.to}`;
    row(name + mark, c.snapshots, c.score, c.calibrationError, gain);
  }
  const apart = windows.length + moving.length - shown.length - moving.length;
  return [
    table.toString(),
    `* the best of ${windows.length + moving.length}${apart > 0 ? `; windows that end earlier are in the result` : ''}. ` +
      `The numbers are of ${result.data.samples} ${result.data.split} ${result.data.unit ?? 'samples'}.`,
  ].join('\n');
}

const same = (a: Candidate, b: Candidate | null): boolean =>
  b !== null && a.from === b.from && a.to === b.to && a.decay === b.decay;
