/** The map of what every window of snapshots would be worth, the best one marked. */
import type { SweepResult } from '../../src/protocol/averaging.ts';
import type { FigureSpec } from '../figure.ts';
import { strings } from '../strings.ts';
import { placeOf, sweepCsv, sweepDrawing, sweepTable } from '../sweepChart.ts';

export const sweepFigure: FigureSpec<SweepResult> = {
  parts: [
    {
      id: 'sweep',
      title: strings.sweep.map,
      draw: (result, theme, size) => {
        const shown = (result.best?.decay === null ? result.best : null) ?? result.windows.at(-1);
        return shown === undefined ? null : sweepDrawing(result, placeOf(result, shown), theme, size);
      },
      tables: (result) => [sweepTable(result)],
      csv: sweepCsv,
    },
  ],
};
