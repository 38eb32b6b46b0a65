/** How each layer learns along the run. */
import type { LayersResult } from '../../src/protocol/layers.ts';
import type { FigureSpec } from '../figure.ts';
import { layersCsv, layersHeat, layersTable } from '../layersChart.ts';
import type { LayerQuantity } from '../layersChart.ts';

export function layersFigure(quantity: () => LayerQuantity): FigureSpec<LayersResult> {
  return {
    parts: [
      {
        id: 'layers-heat',
        has: ({ series }) => series !== undefined,
        draw: (result, theme, size) => layersHeat(result, quantity(), theme, size),
        tables: (result) => [layersTable(result)],
        csv: layersCsv,
      },
    ],
  };
}
