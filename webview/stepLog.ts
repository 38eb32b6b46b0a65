/** Every step as a row, events marked; the rows can be narrowed to steps at which something happened. */
import { NOT_KNOWN, type RunView, type StepColumns } from '../src/protocol/page.ts';
import type { TrainingEvent } from '../src/protocol/trainingEvents.ts';
import { dropdown } from './controls.ts';
import { h, setText } from './dom.ts';
import { formatCount, formatNumber } from './format.ts';
import { strings } from './strings.ts';
import { VirtualTable } from './virtualTable.ts';

const words = strings.log;

/** Columns that grow while the run trains: doubled when they are full. */
class Columns {
  private data: Record<keyof StepColumns, Float64Array>;
  count: number;

  constructor(columns: StepColumns) {
    this.data = { ...columns };
    this.count = columns.step.length;
  }

  get(name: keyof StepColumns, row: number): number {
    return this.data[name][row] ?? NaN;
  }

  get lastStep(): number {
    return this.count === 0 ? -1 : this.get('step', this.count - 1);
  }

  /** The row of a step, or of the first after it. */
  rowOf(step: number): number {
    let [low, high] = [0, this.count];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.get('step', middle) < step) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  append(steps: RunView['steps']): void {
    for (const step of steps) {
      if (step.step < this.lastStep || (step.step === this.lastStep && this.count > 0)) continue;
      if (this.count === this.data.step.length) this.grow();
      for (const name of Object.keys(this.data) as (keyof StepColumns)[]) {
        const value = step[name];
        this.data[name][this.count] = value === null ? NOT_KNOWN : Number(value);
      }
      this.count++;
    }
  }

  private grow(): void {
    for (const name of Object.keys(this.data) as (keyof StepColumns)[]) {
      const larger = new Float64Array(Math.max(256, 2 * this.data[name].length));
      larger.set(this.data[name]);
      this.data[name] = larger;
    }
  }
}

export class StepLog {
  readonly element: HTMLElement;
  private readonly table = new VirtualTable(words.table, words.columns);
  private readonly filter;
  private readonly status = h('span', { class: 'note', role: 'status' });
  private columns: Columns | null = null;
  private run = '';
  private asking = false;
  private events: readonly TrainingEvent[] = [];
  private byStep = new Map</* step */ number, readonly TrainingEvent[]>();
  private view: RunView | null = null;

  constructor(private readonly ask: () => Promise<StepColumns>) {
    this.filter = dropdown(
      words.show,
      Object.entries(words.filters).map(([value, label]) => ({ value, label })),
      'all',
      () => this.fill(),
    );
    const jump = (direction: 1 | -1, label: string): HTMLElement =>
      h('button', { type: 'button', class: 'link', on: { click: () => this.jump(direction) } }, label);
    this.element = h(
      'details',
      { class: 'fold step-log', on: { toggle: () => void this.load() } },
      h('summary', {}, words.title),
      h(
        'div',
        { class: 'toolbar' },
        this.filter.element,
        jump(-1, words.previous),
        jump(1, words.next),
        this.status,
      ),
      this.table.element,
    );
  }

  update(view: RunView): void {
    this.view = view;
    if (view.run.id !== this.run) {
      this.run = view.run.id;
      this.columns = null;
    }
    const events = view.events ?? [];
    if (events !== this.events) {
      this.events = events;
      const byStep = new Map</* step */ number, TrainingEvent[]>();
      for (const event of events) byStep.set(event.step, [...(byStep.get(event.step) ?? []), event]);
      this.byStep = byStep;
    }
    if (!(this.element as HTMLDetailsElement).open) return;
    if (this.columns === null) void this.load();
    else {
      this.columns.append(view.steps);
      this.fill();
    }
  }

  private async load(): Promise<void> {
    if (!(this.element as HTMLDetailsElement).open || this.asking) return;
    if (this.columns === null) {
      this.asking = true;
      setText(this.status, words.loading);
      const run = this.run;
      try {
        const columns = await this.ask();
        if (run === this.run) this.columns = new Columns(columns);
      } catch (error) {
        setText(this.status, (error as Error).message);
        return;
      } finally {
        this.asking = false;
      }
    }
    if (this.view !== null) this.columns?.append(this.view.steps);
    this.fill();
  }

  private fill(): void {
    const { columns } = this;
    if (columns === null) return;
    const chosen = this.filter.value;
    const rows =
      chosen === 'all'
        ? null
        : [
            ...new Set(
              this.events
                .filter(({ kind }) => chosen === 'events' || kind === chosen)
                .map(({ step }) => columns.rowOf(step))
                .filter((row) => row < columns.count),
            ),
          ].sort((a, b) => a - b);
    const at = (place: number): number => rows?.[place] ?? place;
    const told = (row: number): readonly TrainingEvent[] => this.byStep.get(columns.get('step', row)) ?? [];
    const count = rows?.length ?? columns.count;
    setText(this.status, words.count(formatCount(count), formatCount(this.events.length)));
    this.table.show({
      count,
      mark: (place) => (told(at(place)).length > 0 ? 'event' : null),
      cells: (place) => {
        const row = at(place);
        const number = (name: keyof StepColumns): string => {
          const value = columns.get(name, row);
          return value === NOT_KNOWN ? '–' : formatNumber(value);
        };
        return [
          formatCount(columns.get('step', row)),
          number('epoch'),
          number('loss'),
          number('learningRate'),
          number('gradientNorm'),
          number('updateNorm'),
          number('distance'),
          told(row).map(words.event).join(' '),
        ];
      },
    });
    this.places = rows;
  }
  /** Rows of the columns that are shown; null for all. */
  private places: readonly number[] | null = null;

  /** To the next row at which something happened, round the end. */
  private jump(direction: 1 | -1): void {
    const { columns } = this;
    if (columns === null || this.events.length === 0) return;
    const rows = [...new Set(this.events.map(({ step }) => columns.rowOf(step)))].sort((a, b) => a - b);
    const places =
      this.places === null
        ? rows
        : rows.map((row) => this.places?.indexOf(row) ?? -1).filter((place) => place >= 0);
    const here = this.table.place;
    const ahead =
      direction === 1 ? places.find((place) => place > here) : places.filter((place) => place < here).at(-1);
    const to = ahead ?? (direction === 1 ? places[0] : places.at(-1));
    if (to !== undefined) this.table.go(to);
  }
}
