/** An ensemble by its number of members, and how differently they answer. */
import type { EnsembleResult } from '../../src/protocol/results.ts';
import {
  byCountCsv,
  byCountDrawing,
  diversityDrawing,
  ensembleTables,
  hasCounts,
  hasPairs,
  pairsCsv,
} from '../ensembleChart.ts';
import type { FigureSpec } from '../figure.ts';
import { strings } from '../strings.ts';

const words = strings.ensemble;

export const ensembleFigure: FigureSpec<EnsembleResult> = {
  parts: [
    {
      id: 'ensemble-count',
      title: words.byCount,
      has: hasCounts,
      draw: byCountDrawing,
      tables: (result) => ensembleTables(result).slice(0, 1),
      csv: byCountCsv,
    },
    {
      id: 'ensemble-diversity',
      title: words.diversity,
      has: hasPairs,
      draw: diversityDrawing,
      tables: (result) => ensembleTables(result).slice(1),
      csv: pairsCsv,
    },
  ],
};
