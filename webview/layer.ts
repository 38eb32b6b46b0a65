/** A custom series of one item that draws a whole layer of a chart: isobands, cells, a colour bar. */
import type { CustomSeriesOption } from 'echarts/charts';

type RenderItem = NonNullable<CustomSeriesOption['renderItem']>;
export type RenderApi = Parameters<RenderItem>[1];
type RenderReturn = ReturnType<RenderItem>;

/** @param render gives the layer's elements, in pixels */
export function layer(
  id: string,
  z: number,
  render: (api: RenderApi, frame: Frame) => object[],
  rest: Partial<CustomSeriesOption> = {},
): CustomSeriesOption {
  return {
    id,
    type: 'custom',
    z,
    data: [[0, 0]],
    clip: true,
    silent: true,
    animation: false,
    // Without $mergeChildren: false, ECharts leaves what was drawn before when there is nothing to draw any more.
    renderItem: (params, api) =>
      ({
        type: 'group',
        $mergeChildren: false,
        children: render(api, params.coordSys as unknown as Frame),
      }) as RenderReturn,
    ...rest,
  };
}

/** The plot's rectangle, in pixels. */
export interface Frame {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}
