/** A chart and its numbers as files. */
import type { PageRequests } from '../src/protocol/page.ts';
import type { Chart } from './chart.ts';
import { h } from './dom.ts';
import { strings } from './strings.ts';

export type SaveFile = (file: PageRequests['saveFile']['params']) => Promise<string | null>;

export interface Exportable {
  /** File name without its ending. */
  readonly name: string;
  readonly chart: Pick<Chart, 'png' | 'svg'> | null;
  readonly csv: () => string;
  readonly json: () => unknown;
}

/** Buttons for PNG, SVG, CSV and JSON. `source` is asked when one is pressed; null while there is nothing. */
export function exportButtons(source: () => Exportable | null, save: SaveFile): HTMLElement {
  const said = h('span', { class: 'note', role: 'status' });
  const write = async (
    ending: string,
    content: string | null,
    encoding: 'utf8' | 'base64',
  ): Promise<void> => {
    const name = source()?.name;
    if (name === undefined || content === null) return;
    try {
      const saved = await save({ name: `${name}.${ending}`, content, encoding });
      said.textContent = saved === null ? '' : strings.saved(saved);
    } catch (error) {
      said.textContent = error instanceof Error ? error.message : String(error);
    }
  };
  const link = (label: string, make: () => Promise<void>): HTMLElement =>
    h('button', { type: 'button', class: 'link', on: { click: () => void make() } }, label);
  return h(
    'div',
    { class: 'export', role: 'group', 'aria-label': strings.exportLabel },
    h('span', { class: 'note' }, `${strings.exportLabel}:`),
    link('PNG', () => write('png', source()?.chart?.png() ?? null, 'base64')),
    link('SVG', () => write('svg', source()?.chart?.svg() ?? null, 'utf8')),
    link('CSV', () => write('csv', source()?.csv() ?? null, 'utf8')),
    link('JSON', () => write('json', JSON.stringify(source()?.json() ?? null, null, 1), 'utf8')),
    said,
  );
}

/** Saves through the browser, where there is no host to ask. */
export const download: SaveFile = ({ name, content, encoding }) => {
  const bytes =
    encoding === 'utf8'
      ? new TextEncoder().encode(content)
      : Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
  const url = URL.createObjectURL(new Blob([bytes]));
  h('a', { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
  return Promise.resolve(null);
};
