/** λ₁ at a snapshot against the optimizer's stability bound, and over the run. */
import type { AnalysisResult } from '../src/protocol/analyses.ts';
import { button, dropdown, numberField } from './controls.ts';
import { fill, h } from './dom.ts';
import { emptyElement, JobStatus, modelChoices, reference } from './lens.ts';
import type { Lens, PanelActions } from './lens.ts';
import { resultsOf, runningOf } from './panelState.ts';
import type { PanelState } from './panelState.ts';
import { sharpnessElements } from './sharpnessFigure.ts';
import { strings } from './strings.ts';

export class SharpnessLens implements Lens {
  readonly element: HTMLElement;
  readonly kind = 'sharpness';
  private readonly status: JobStatus;
  private readonly at;
  private readonly top = numberField(strings.topLabel, 1, 1, 20);
  private readonly measure;
  private readonly body = h('div', { class: 'stage' });
  private state: PanelState | null = null;
  private described: string | null = null;
  private chosen = false;

  constructor(private readonly actions: PanelActions) {
    this.at = dropdown(strings.atLabel, [], '', () => {
      this.chosen = true;
      this.redraw();
    });
    this.measure = button(strings.measure, () => this.start(), 'primary');
    this.status = new JobStatus(['sharpness'], actions);
    this.element = h(
      'section',
      { class: 'lens' },
      h('div', { class: 'toolbar' }, this.at.element, this.top.element, this.measure),
      this.status.element,
      this.body,
    );
  }

  update(state: PanelState): void {
    this.state = state;
    this.status.update(state);
    const { view } = state;
    if (view === null) return;
    this.at.setChoices(modelChoices(view.snapshots, view.models));
    if (!this.chosen)
      this.at.value = resultsOf(view, 'sharpness')[0]?.at ?? String(view.snapshots.at(-1) ?? '');
    this.measure.disabled = runningOf(state, ['sharpness']) !== null || view.snapshots.length === 0;
    this.redraw();
  }

  show(result: AnalysisResult): void {
    if (result.kind !== this.kind) return;
    this.chosen = true;
    this.at.value = result.at;
    this.redraw();
  }

  private start(): void {
    const run = this.state?.view?.run.id;
    if (run === undefined) return;
    this.chosen = true;
    this.actions.start({ kind: 'sharpness', run, at: reference(this.at.value), top: this.top.number });
  }

  private redraw(): void {
    if (!this.state?.view) return;
    const { view } = this.state;
    const result = resultsOf(view, 'sharpness').find(({ at }) => at === this.at.value) ?? null;
    const running = runningOf(this.state, ['sharpness']) !== null;
    const key = result?.id ?? `none-${running}-${view.snapshots.length > 0}`;
    if (key === this.described) return;
    this.described = key;
    if (result !== null) {
      fill(this.body, ...sharpnessElements(result));
    } else if (running) {
      fill(this.body);
    } else if (view.snapshots.length === 0) {
      fill(this.body, emptyElement(strings.empty.snapshots.title, strings.empty.snapshots.text, null));
    } else {
      const words = strings.empty.sharpness;
      fill(
        this.body,
        emptyElement(
          words.title,
          words.text,
          button(strings.measure, () => this.start(), 'primary'),
        ),
      );
    }
  }
}
