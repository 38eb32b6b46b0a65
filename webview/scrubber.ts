/** A slider along a path with a button that plays it. */
import { button } from './controls.ts';
import { h, setText } from './dom.ts';
import { strings } from './strings.ts';
import { readTheme } from './theme.ts';

/** Time that a path takes from its start to its end, in ms. */
const WHOLE_PATH = 8000;
/** With reduced motion the path is shown in so many jumps. */
const JUMPS = 12;

export class Scrubber {
  readonly element: HTMLElement;
  private readonly slider: HTMLInputElement;
  private readonly text = h('output', {});
  private readonly play;
  private names: readonly string[] = [];
  private at = 0;
  private timer = 0;

  /** @param onMove is told the place on the path, 0 to the number of places less one */
  constructor(
    label: string,
    private readonly onMove: (place: number) => void,
  ) {
    this.slider = h('input', {
      type: 'range',
      min: 0,
      max: 0,
      step: 1,
      'aria-label': label,
      on: {
        input: () => {
          this.stop();
          this.move(Number(this.slider.value));
        },
      },
    });
    this.play = button(strings.play, () => (this.timer === 0 ? this.start() : this.stop()));
    this.element = h('div', { class: 'scrubber' }, this.play, this.slider, this.text);
  }

  get place(): number {
    return this.at;
  }

  /**
   * A path of places with names; it begins at its end, where the whole of it can be seen. The same path again leaves
   * the place alone: a picture that is drawn anew must not move under people's hands.
   */
  show(names: readonly string[]): void {
    if (names.length === this.names.length && names.every((name, i) => name === this.names[i])) return;
    this.stop();
    this.names = names;
    this.slider.max = String(Math.max(0, names.length - 1));
    this.element.hidden = names.length < 2;
    this.set(names.length - 1);
  }

  /** To a place, without telling. */
  to(place: number): void {
    this.set(Math.min(this.names.length - 1, Math.max(0, place)));
  }

  /** To the end of the path, where the whole of it can be seen. */
  toEnd(): void {
    this.stop();
    this.set(this.names.length - 1);
  }

  stop(): void {
    if (this.timer !== 0) window.clearInterval(this.timer);
    this.timer = 0;
    this.play.textContent = strings.play;
  }

  private start(): void {
    const last = this.names.length - 1;
    if (last < 1) return;
    const jumps = readTheme().reducedMotion ? JUMPS : Math.min(last, 240);
    const from = this.at >= last ? 0 : this.at;
    this.move(from);
    this.play.textContent = strings.pause;
    let jump = Math.round((from / last) * jumps);
    this.timer = window.setInterval(() => {
      jump++;
      this.move(Math.round((jump / jumps) * last));
      if (jump >= jumps) this.stop();
    }, WHOLE_PATH / jumps);
  }

  private move(place: number): void {
    this.set(Math.min(this.names.length - 1, Math.max(0, place)));
    this.onMove(this.at);
  }

  private set(place: number): void {
    this.at = Math.max(0, place);
    this.slider.value = String(this.at);
    const name = this.names[this.at] ?? '';
    this.slider.setAttribute('aria-valuetext', name);
    setText(this.text, name);
  }
}
