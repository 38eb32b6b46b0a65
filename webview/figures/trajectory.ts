/** The path on its first two components, what it does along the run, and how much of it these hold. */
import type { Path, TrajectoryResult } from '../../src/protocol/trajectory.ts';
import { h } from '../dom.ts';
import type { Child } from '../dom.ts';
import type { TableData } from '../dataTable.ts';
import type { FigurePart, FigureSpec } from '../figure.ts';
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
  const chosen = (result: TrajectoryResult): Path | null => pathOf(result, choice());
  const has = (result: TrajectoryResult): boolean => pathOf(result, 'sketch') !== null;
  const drawn =
    (draw: typeof planeDrawing): FigurePart<TrajectoryResult>['draw'] =>
    (result, theme, size) => {
      const path = chosen(result);
      return path === null ? null : draw(path, place(), theme, size);
    };
  const tabled =
    (table: (path: Path) => TableData): FigurePart<TrajectoryResult>['tables'] =>
    (result) => {
      const path = chosen(result);
      return path === null ? [] : [table(path)];
    };
  return {
    summary: growthSummary,
    parts: [
      {
        id: 'plane',
        title: words.planeTitle,
        has,
        draw: drawn(planeDrawing),
        tables: tabled((path) => pathTable(path, words.pathTable)),
        csv: (result) => pathCsv(chosen(result)),
      },
      {
        id: 'along',
        title: words.alongTitle,
        has,
        draw: drawn(alongDrawing),
        tables: tabled((path) => pathTable(path, words.alongTable)),
        csv: (result) => pathCsv(chosen(result)),
      },
      {
        id: 'structure',
        title: words.structureTitle,
        has,
        draw: (result, theme, size) => structureDrawing(result, choice(), theme, size),
        tables: tabled(componentTable),
        csv: (result) => componentCsv(chosen(result)),
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
