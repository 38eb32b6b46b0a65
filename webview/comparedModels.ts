/** The models that a plane goes through and those beside it, by the names of their runs: what a comparison goes between. */
import { partsOfReference } from '../src/protocol/job.ts';
import type { ContourResult, PlaneCorner } from '../src/protocol/results.ts';
import type { TableData } from './dataTable.ts';
import { formatNumber, formatWithError } from './format.ts';
import { strings } from './strings.ts';

const words = strings.compared;

export interface ComparedModel {
  readonly corner: PlaneCorner;
  /** Index among the result's other paths; null for a model of the run itself. */
  readonly path: number | null;
  readonly name: string;
}

/** In the order in which they were named: the first is the one that the others are compared with. */
export function comparedModels({ plane, paths = [] }: ContourResult): ComparedModel[] {
  return (plane.corners ?? []).map((corner) => {
    const { run, model } = partsOfReference(corner.at);
    const path = run === null ? -1 : paths.findIndex((one) => one.run === run);
    const of = run === null ? null : (paths[path]?.name ?? run);
    const short = /^\d+$/.test(model) ? strings.step(model) : model;
    return { corner, path: path < 0 ? null : path, name: of === null ? short : `${of}, ${short}` };
  });
}

/** What a stop of the scrubber says: the model's own loss, and how much it is above that of the first. */
export function comparedNames(result: ContourResult): string[] {
  const all = comparedModels(result);
  const first = all[0]?.corner.evaluated ?? null;
  return all.map(({ name, corner: { evaluated } }, k) =>
    evaluated === null
      ? name
      : k === 0 || first === null
        ? words.stop(name, formatWithError(evaluated, result.standardError))
        : words.stopAgainst(
            name,
            formatWithError(evaluated, result.standardError),
            signed(evaluated - first),
            all[0]?.name ?? '',
          ),
  );
}

const signed = (value: number): string => `${value < 0 ? '' : '+'}${formatNumber(value, 3)}`;

export function comparedTable(result: ContourResult): TableData {
  const all = comparedModels(result);
  const first = all[0]?.corner.evaluated ?? null;
  return {
    caption: words.table,
    columns: [
      words.model,
      strings.evaluatedLoss,
      words.difference(all[0]?.name ?? ''),
      'x',
      'y',
      strings.distanceFromPlane,
    ],
    rows: all.map(({ name, corner: { evaluated, x, y, distance } }, k) => [
      name,
      evaluated === null ? '–' : formatWithError(evaluated, result.standardError),
      k === 0 || evaluated === null || first === null ? '–' : signed(evaluated - first),
      formatNumber(x),
      formatNumber(y),
      formatNumber(distance ?? 0),
    ]),
  };
}
