/**
 * Stochastic gradient descent over an evaluator's own training batches: Basin trains a copy of the weights, the script's
 * model and its optimizer stay as they are. The update is that of torch.optim.SGD without dampening, which is also
 * TensorFlow.js's momentum optimizer where there is no weight decay.
 */
import { BasinError } from '../protocol/errors.ts';
import type { TrainingSource } from '../protocol/evaluator.ts';
import type { Evaluator } from './evaluator.ts';
import type { Vectors } from './vectors.ts';

export interface SgdSettings {
  /** β in v ← β·v + g; 0 for plain gradient descent. */
  readonly momentum: number;
  /** Steps along g + β·v in place of v. */
  readonly nesterov: boolean;
  /** λ in g ← ∇L + λ·θ, for parameters of every kind, as in torch. */
  readonly weightDecay: number;
  /** Largest norm of ∇L: a longer one is shortened to it (clip_grad_norm_ of torch); null for none. */
  readonly clip: number | null;
}

/** Batches that one request draws ahead. */
const DRAWN_AT_ONCE = 16;
/** torch's clip_grad_norm_ divides by the norm plus this. */
const CLIP_EPSILON = 1e-6;

/** @throws BasinError `bad-input` */
export function requireSettings({ momentum, nesterov, weightDecay, clip }: SgdSettings): void {
  const wrong = !(momentum >= 0 && momentum < 1)
    ? `a momentum of ${momentum}: it has to be at least 0 and below 1`
    : nesterov && momentum === 0
      ? 'Nesterov steps without a momentum'
      : !(weightDecay >= 0 && Number.isFinite(weightDecay))
        ? `a weight decay of ${weightDecay}: it has to be at least 0`
        : clip !== null && !(clip > 0)
          ? `gradients clipped to a norm of ${clip}: it has to be above 0`
          : null;
  if (wrong !== null) throw new BasinError('bad-input', `There is no training with ${wrong}.`);
}

/** Where training batches come from. @param into a name for no batches at all */
export async function trainingSource(
  evaluator: Evaluator,
  into: string,
  seed: number,
  signal: AbortSignal,
): Promise<TrainingSource> {
  return (await evaluator.draw({ into, seed, from: 0, count: 0 }, signal)).source;
}

/** One way of weights through training, step by step. Its vectors live as long as the scope that they are named in. */
export class Sgd {
  /** The present weights with their state, as a named vector. */
  readonly at: string;
  /** Updates done. */
  steps = 0;
  /** Samples read so far, each as often as it was read. */
  samples = 0;
  private readonly gradient: string;
  private velocity: string | null = null;
  private readonly slot: string;
  /** Positions that the slot holds. */
  private drawn = { from: 0, to: 0, samples: 0 };

  /**
   * @param at weights to start from; they are moved
   * @param position of the first batch in the order that the seed decides
   */
  constructor(
    private readonly evaluator: Evaluator,
    private readonly vectors: Vectors,
    at: string,
    private readonly settings: SgdSettings,
    private readonly seed: number,
    private readonly position: number,
  ) {
    this.at = at;
    this.gradient = vectors.name('gradient');
    this.slot = vectors.name('batches');
  }

  /** Position of the next batch. */
  get next(): number {
    return this.position + this.steps;
  }

  /**
   * One update on the next batch, as trained.
   * @param ahead at most this many batches are of use from here on
   * @returns the loss on that batch, at the weights before
   * @throws BasinError `non-finite`, `cancelled`: then the weights are as they were
   */
  async step(rate: number, ahead: number, signal: AbortSignal): Promise<number> {
    const { evaluator, settings, gradient } = this;
    const place = await this.place(ahead, signal);
    const how = {
      data: { split: 'train', drawn: this.slot, batches: [place, place + 1] },
      mode: 'as-trained',
      refresh: false,
    } as const;
    const { loss, norm } = await evaluator.gradient(
      { at: this.at, into: gradient, how, keepState: true },
      signal,
    );
    if (!Number.isFinite(loss) || !Number.isFinite(norm)) {
      throw new BasinError(
        'non-finite',
        `At step ${this.steps + 1} the ${Number.isFinite(loss) ? 'gradient' : 'loss'} is NaN or infinite, at a learning rate of ${Number(rate.toPrecision(3))}.`,
        'Train with a smaller --rate, or with --clip.',
      );
    }
    const shortened = settings.clip === null ? 1 : Math.min(1, settings.clip / (norm + CLIP_EPSILON));
    await this.move(rate, shortened);
    this.steps++;
    return loss;
  }

  /** An update is done whole: it is never cut short by a signal. */
  private async move(rate: number, shortened: number): Promise<void> {
    const { evaluator, at, gradient } = this;
    const { momentum, nesterov, weightDecay } = this.settings;
    const slope = [
      { coefficient: shortened, vector: gradient },
      ...(weightDecay === 0 ? [] : [{ coefficient: weightDecay, vector: at }]),
    ];
    if (momentum === 0) {
      await this.go(slope.map(({ coefficient, vector }) => ({ coefficient: -rate * coefficient, vector })));
      return;
    }
    const first = this.velocity === null;
    const velocity = (this.velocity ??= this.vectors.name('velocity'));
    if (nesterov && weightDecay !== 0) {
      // g is needed twice, and the weights in it are about to move.
      await evaluator.combine({ into: gradient, terms: slope, state: null });
      slope.splice(0, slope.length, { coefficient: 1, vector: gradient });
    }
    const terms = [...(first ? [] : [{ coefficient: momentum, vector: velocity }]), ...slope];
    await evaluator.combine({ into: velocity, terms, state: null });
    const along = nesterov
      ? [...slope, { coefficient: momentum, vector: velocity }]
      : [{ coefficient: 1, vector: velocity }];
    await this.go(along.map(({ coefficient, vector }) => ({ coefficient: -rate * coefficient, vector })));
  }

  private async go(along: readonly { coefficient: number; vector: string }[]): Promise<void> {
    const { at } = this;
    await this.evaluator.combine({
      into: at,
      terms: [{ coefficient: 1, vector: at }, ...along],
      state: at,
    });
  }

  /** The place of the next batch among those drawn; draws more when there is none. */
  private async place(ahead: number, signal: AbortSignal): Promise<number> {
    const position = this.next;
    if (position >= this.drawn.to) {
      const count = Math.max(1, Math.min(DRAWN_AT_ONCE, ahead));
      const request = { into: this.slot, seed: this.seed, from: position, count };
      const { samples } = await this.evaluator.draw(request, signal);
      this.drawn = { from: position, to: position + count, samples };
    }
    this.samples += this.drawn.samples / (this.drawn.to - this.drawn.from);
    return position - this.drawn.from;
  }
}
