/** A chart and its numbers as files. */
import type { PageRequests } from '../src/protocol/page.ts';
import { h } from './dom.ts';
import type { Exportable } from './exportable.ts';
import { pictureDocument } from './pictureDocument.ts';
import { strings } from './strings.ts';

export type SaveFile = (file: PageRequests['saveFile']['params']) => Promise<string | null>;

/** Buttons for PNG, SVG, CSV, JSON, one HTML, and one that copies the picture. `source` is asked when one is pressed; null while there is nothing. */
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
  const copy = async (): Promise<void> => {
    const png = source()?.chart?.png() ?? null;
    if (png === null) return;
    try {
      const blob = new Blob([bytesOf(png)], { type: 'image/png' });
      await navigator.clipboard.write([new ClipboardItem({ [blob.type]: blob })]);
      said.textContent = strings.copied;
    } catch {
      said.textContent = strings.cannotCopy;
    }
  };
  const link = (label: string, make: () => Promise<void>): HTMLElement =>
    h('button', { type: 'button', class: 'link', on: { click: () => void make() } }, label);
  const html = (): string | null => {
    const asked = source();
    return asked === null ? null : pictureDocument(asked);
  };
  return h(
    'div',
    { class: 'export', role: 'group', 'aria-label': strings.exportLabel },
    h('span', { class: 'note' }, `${strings.exportLabel}:`),
    link('PNG', () => write('png', source()?.chart?.png() ?? null, 'base64')),
    link('SVG', () => write('svg', source()?.chart?.svg() ?? null, 'utf8')),
    link('CSV', () => write('csv', source()?.csv() ?? null, 'utf8')),
    link('JSON', () => write('json', JSON.stringify(source()?.json() ?? null, null, 1), 'utf8')),
    link('HTML', () => write('html', html(), 'utf8')),
    // A page that was opened from disk may have no clipboard.
    'ClipboardItem' in window ? link(strings.copyPicture, copy) : null,
    said,
  );
}

/** Saves through the browser, where there is no host to ask. */
export const download: SaveFile = ({ name, content, encoding }) => {
  const bytes = encoding === 'utf8' ? new TextEncoder().encode(content) : bytesOf(content);
  const url = URL.createObjectURL(new Blob([bytes]));
  h('a', { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
  return Promise.resolve(null);
};

const bytesOf = (base64: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
