/**
 * A chart in the page: an ECharts instance that follows its element's size and the theme. What it shows is a
 * function from theme and size to an option, so that every chart is drawn, redrawn and exported in one way.
 */
import { init } from './echarts.ts';
import type { ECharts, Option } from './echarts.ts';
import { withLegendMarks } from './legendMarks.ts';
import { chartTheme, isHighContrast, onThemeChange, readTheme } from './theme.ts';
import type { Theme } from './theme.ts';

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** What to draw; null while there is nothing. */
export type Draw = (theme: Theme, size: Size) => Drawing | null;

export interface Drawing {
  /** Series carry ids: a redraw with the same ones updates in place and keeps the zoom. */
  readonly option: Option;
  /** What a reader who does not see the picture is told. */
  readonly description: string;
}

export class Chart {
  /** Where the pointer is, in pixels from the element's corner; for tooltips of whole areas. */
  readonly pointer = { x: 0, y: 0 };
  private instance: ECharts | null = null;
  private shape = '';
  /** The theme that the instance has. */
  private look = '';
  private frame = 0;
  private readonly ends: (() => void)[] = [];

  constructor(
    readonly element: HTMLElement,
    private readonly draw: Draw,
  ) {
    element.setAttribute('role', 'img');
    const observer = new ResizeObserver(() => this.redraw());
    observer.observe(element);
    this.ends.push(
      () => observer.disconnect(),
      onThemeChange(() => this.redraw()),
    );
    // Before zrender's own handlers, which ask for the tooltip's text.
    element.addEventListener(
      'mousemove',
      (event) => {
        const { left, top } = element.getBoundingClientRect();
        this.pointer.x = event.clientX - left;
        this.pointer.y = event.clientY - top;
      },
      { capture: true },
    );
    const shown = (): void => {
      if (!document.hidden) this.redraw();
    };
    document.addEventListener('visibilitychange', shown);
    this.ends.push(() => document.removeEventListener('visibilitychange', shown));
  }

  /** Draws again with the next frame, however often it is called before it; never while it cannot be seen. */
  redraw(): void {
    if (this.frame !== 0 || document.hidden) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.render();
    });
  }

  /** Data coordinates of a pixel in a grid. */
  coordinates(x: number, y: number, gridIndex = 0): readonly [number, number] | null {
    const found = this.instance?.convertFromPixel({ gridIndex }, [x, y]);
    return found?.[0] === undefined || found[1] === undefined ? null : [found[0], found[1]];
  }

  /** The inverse of {@link coordinates}; null while nothing is drawn. */
  pixel(x: number, y: number, gridIndex = 0): readonly [number, number] | null {
    const found = this.instance?.convertToPixel({ gridIndex }, [x, y]);
    return found?.[0] === undefined || found[1] === undefined ? null : [found[0], found[1]];
  }

  resetZoom(): void {
    this.instance?.dispatchAction({
      type: 'dataZoom',
      batch: [0, 1].map((dataZoomIndex) => ({ dataZoomIndex, start: 0, end: 100 })),
    });
  }

  /** The picture as it stands, twice as fine as on screen, as base64; null while nothing is drawn. */
  png(): string | null {
    const url = this.instance?.getDataURL({
      type: 'png',
      pixelRatio: 2,
      backgroundColor: readTheme().background,
    });
    return url?.slice(url.indexOf(',') + 1) ?? null;
  }

  /** The picture as SVG; null while nothing is drawn. */
  svg(): string | null {
    const size = this.size();
    const theme = readTheme();
    const drawing = this.draw(theme, size);
    if (drawing === null || size.width === 0) return null;
    const offscreen = init(null, chartTheme(theme), { renderer: 'svg', ssr: true, ...size });
    offscreen.setOption({
      ...withLegendMarks(drawing.option),
      animation: false,
      backgroundColor: theme.background,
    });
    const text = offscreen.renderToSVGString();
    offscreen.dispose();
    return text;
  }

  dispose(): void {
    cancelAnimationFrame(this.frame);
    for (const end of this.ends) end();
    this.instance?.dispose();
    this.instance = null;
  }

  private size(): Size {
    return { width: this.element.clientWidth, height: this.element.clientHeight };
  }

  private render(): void {
    const size = this.size();
    if (size.width === 0 || size.height === 0) return;
    const theme = readTheme();
    const drawing = this.draw(theme, size);
    if (drawing === null) {
      this.instance?.clear();
      this.shape = '';
      this.element.removeAttribute('aria-label');
      return;
    }
    const look = JSON.stringify(theme);
    // setTheme only takes hold once there is an option: the first theme is given at the start.
    if (this.instance === null) this.instance = init(this.element, chartTheme(theme));
    else if (this.look !== look) this.instance.setTheme(chartTheme(theme));
    this.look = look;
    this.instance.resize({ ...size, silent: true });
    const shape = ids(drawing.option.series);
    this.instance.setOption(
      {
        animation: false,
        aria: {
          enabled: true,
          label: { description: drawing.description },
          decal: { show: isHighContrast(theme) },
        },
        ...withLegendMarks(drawing.option),
      },
      { notMerge: shape !== this.shape, lazyUpdate: false },
    );
    this.shape = shape;
  }
}

function ids(series: Option['series']): string {
  const all = Array.isArray(series) ? series : series === undefined ? [] : [series];
  return all.map((one) => String(one.id)).join(' ');
}
