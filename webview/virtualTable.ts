/**
 * A table of any length: only the rows in sight are in the page. One row is the current one, which the keys move; a
 * screen reader is told its number and the number of all.
 */
import { fill, h, setText } from './dom.ts';

export interface VirtualRows {
  readonly count: number;
  /** The cells of a row, asked for when it comes into sight. */
  readonly cells: (row: number) => readonly string[];
  /** Class of a row that is marked. */
  readonly mark: (row: number) => string | null;
}

/** Pixels; the style sheet gives rows this height. */
const ROW = 24;
/** Rows beyond the edges that are there already when they come into sight. */
const BEYOND = 8;
let tables = 0;

export class VirtualTable {
  readonly element: HTMLElement;
  private readonly above = h('div', {});
  private readonly below = h('div', {});
  private readonly body = h('tbody', {});
  private readonly grid: HTMLTableElement;
  private readonly id = `rows-${++tables}`;
  private rows: VirtualRows = { count: 0, cells: () => [], mark: () => null };
  private current = 0;
  private frame = 0;
  private drawn = '';

  /** @param label for a screen reader */
  constructor(label: string, columns: readonly string[]) {
    this.grid = h(
      'table',
      { class: 'data rows', role: 'grid', 'aria-label': label, 'aria-readonly': 'true' },
      h(
        'thead',
        {},
        h('tr', { 'aria-rowindex': 1 }, ...columns.map((name) => h('th', { scope: 'col' }, name))),
      ),
      this.body,
    );
    this.element = h(
      'div',
      { class: 'virtual-scroll', on: { scroll: () => this.later(), keydown: (event) => this.key(event) } },
      this.above,
      this.grid,
      this.below,
    );
    this.grid.tabIndex = 0;
    this.body.addEventListener('click', (event) => {
      const row = (event.target as HTMLElement).closest('tr')?.getAttribute('aria-rowindex');
      if (row !== null && row !== undefined) this.go(Number(row) - 2);
    });
    new ResizeObserver(() => this.later()).observe(this.element);
  }

  /** Takes other rows. The current one stays where it is, as long as there are so many. */
  show(rows: VirtualRows): void {
    this.rows = rows;
    this.drawn = '';
    this.current = Math.min(this.current, Math.max(0, rows.count - 1));
    this.later();
  }

  get place(): number {
    return this.current;
  }

  /** Makes a row the current one and brings it into sight. */
  go(row: number): void {
    this.current = Math.min(Math.max(0, row), Math.max(0, this.rows.count - 1));
    const { element } = this;
    const head = this.grid.tHead?.offsetHeight ?? 0;
    const top = this.current * ROW;
    if (top < element.scrollTop) element.scrollTop = top;
    const bottom = top + ROW + head - element.clientHeight;
    if (bottom > element.scrollTop) element.scrollTop = bottom;
    this.drawn = '';
    this.draw();
  }

  private key(event: KeyboardEvent): void {
    const page = Math.max(1, Math.floor(this.element.clientHeight / ROW) - 2);
    const moves: Readonly<Record<string, number>> = {
      ArrowDown: this.current + 1,
      ArrowUp: this.current - 1,
      PageDown: this.current + page,
      PageUp: this.current - page,
      Home: 0,
      End: this.rows.count - 1,
    };
    const to = moves[event.key];
    if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.go(to);
  }

  private later(): void {
    if (this.frame !== 0) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.draw();
    });
  }

  private draw(): void {
    const { element, rows } = this;
    if (element.clientHeight === 0) return;
    const from = Math.max(0, Math.floor(element.scrollTop / ROW) - BEYOND);
    const to = Math.min(rows.count, Math.ceil((element.scrollTop + element.clientHeight) / ROW) + BEYOND);
    const key = `${from} ${to}`;
    if (key === this.drawn) return;
    this.drawn = key;
    this.above.style.height = `${from * ROW}px`;
    this.below.style.height = `${(rows.count - to) * ROW}px`;
    this.grid.setAttribute('aria-rowcount', String(rows.count + 1));
    fill(this.body, ...Array.from({ length: Math.max(0, to - from) }, (_, k) => this.row(from + k)));
    const active = this.current >= from && this.current < to;
    if (active) this.grid.setAttribute('aria-activedescendant', `${this.id}-${this.current}`);
    else this.grid.removeAttribute('aria-activedescendant');
  }

  private row(place: number): HTMLElement {
    const mark = this.rows.mark(place);
    const current = place === this.current;
    const element = h('tr', {
      id: `${this.id}-${place}`,
      'aria-rowindex': place + 2,
      'aria-selected': String(current),
      class: [mark, current ? 'current' : null].filter(Boolean).join(' '),
    });
    for (const text of this.rows.cells(place)) {
      const cell = h('td', { role: 'gridcell' });
      setText(cell, text);
      element.append(cell);
    }
    return element;
  }
}
