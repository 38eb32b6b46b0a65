/**
 * Colours and fonts of the page, read from the editor's CSS variables. Outside of VS Code the report's style
 * sheet defines the same variables, so there is one way to read them.
 */

export interface Theme {
  readonly kind: 'light' | 'dark' | 'high-contrast' | 'high-contrast-light';
  readonly reducedMotion: boolean;
  readonly foreground: string;
  readonly muted: string;
  readonly background: string;
  /** Of things that float above the page: tooltips. */
  readonly raised: string;
  readonly border: string;
  readonly gridLine: string;
  readonly loss: string;
  readonly validation: string;
  readonly accuracy: string;
  readonly sharpness: string;
  readonly bound: string;
  readonly fontFamily: string;
  readonly fontSize: number;
}

export const isHighContrast = (theme: Theme): boolean => theme.kind.startsWith('high-contrast');
export const isDark = (theme: Theme): boolean => theme.kind === 'dark' || theme.kind === 'high-contrast';

/** What a theme is read from; the page's own document, or a table in tests. */
export interface ThemeSource {
  variable(name: string): string;
  hasClass(name: string): boolean;
  matches(query: string): boolean;
}

export function readTheme(source: ThemeSource = documentSource()): Theme {
  const kind = source.hasClass('vscode-high-contrast-light')
    ? 'high-contrast-light'
    : source.hasClass('vscode-high-contrast')
      ? 'high-contrast'
      : source.hasClass('vscode-light')
        ? 'light'
        : source.hasClass('vscode-dark') || source.matches('(prefers-color-scheme: dark)')
          ? 'dark'
          : 'light';
  const dark = kind === 'dark' || kind === 'high-contrast';
  const contrast = kind.startsWith('high-contrast');
  const pick = (name: string, light: string, darkValue: string): string =>
    source.variable(name).trim() || (dark ? darkValue : light);
  const data = (name: string, light: string, darkValue: string): string =>
    opaque(pick(name, light, darkValue));
  const foreground = pick('--vscode-foreground', '#3b3b3b', '#cccccc');
  return {
    kind,
    reducedMotion:
      source.hasClass('vscode-reduce-motion') || source.matches('(prefers-reduced-motion: reduce)'),
    foreground,
    muted: contrast ? foreground : pick('--vscode-descriptionForeground', '#5f6368', '#9d9d9d'),
    background:
      pick('--basin-background', '', '') || pick('--vscode-editor-background', '#ffffff', '#1f1f1f'),
    raised: pick('--vscode-editorHoverWidget-background', '#f8f8f8', '#202020'),
    border: contrast
      ? pick('--vscode-contrastBorder', foreground, foreground)
      : pick('--vscode-editorHoverWidget-border', '#c8c8c8', '#454545'),
    gridLine: contrast
      ? pick('--vscode-contrastBorder', foreground, foreground)
      : dark
        ? '#ffffff1f'
        : '#0000001a',
    loss: data('--vscode-charts-blue', '#1a6fc4', '#4fa6ff'),
    validation: data('--vscode-charts-purple', '#652d90', '#b180d7'),
    accuracy: data('--vscode-charts-green', '#388a34', '#89d185'),
    sharpness: data('--vscode-charts-orange', '#b15c00', '#e08f45'),
    bound: data('--vscode-charts-red', '#d1242f', '#f5655c'),
    // Charts put it between double quotes, in SVG's attributes.
    fontFamily: pick('--vscode-font-family', 'system-ui, sans-serif', 'system-ui, sans-serif').replaceAll(
      '"',
      "'",
    ),
    fontSize: Number.parseFloat(source.variable('--vscode-font-size')) || 13,
  };
}

/**
 * A colour without its transparency: VS Code's own themes take charts.orange from what find marks are, which text is to be
 * read through. Other words are left as they are.
 */
function opaque(colour: string): string {
  const [, hex] = /^(#[\da-f]{6})[\da-f]{2}$/i.exec(colour) ?? /^(#[\da-f]{3})[\da-f]$/i.exec(colour) ?? [];
  const [, parts] = /^rgba\((.*),[^,]*\)$/i.exec(colour) ?? [];
  return hex ?? (parts === undefined ? colour : `rgb(${parts})`);
}

/** Calls back whenever the theme may have changed; returns the end of it. */
export function onThemeChange(listener: () => void): () => void {
  const observer = new MutationObserver(listener);
  for (const element of [document.documentElement, document.body]) {
    observer.observe(element, {
      attributes: true,
      attributeFilter: ['class', 'style', 'data-vscode-theme-kind'],
    });
  }
  const queries = ['(prefers-color-scheme: dark)', '(prefers-reduced-motion: reduce)'].map((q) =>
    matchMedia(q),
  );
  for (const query of queries) query.addEventListener('change', listener);
  return () => {
    observer.disconnect();
    for (const query of queries) query.removeEventListener('change', listener);
  };
}

/** An ECharts theme: axes, text and tooltips; data colours are chosen by each chart. */
export function chartTheme(theme: Theme): object {
  const axis = {
    axisLine: { show: true, lineStyle: { color: theme.muted } },
    axisTick: { show: true, lineStyle: { color: theme.muted } },
    axisLabel: { color: theme.muted, fontSize: theme.fontSize - 2 },
    nameTextStyle: { color: theme.foreground, fontSize: theme.fontSize - 1 },
    splitLine: { show: !isHighContrast(theme), lineStyle: { color: theme.gridLine } },
    minorSplitLine: { show: false },
  };
  return {
    color: [theme.loss, theme.sharpness, theme.validation, theme.accuracy, theme.bound],
    backgroundColor: 'transparent',
    textStyle: { color: theme.foreground, fontFamily: theme.fontFamily, fontSize: theme.fontSize - 1 },
    valueAxis: axis,
    categoryAxis: axis,
    legend: {
      textStyle: { color: theme.foreground, fontSize: theme.fontSize - 1 },
      inactiveColor: theme.muted,
    },
    tooltip: {
      backgroundColor: theme.raised,
      borderColor: theme.border,
      borderWidth: 1,
      textStyle: { color: theme.foreground, fontSize: theme.fontSize - 1 },
    },
    axisPointer: { lineStyle: { color: theme.muted }, crossStyle: { color: theme.muted } },
  };
}

function documentSource(): ThemeSource {
  const style = getComputedStyle(document.documentElement);
  return {
    variable: (name) => style.getPropertyValue(name),
    hasClass: (name) => document.body.classList.contains(name),
    matches: (query) => matchMedia(query).matches,
  };
}
