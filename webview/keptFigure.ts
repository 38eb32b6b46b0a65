/** The newest result of a kind that another lens or a command asks for, drawn in place; out of sight while there is none. */
import type { AnalysisKind, AnalysisResult } from '../src/protocol/analyses.ts';
import { dropdown } from './controls.ts';
import { h } from './dom.ts';
import { Figure } from './figure.ts';
import type { FigureSpec } from './figure.ts';
import { formatTime } from './format.ts';
import type { Lens, PanelActions } from './lens.ts';
import { resultsOf } from './panelState.ts';
import type { PanelState } from './panelState.ts';
import type { ResultOf } from './question.ts';
import { strings } from './strings.ts';

export class KeptFigure<K extends AnalysisKind> implements Lens {
  readonly element: HTMLElement;
  private readonly figure: Figure<ResultOf<K>>;
  private readonly kept;
  private chosen: string | null = null;
  private newest: string | null = null;
  private state: PanelState | null = null;

  constructor(
    readonly kind: K,
    title: string,
    spec: FigureSpec<ResultOf<K>> & { readonly name: (result: ResultOf<K>) => string },
    actions: PanelActions,
  ) {
    this.named = spec.name;
    this.figure = new Figure(spec, actions.save, 'h3');
    this.kept = dropdown(strings.keptLabel, [], '', (id) => {
      this.chosen = id;
      this.redraw();
    });
    this.element = h(
      'section',
      { class: 'lens question', hidden: true, 'aria-labelledby': `kept-${kind}` },
      h('h2', { id: `kept-${kind}` }, title),
      h('div', { class: 'toolbar' }, this.kept.element),
      this.figure.element,
    );
  }
  private readonly named: (result: ResultOf<K>) => string;

  update(state: PanelState): void {
    this.state = state;
    this.redraw();
  }

  show({ id }: AnalysisResult): void {
    this.chosen = id;
    this.redraw();
  }

  private redraw(): void {
    const { view } = this.state ?? {};
    if (!view) return;
    const results = resultsOf(view, this.kind) as ResultOf<K>[];
    const newest = results[0]?.id ?? null;
    // What has just been built comes to the front.
    if (newest !== this.newest && this.newest !== null) this.chosen = newest;
    this.newest = newest;
    const result = results.find(({ id }) => id === this.chosen) ?? results[0] ?? null;
    this.element.hidden = result === null;
    this.kept.element.hidden = results.length < 2;
    this.kept.setChoices(
      results.map((one) => ({
        value: one.id,
        label: `${this.named(one)} · ${formatTime(one.provenance.created)}`,
      })),
    );
    if (result !== null) this.kept.value = result.id;
    this.figure.show(result);
  }
}
