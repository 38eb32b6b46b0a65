/** The numbers behind a chart as a table that keyboard and screen reader reach; built when it is opened. */
import { fill, h } from './dom.ts';
import { strings } from './strings.ts';

export interface TableData {
  readonly caption: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** In a cell that holds a number; a column with more has words, which may take several lines. */
const MOST_LETTERS = 28;

export class DataTable {
  readonly element: HTMLDetailsElement;
  private readonly body = h('div', { class: 'table-body' });
  private source: () => readonly TableData[] = () => [];

  constructor() {
    this.element = h(
      'details',
      { class: 'fold', on: { toggle: () => this.build() } },
      h('summary', {}, strings.asTable),
      this.body,
    );
  }

  /** The source is only asked while the table is open. */
  show(source: () => readonly TableData[]): void {
    this.source = source;
    if (this.element.open) this.build();
  }

  private build(): void {
    if (!this.element.open) return;
    const scrolled = [...this.body.children].map((child) => child.scrollTop);
    fill(this.body, ...this.source().map(table));
    [...this.body.children].forEach((child, k) => (child.scrollTop = scrolled[k] ?? 0));
  }
}

/** A table with row headers in its first column, in a region of its own that scrolls. */
export function table({ caption, columns, rows }: TableData): HTMLElement {
  const wordy = columns.map((_, k) => rows.some((row) => (row[k]?.length ?? 0) > MOST_LETTERS));
  return h(
    'div',
    { class: 'table-scroll', role: 'region', 'aria-label': caption, tabindex: 0 },
    h(
      'table',
      { class: 'data' },
      h('caption', {}, caption),
      h(
        'thead',
        {},
        h('tr', {}, ...columns.map((name) => (name === '' ? h('td', {}) : h('th', { scope: 'col' }, name)))),
      ),
      h(
        'tbody',
        {},
        ...rows.map((row) =>
          h(
            'tr',
            {},
            ...row.map((text, k) =>
              k === 0
                ? h('th', { scope: 'row' }, text)
                : h('td', wordy[k] === true ? { class: 'words' } : {}, text),
            ),
          ),
        ),
      ),
    ),
  );
}

/** RFC 4180: fields with commas, quotes or line breaks are quoted. */
export function csv(
  columns: readonly string[],
  rows: readonly (readonly (string | number | null)[])[],
): string {
  const field = (value: string | number | null): string => {
    const text = value === null ? '' : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return [columns, ...rows].map((row) => row.map(field).join(',')).join('\r\n') + '\r\n';
}
