/** The measures of flatness, and a rescaled twin beside each. */
import type { FlatnessResult } from '../../src/protocol/flatness.ts';
import { table } from '../dataTable.ts';
import { h } from '../dom.ts';
import type { Child } from '../dom.ts';
import type { FigureSpec } from '../figure.ts';
import { flatnessCsv, flatnessDrawing, flatnessTable } from '../flatnessChart.ts';
import { strings } from '../strings.ts';

const words = strings.flatness;

export const flatnessFigure: FigureSpec<FlatnessResult> = {
  summary,
  parts: [
    {
      id: 'flatness',
      draw: flatnessDrawing,
      tables: (result) => [flatnessTable(result, words.numbers)],
      csv: flatnessCsv,
    },
  ],
};

function summary(result: FlatnessResult): Child[] {
  const { twin, withoutTwin } = result;
  return [
    table(flatnessTable(result, words.table)),
    h(
      'p',
      { class: 'note' },
      twin === null ? withoutTwin : words.twinOf(twin.multiplied, twin.divided, String(twin.factor)),
    ),
  ];
}
