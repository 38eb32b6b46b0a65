/** How typical a random plane is among those of other seeds. */
import type { ContourResult } from '../../src/protocol/results.ts';
import { csv } from '../dataTable.ts';
import type { FigureSpec } from '../figure.ts';
import { repeatsDrawing, repeatsTable } from '../seedsDrawing.ts';
import { strings } from '../strings.ts';

export const repeatsFigure: FigureSpec<ContourResult> = {
  parts: [
    {
      id: 'repeats',
      title: strings.seeds.repeats,
      draw: ({ repeats }, theme, size) => (repeats ? repeatsDrawing(repeats, theme, size) : null),
      tables: ({ repeats }) => (repeats ? [repeatsTable(repeats)] : []),
      csv: ({ repeats }) =>
        csv(
          ['plane', 'rise'],
          (repeats?.rises ?? []).map((rise, k) => [k + 1, rise]),
        ),
    },
  ],
};
