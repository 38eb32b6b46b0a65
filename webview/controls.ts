/** The page's form controls. The only module that knows the toolkit they come from. */
import {
  provideVSCodeDesignSystem,
  vsCodeButton,
  vsCodeCheckbox,
  vsCodeDropdown,
  vsCodeOption,
  vsCodeProgressRing,
  vsCodeTextField,
} from '@vscode/webview-ui-toolkit';
import { fill, h } from './dom.ts';
import { language } from './language.ts';
import { numerals } from './numerals.ts';

const { decimal, parse } = numerals(language);

provideVSCodeDesignSystem().register(
  vsCodeButton(),
  vsCodeCheckbox(),
  vsCodeDropdown(),
  vsCodeOption(),
  vsCodeProgressRing(),
  vsCodeTextField(),
);

export interface Choice {
  readonly value: string;
  readonly label: string;
}

/** A control with what can be asked of it and told to it. */
export interface Field {
  readonly element: HTMLElement;
  value: string;
}

export interface DropdownField extends Field {
  /** Replaces the choices; the chosen value stays chosen where it is still among them. */
  setChoices(choices: readonly Choice[]): void;
}

export function button(
  label: string,
  onClick: () => void,
  appearance: 'primary' | 'secondary' = 'secondary',
): HTMLElement & { disabled: boolean } {
  const element = custom('vscode-button', { appearance }) as HTMLElement & { disabled: boolean };
  element.textContent = label;
  element.addEventListener('click', () => {
    if (!element.disabled) onClick();
  });
  return element;
}

export function dropdown(
  label: string,
  choices: readonly Choice[],
  value: string,
  onChange: (value: string) => void = () => undefined,
): DropdownField {
  const select = custom('vscode-dropdown', { 'aria-label': label }) as HTMLElement & { value: string };
  let offered = '';
  let chosen = value;
  const setChoices = (next: readonly Choice[]): void => {
    const key = JSON.stringify(next);
    if (key !== offered) {
      offered = key;
      fill(
        select,
        ...next.map((choice) => {
          const option = custom('vscode-option', { value: choice.value, selected: choice.value === chosen });
          option.textContent = choice.label;
          return option;
        }),
      );
    }
    if (!next.some((choice) => choice.value === chosen)) chosen = next[0]?.value ?? '';
    select.value = chosen;
  };
  setChoices(choices);
  select.addEventListener('change', () => {
    if (select.value === chosen) return;
    chosen = select.value;
    onChange(chosen);
  });
  return {
    element: labelled(label, select),
    setChoices,
    get value() {
      return chosen;
    },
    set value(next) {
      chosen = next;
      if (select.value !== next) select.value = next;
    },
  };
}

/** A number, written as the page's language does, whole unless said otherwise; anything else counts as the smallest one. Its value is as code writes it. */
export function numberField(
  label: string,
  value: number,
  min: number,
  max: number,
  { onChange = () => undefined, whole = true }: { onChange?: () => void; whole?: boolean } = {},
): Field & { readonly number: number } {
  const input = custom('vscode-text-field', {
    value: decimal(String(value)),
    size: 5,
    inputmode: whole ? 'numeric' : 'decimal',
    'aria-label': label,
  }) as HTMLElement & { value: string };
  const read = (): number => {
    const typed = parse(input.value);
    const number = whole ? Math.round(typed) : typed;
    return Number.isFinite(number) ? Math.min(max, Math.max(min, number)) : min;
  };
  input.addEventListener('change', () => {
    input.value = decimal(String(read()));
    onChange();
  });
  return {
    element: labelled(label, input),
    get value() {
      return String(read());
    },
    set value(next) {
      input.value = decimal(next);
    },
    get number() {
      return read();
    },
  };
}

/** On or off: its value is 'true' or 'false'. */
export function checkbox(label: string, value: boolean, onChange: () => void = () => undefined): Field {
  const box = custom('vscode-checkbox', {}) as HTMLElement & { checked: boolean };
  box.textContent = label;
  box.checked = value;
  // Also fired when code sets it: only what differs from what is known is the user's doing.
  let known = value;
  box.addEventListener('change', () => {
    if (box.checked === known) return;
    known = box.checked;
    onChange();
  });
  return {
    element: box,
    get value() {
      return String(known);
    },
    set value(next) {
      known = next === 'true';
      box.checked = known;
    },
  };
}

/** Turns while something of unknown length is going on. */
export function progressRing(): HTMLElement {
  return custom('vscode-progress-ring', { 'aria-hidden': true });
}

/** The name stands beside the control for the eye; the control carries it itself for everything else. */
function labelled(label: string, control: HTMLElement): HTMLElement {
  return h(
    'span',
    { class: 'field' },
    h('span', { class: 'field-label', 'aria-hidden': 'true' }, label),
    control,
  );
}

function custom(tag: string, attributes: Readonly<Record<string, unknown>>): HTMLElement {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false) element.setAttribute(name, value === true ? 'true' : String(value));
  }
  return element;
}
