/** Builds elements; text only ever enters as text nodes, so data cannot become markup. */

export type Child = Node | string | null | undefined | false;

export interface Attributes {
  readonly class?: string;
  readonly on?: { readonly [E in keyof HTMLElementEventMap]?: (event: HTMLElementEventMap[E]) => void };
  readonly [name: string]: unknown;
}

/** `h('p', { class: 'note' }, 'text')`: attributes that are undefined, null or false are left out, true is empty. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  setAttributes(element, attributes);
  for (const [type, listener] of Object.entries(attributes.on ?? {})) {
    element.addEventListener(type, listener as EventListener);
  }
  fill(element, ...children);
  return element;
}

const SVG = 'http://www.w3.org/2000/svg';

export function svg<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, unknown>> = {},
  ...children: readonly Child[]
): SVGElementTagNameMap[K] {
  const element = document.createElementNS(SVG, tag);
  setAttributes(element, attributes);
  fill(element, ...children);
  return element;
}

/** Names with their values, as the children of a `dl`. */
export function definitions(rows: readonly (readonly [name: string, value: string])[]): HTMLElement[] {
  return rows.flatMap(([name, value]) => [h('dt', {}, name), h('dd', {}, value)]);
}

/** Replaces an element's children. */
export function fill(element: Element, ...children: readonly Child[]): void {
  element.replaceChildren(...children.filter((child): child is Node | string => Boolean(child)));
}

/** Sets text only when it differs, so that assistive technology is not told the same thing again. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

function setAttributes(element: Element, attributes: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (name === 'on' || value === undefined || value === null || value === false) continue;
    element.setAttribute(name, value === true ? '' : `${value as string | number}`);
  }
}
