/** A choice among places in a row, by pointer or keyboard. */
import { h, setText } from './dom.ts';

/** A slider over places, with a text for each. */
export function slider(label: string, onInput: (place: number) => void) {
  const input = h('input', {
    type: 'range',
    min: 0,
    max: 1,
    step: 1,
    'aria-label': label,
    on: { input: () => onInput(Number(input.value)) },
  });
  const text = h('output', {});
  return {
    element: h('label', { class: 'slider' }, h('span', { class: 'field-label' }, label), input, text),
    limit(most: number, least = 0): void {
      input.min = String(least);
      input.max = String(most);
    },
    set(place: number, shown: string, spoken = shown): void {
      input.value = String(place);
      input.setAttribute('aria-valuetext', spoken);
      setText(text, shown);
    },
  };
}
