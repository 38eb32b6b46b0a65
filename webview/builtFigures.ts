/** Ensembles, soups and points that were built, each with its pictures, in the panel. */
import { ensembleFigure } from './figures/ensemble.ts';
import { pointFigure } from './figures/point.ts';
import { soupFigure } from './figures/soup.ts';
import { formatNumber } from './format.ts';
import { KeptFigure } from './keptFigure.ts';
import type { PanelActions } from './lens.ts';
import { modelName } from './lineChart.ts';
import { strings } from './strings.ts';

export function keptEnsembles(actions: PanelActions): KeptFigure<'ensemble'> {
  const words = strings.ensemble;
  return new KeptFigure(
    'ensemble',
    words.title,
    {
      name: ({ model, members }) => words.name(model, members.length),
      ...ensembleFigure,
    },
    actions,
  );
}

export function keptSoups(actions: PanelActions): KeptFigure<'soup'> {
  const words = strings.soup;
  return new KeptFigure(
    'soup',
    words.title,
    {
      name: ({ method, candidates }) => words.name(method, candidates.length),
      ...soupFigure,
    },
    actions,
  );
}

export function keptPoints(actions: PanelActions): KeptFigure<'point'> {
  const words = strings.picked;
  return new KeptFigure(
    'point',
    words.title,
    {
      name: ({ x, y, at }) => words.name(formatNumber(x, 3), formatNumber(y, 3), modelName(at)),
      ...pointFigure,
    },
    actions,
  );
}
