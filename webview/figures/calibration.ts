/** How far a model's confidence is its accuracy: the reliability diagram. */
import type { CalibrationResult } from '../../src/protocol/generalisation.ts';
import { reliabilityCsv, reliabilityDrawing, reliabilityTable } from '../calibrationChart.ts';
import { h } from '../dom.ts';
import type { Child } from '../dom.ts';
import type { FigureSpec } from '../figure.ts';
import { formatAccuracy, formatPercent } from '../format.ts';
import { strings } from '../strings.ts';

export const calibrationFigure: FigureSpec<CalibrationResult> = {
  summary: calibrationSummary,
  parts: [
    {
      id: 'reliability',
      draw: reliabilityDrawing,
      tables: (result) => [reliabilityTable(result)],
      csv: reliabilityCsv,
    },
  ],
};

function calibrationSummary(result: CalibrationResult): Child[] {
  const words = strings.calibration;
  const { error, standardError, ifCalibrated } = result;
  return [
    h(
      'div',
      { class: 'figure' },
      h(
        'div',
        { class: 'figure-number' },
        h('span', { class: 'figure-name' }, words.error),
        formatAccuracy(error, standardError),
      ),
      h(
        'div',
        { class: 'figure-words' },
        h('strong', {}, error > ifCalibrated.percentile95 ? words.beyondChance : words.withinChance),
        h(
          'span',
          { class: 'note' },
          words.chance(formatPercent(ifCalibrated.mean, 1), formatPercent(ifCalibrated.percentile95, 1)),
        ),
      ),
    ),
  ];
}
