/** The loss as a surface, its path on it. Loaded on demand: WebGL and its library are as large as all the rest. */
import './textMeasure.ts';
import { Line3DChart, Scatter3DChart, SurfaceChart } from 'echarts-gl/charts';
import { Grid3DComponent } from 'echarts-gl/components';
import { init, use } from 'echarts/core';
import type { ECharts } from 'echarts/core';
import type { ContourPicture } from './contourChart.ts';
import { axisNames } from './contourChart.ts';
import { nearestIndex } from './contourGeometry.ts';
import { formatNumber } from './format.ts';
import { overRamp, rampColor } from './ramp.ts';
import { strings } from './strings.ts';
import { chartTheme, onThemeChange, readTheme } from './theme.ts';

use([Line3DChart, Scatter3DChart, SurfaceChart, Grid3DComponent]);

/** Half a percent of the height: what lies on the surface is lifted so that it is not half buried. */
const LIFT = 0.015;

export function hasWebgl(): boolean {
  const canvas = document.createElement('canvas');
  const context = canvas.getContext('webgl2') ?? canvas.getContext('webgl');
  context?.getExtension('WEBGL_lose_context')?.loseContext();
  return context !== null;
}

export class Surface3d {
  private readonly chart: ECharts;
  private picture: ContourPicture | null = null;
  private drawn: ContourPicture | null = null;

  constructor(private readonly element: HTMLElement) {
    element.setAttribute('role', 'img');
    this.chart = init(element);
    new ResizeObserver(() => {
      if (element.clientWidth === 0) return;
      this.chart.resize();
      this.draw();
    }).observe(element);
    onThemeChange(() => {
      this.drawn = null;
      this.draw();
    });
  }

  show(picture: ContourPicture | null): void {
    this.picture = picture;
    this.draw();
  }

  png(): string | null {
    const url = this.chart.getDataURL({
      type: 'png',
      pixelRatio: 1,
      backgroundColor: readTheme().background,
    });
    return url.slice(url.indexOf(',') + 1);
  }

  /** A WebGL picture has no vectors. */
  svg(): null {
    return null;
  }

  private draw(): void {
    const { picture } = this;
    if (picture === null || picture === this.drawn || this.element.clientWidth === 0) return;
    this.drawn = picture;
    const theme = readTheme();
    const { result, scale } = picture;
    const [nameX, nameY] = axisNames(result);
    const height = (loss: number): number => (scale.kind === 'log' ? Math.log10(loss) : loss);
    const [low, high] = [height(scale.min), height(scale.max)];
    const points = result.y.flatMap((y, j) =>
      result.x.map((x, i) => {
        const loss = result.loss[j]?.[i] ?? null;
        return [x, y, loss === null ? NaN : height(loss)];
      }),
    );
    // On the surface, not at the snapshot's own loss: off the plane the two differ, and the caption says so.
    const path = result.trajectory.map(({ x, y, step }) => {
      const loss = result.loss[nearestIndex(result.y, y)]?.[nearestIndex(result.x, x)] ?? null;
      return { value: [x, y, (loss === null ? high : height(loss)) + LIFT * (high - low)], step };
    });
    const axis = {
      type: 'value',
      nameTextStyle: { color: theme.foreground, fontSize: 13, fontFamily: theme.fontFamily },
      axisLabel: { color: theme.muted, fontSize: 11, fontFamily: theme.fontFamily },
      axisLine: { lineStyle: { color: theme.muted } },
      splitLine: { lineStyle: { color: theme.gridLine } },
      axisPointer: { show: false },
    };
    // The frame's own ends are no round numbers, and their labels collide in the corners.
    const inner =
      (from: number, to: number, text: (value: number) => string) =>
      (value: number): string =>
        value - from < 0.06 * (to - from) || to - value < 0.02 * (to - from) ? '' : text(value);
    const [x0, x1, y0, y1] = [result.x[0] ?? 0, result.x.at(-1) ?? 1, result.y[0] ?? 0, result.y.at(-1) ?? 1];
    const wide = Math.max(x1 - x0, y1 - y0);
    const top = high + LIFT * (high - low);
    this.element.setAttribute('aria-label', strings.describeSurface(nameX, nameY));
    this.chart.setTheme(chartTheme(theme));
    this.chart.setOption(
      {
        animation: false,
        xAxis3D: {
          ...axis,
          name: nameX,
          nameGap: 28,
          min: x0,
          max: x1,
          axisLabel: { ...axis.axisLabel, formatter: inner(x0, x1, (x) => formatNumber(x, 2)) },
        },
        yAxis3D: {
          ...axis,
          name: nameY,
          nameGap: 28,
          min: y0,
          max: y1,
          axisLabel: { ...axis.axisLabel, formatter: inner(y0, y1, (y) => formatNumber(y, 2)) },
        },
        zAxis3D: {
          ...axis,
          name: strings.loss,
          nameGap: 26,
          min: low,
          max: top,
          axisLabel: {
            ...axis.axisLabel,
            formatter: inner(low, top, (z) => formatNumber(scale.kind === 'log' ? 10 ** z : z, 2)),
          },
        },
        grid3D: {
          boxWidth: Math.max(60, (120 * (x1 - x0)) / wide),
          boxDepth: Math.max(60, (120 * (y1 - y0)) / wide),
          boxHeight: 58,
          viewControl: {
            alpha: 32,
            beta: 38,
            distance: 160,
            autoRotate: false,
            animation: !theme.reducedMotion,
          },
          postEffect: { enable: false },
          environment: 'none',
        },
        series: [
          {
            id: 'surface',
            type: 'surface',
            // Unlit: the colour carries the loss; the wires show the shape.
            shading: 'color',
            silent: true,
            wireframe: { show: true, lineStyle: { color: 'rgba(0, 0, 0, 0.22)', width: 1 } },
            dataShape: [result.y.length, result.x.length],
            data: points,
            itemStyle: {
              color: ({ value }: { value: readonly number[] }) =>
                rampColor(((value[2] ?? low) - low) / (high - low || 1)),
            },
          },
          {
            id: 'path',
            type: 'line3D',
            silent: true,
            data: path.map(({ value }) => value),
            lineStyle: { width: 4, color: '#ffffff' },
          },
          {
            id: 'ends',
            type: 'scatter3D',
            silent: true,
            symbolSize: 11,
            data: [path[0], path.at(-1)].map((point, k) => ({
              value: point?.value ?? [],
              itemStyle: {
                color: k === 0 ? '#8ecbff' : overRamp.last,
                borderColor: '#101010',
                borderWidth: 1,
              },
            })),
          },
        ],
      },
      { notMerge: true },
    );
  }
}
