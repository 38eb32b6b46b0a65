/** The content of a tooltip: a heading and rows of name and value, as elements (never as markup). */
import { h } from './dom.ts';

export type TipRow = readonly [name: string, value: string];

export function tip(heading: string, rows: readonly TipRow[], note?: string): HTMLElement {
  return h(
    'div',
    { class: 'tip' },
    h('strong', {}, heading),
    h('table', {}, ...rows.map(([name, value]) => h('tr', {}, h('td', {}, name), h('td', {}, value)))),
    note === undefined ? null : h('span', {}, note),
  );
}
