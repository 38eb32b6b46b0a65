/** The options of a question: fields whose changes can be undone one by one, or all at once. */
import { checkbox, dropdown, numberField } from './controls.ts';
import type { Choice, DropdownField, Field } from './controls.ts';
import { h } from './dom.ts';
import { strings } from './strings.ts';

export type OptionSpec =
  | {
      readonly type: 'choice';
      readonly label: string;
      readonly value: string;
      readonly choices: readonly Choice[];
    }
  /** A snapshot or a built model; its choices come with the run, and its default is the last snapshot. */
  | { readonly type: 'model'; readonly label: string }
  | {
      readonly type: 'number';
      readonly label: string;
      readonly value: number;
      readonly min: number;
      readonly max: number;
      /** Whole unless false. */
      readonly whole?: boolean;
    }
  | { readonly type: 'switch'; readonly label: string; readonly value: boolean };

export type OptionSpecs = Readonly<Record<string, OptionSpec>>;
export type Values = Readonly<Record<string, string>>;

/** What a model option has until another is chosen: the last snapshot, whichever it is by then. */
const LAST = 'last';

export class Options {
  readonly element: HTMLElement;
  private readonly fields = new Map</* option */ string, Field>();
  private readonly undo: HTMLButtonElement;
  private readonly reset: HTMLButtonElement;
  private readonly before: Values[] = [];
  private shown: Values;
  private readonly defaults: Values;
  /** The last snapshot as a choice's value. */
  private last = LAST;

  /** @param kept values of an earlier time; what is no option any more is left out */
  constructor(
    private readonly specs: OptionSpecs,
    kept: Values,
    private readonly changed: (values: Values) => void,
  ) {
    this.defaults = Object.fromEntries(Object.entries(specs).map(([name, spec]) => [name, defaultOf(spec)]));
    const known = Object.entries(kept).filter(([name]) => name in specs);
    this.shown = { ...this.defaults, ...Object.fromEntries(known) };
    for (const [name, spec] of Object.entries(specs)) this.fields.set(name, this.field(name, spec));
    this.undo = link(strings.undo, () => {
      const previous = this.before.pop();
      if (previous !== undefined) this.show(previous);
    });
    this.reset = link(strings.reset, () => {
      this.before.push(this.shown);
      this.show(this.defaults);
    });
    this.element = h(
      'div',
      // Nothing that takes up room where there is nothing to choose.
      { class: 'group', hidden: this.fields.size === 0 },
      ...[...this.fields.values()].map(({ element }) => element),
      this.undo,
      this.reset,
    );
    this.offer();
  }

  get values(): Values {
    return this.shown;
  }

  /** Fills the options that name a model. */
  setModels(choices: readonly Choice[], last: string): void {
    this.last = last;
    for (const [name, spec] of Object.entries(this.specs)) {
      if (spec.type !== 'model') continue;
      (this.fields.get(name) as DropdownField | undefined)?.setChoices(choices);
    }
    this.write(this.shown);
  }

  private field(name: string, spec: OptionSpec): Field {
    const value = this.shown[name] ?? '';
    const onChange = (): void => this.take(name);
    switch (spec.type) {
      case 'choice':
        return dropdown(spec.label, spec.choices, value, onChange);
      case 'model':
        return dropdown(spec.label, [], value, onChange);
      case 'number':
        return numberField(spec.label, Number(value), spec.min, spec.max, {
          onChange,
          whole: spec.whole ?? true,
        });
      case 'switch':
        return checkbox(spec.label, value === 'true', onChange);
    }
  }

  /** The user has changed one. */
  private take(name: string): void {
    const text = this.fields.get(name)?.value ?? '';
    const value = this.specs[name]?.type === 'model' && text === this.last ? LAST : text;
    if (value === this.shown[name]) return;
    this.before.push(this.shown);
    this.shown = { ...this.shown, [name]: value };
    this.offer();
    this.changed(this.shown);
  }

  private show(values: Values): void {
    this.shown = values;
    this.write(values);
    this.offer();
    this.changed(values);
  }

  private write(values: Values): void {
    for (const [name, field] of this.fields) {
      const value = values[name] ?? '';
      const text = this.specs[name]?.type === 'model' && value === LAST ? this.last : value;
      if (field.value !== text) field.value = text;
    }
  }

  private offer(): void {
    this.undo.hidden = this.before.length === 0;
    this.reset.hidden = Object.entries(this.defaults).every(([name, value]) => this.shown[name] === value);
  }
}

function defaultOf(spec: OptionSpec): string {
  return spec.type === 'model' ? LAST : String(spec.value);
}

function link(label: string, onClick: () => void): HTMLButtonElement {
  return h('button', { type: 'button', class: 'link', on: { click: onClick } }, label);
}
