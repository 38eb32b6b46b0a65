/** A picture with its numbers and how far to trust it as one HTML document: no scripts, nothing fetched from anywhere. */
import type { AnalysisResult } from '../src/protocol/analyses.ts';
import type { Exportable } from './exportable.ts';
import { table } from './dataTable.ts';
import { definitions, h } from './dom.ts';
import { commandLine, provenanceRows, trustElement } from './provenance.ts';
import { strings } from './strings.ts';

/** Of the document alone: it is read on screens and paper, beside no editor. */
const STYLE = `
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70em; margin: 2em auto; padding: 0 1em; }
h1 { font-size: 1.3em; }
img { max-width: 100%; height: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: 0.8em 0 0.3em; }
th, td { text-align: right; padding: 0.15em 0.7em; border-bottom: 1px solid #8884; font-weight: normal; }
.table-scroll { overflow-x: auto; }
dt { font-weight: 600; }
dd { margin: 0 0 0.4em; }
code { overflow-wrap: anywhere; }
`;

/** null while nothing is drawn. */
export function pictureDocument({ name, title, chart, tables, result }: Exportable): string | null {
  const picture = pictureUrl(chart);
  if (picture === null) return null;
  const body = h(
    'main',
    {},
    h('h1', {}, title ?? name),
    h('img', { src: picture, alt: name }),
    ...(result === undefined ? [] : [trustElement(result.trust), facts(result)]),
    ...tables().map(table),
  );
  // Regions that scroll take no focus where nothing else does.
  for (const element of body.querySelectorAll('[tabindex]')) element.removeAttribute('tabindex');
  const policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";
  const page = h(
    'html',
    { lang: document.documentElement.lang || 'en' },
    h(
      'head',
      {},
      h('meta', { charset: 'utf-8' }),
      h('meta', { 'http-equiv': 'Content-Security-Policy', content: policy }),
      h('meta', { name: 'viewport', content: 'width=device-width, initial-scale=1' }),
      h('title', {}, `${name} · Basin`),
      h('style', {}, STYLE),
    ),
    h('body', {}, body),
  );
  return `<!doctype html>\n${page.outerHTML}\n`;
}

/** As SVG where there is one, so that it is sharp on paper; the 3-D surface as the pixels that it is. */
function pictureUrl(chart: Exportable['chart']): string | null {
  const svg = chart?.svg() ?? null;
  if (svg !== null) return `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
  const png = chart?.png() ?? null;
  return png === null ? null : `data:image/png;base64,${png}`;
}

function facts(result: AnalysisResult): HTMLElement {
  return h('dl', {}, ...definitions([[strings.sameCommand, commandLine(result)], ...provenanceRows(result)]));
}
