/** A list of tabs after the ARIA pattern: one tab stop, arrows, Home and End move and select. */
import { h } from './dom.ts';

export interface Tab {
  readonly id: string;
  readonly label: string;
  readonly panel: HTMLElement;
}

export class Tabs {
  readonly element: HTMLElement;
  private readonly buttons: HTMLButtonElement[];

  constructor(
    label: string,
    private readonly tabs: readonly Tab[],
    private readonly onSelect: (id: string) => void,
  ) {
    this.buttons = tabs.map(({ id, label: name, panel }) => {
      panel.id = `lens-${id}`;
      panel.setAttribute('role', 'tabpanel');
      panel.setAttribute('aria-labelledby', `tab-${id}`);
      return h(
        'button',
        {
          type: 'button',
          role: 'tab',
          id: `tab-${id}`,
          'aria-controls': panel.id,
          on: { click: () => this.choose(id, false) },
        },
        name,
      );
    });
    this.element = h(
      'div',
      { class: 'tabs', role: 'tablist', 'aria-label': label, on: { keydown: (event) => this.key(event) } },
      ...this.buttons,
    );
  }

  /** Shows a tab without telling anyone. */
  select(id: string): void {
    this.tabs.forEach((tab, k) => {
      const selected = tab.id === id;
      this.buttons[k]?.setAttribute('aria-selected', String(selected));
      this.buttons[k]?.setAttribute('tabindex', selected ? '0' : '-1');
      tab.panel.hidden = !selected;
    });
  }

  private choose(id: string, focus: boolean): void {
    this.select(id);
    if (focus) this.buttons[this.tabs.findIndex((tab) => tab.id === id)]?.focus();
    this.onSelect(id);
  }

  private key(event: KeyboardEvent): void {
    const at = this.buttons.findIndex((button) => button === document.activeElement);
    const count = this.buttons.length;
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1 + count, Home: 0, End: count - 1 }[event.key];
    const tab = to === undefined || at < 0 ? undefined : this.tabs[to % count];
    if (!tab) return;
    event.preventDefault();
    this.choose(tab.id, true);
  }
}
