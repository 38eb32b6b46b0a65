/** The path on its first two components, what it does along the run, and how much of it these hold. */
import type { TrajectoryResult } from '../../src/protocol/trajectory.ts';
import { h } from '../dom.ts';
import type { Child } from '../dom.ts';
import type { FigureSpec } from '../figure.ts';
import { formatNumber } from '../format.ts';
import { strings } from '../strings.ts';
import {
  alongDrawing,
  componentCsv,
  componentTable,
  pathCsv,
  pathOf,
  pathTable,
  planeDrawing,
  structureDrawing,
} from '../trajectoryChart.ts';
import type { PathChoice } from '../trajectoryChart.ts';

const words = strings.trajectory;

/**
 * @param choice which of the two paths is drawn
 * @param place how far it is gone, an index of its points
 */
export function trajectoryFigure(
  choice: () => PathChoice,
  place: () => number,
): FigureSpec<TrajectoryResult> {
  return {
    summary: growthSummary,
    parts: [
      {
        id: 'plane',
        title: words.planeTitle,
        has: (result) => pathOf(result, 'sketch') !== null,
        draw: (result, theme, size) => {
          const path = pathOf(result, choice());
          return path === null ? null : planeDrawing(path, place(), theme, size);
        },
        tables: (result) =>
          [pathOf(result, choice())].flatMap((path) =>
            path === null ? [] : [pathTable(path, words.pathTable)],
          ),
        csv: (result) => pathCsv(pathOf(result, choice())),
      },
      {
        id: 'along',
        title: words.alongTitle,
        has: (result) => pathOf(result, 'sketch') !== null,
        draw: (result, theme, size) => {
          const path = pathOf(result, choice());
          return path === null ? null : alongDrawing(path, place(), theme, size);
        },
        tables: (result) =>
          [pathOf(result, choice())].flatMap((path) =>
            path === null ? [] : [pathTable(path, words.alongTable)],
          ),
        csv: (result) => pathCsv(pathOf(result, choice())),
      },
      {
        id: 'structure',
        title: words.structureTitle,
        has: (result) => pathOf(result, 'sketch') !== null,
        draw: (result, theme, size) => structureDrawing(result, choice(), theme, size),
        tables: (result) =>
          [pathOf(result, choice())].flatMap((path) => (path === null ? [] : [componentTable(path)])),
        csv: (result) => componentCsv(pathOf(result, choice())),
      },
    ],
  };
}

function growthSummary({ growth }: TrajectoryResult): Child[] {
  if (growth === null) return [];
  return [
    h(
      'div',
      { class: 'figure' },
      h(
        'div',
        { class: 'figure-number' },
        h('span', { class: 'figure-name' }, words.fromStart),
        formatNumber(growth.distance, 3),
      ),
      h(
        'div',
        { class: 'figure-words' },
        h('strong', {}, growth.exponent === null ? '' : words.exponent(formatNumber(growth.exponent, 2))),
        h(
          'span',
          { class: 'note' },
          words.reach(formatNumber(growth.randomWalk, 3), formatNumber(growth.straightLine, 3)),
        ),
      ),
    ),
  ];
}
