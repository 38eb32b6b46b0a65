/** The loss around one model: values, gradients and products there, and how many were asked for. */
import type { HowToEvaluate } from '../protocol/evaluator.ts';
import type { Evaluations } from '../protocol/flatness.ts';
import type { AnalysisContext, Evaluator } from './evaluator.ts';
import { lossAt, notFinite } from './model.ts';
import type { Vectors } from './vectors.ts';

export class Surroundings {
  #losses = 0;
  #gradients = 0;
  #products = 0;

  private constructor(
    readonly evaluator: Evaluator,
    readonly vectors: Vectors,
    /** Named vector of the model's weights and state. */
    readonly at: string,
    readonly how: HowToEvaluate,
    readonly context: AnalysisContext,
    /** At the model itself. */
    readonly loss: number,
    readonly samples: number,
  ) {}

  /**
   * @param id what the result calls the model
   * @throws BasinError `non-finite` where the model's own loss is
   */
  static async of(
    evaluator: Evaluator,
    vectors: Vectors,
    model: { readonly at: string; readonly id: string; readonly how: HowToEvaluate },
    context: AnalysisContext,
  ): Promise<Surroundings> {
    const { at, how, id } = model;
    const { loss, samples } = await lossAt(evaluator, at, how, context.signal);
    if (!Number.isFinite(loss)) throw notFinite(`The loss of model ${id} is NaN or infinite.`);
    return new Surroundings(evaluator, vectors, at, how, context, loss, samples);
  }

  /** What was asked for since the beginning; the model's own loss is not counted. */
  get spent(): Evaluations {
    return { losses: this.#losses, gradients: this.#gradients, products: this.#products };
  }

  /** A fresh name for a vector that lives as long as the analysis, unless it is released. */
  name(label: string): string {
    return this.vectors.name(label);
  }

  /** Loss at θ + Σ coefficient·direction for each row of coefficients; may be NaN or infinite. */
  async losses(
    directions: readonly string[],
    coefficients: readonly (readonly number[])[],
  ): Promise<number[]> {
    const { at: origin, how } = this;
    const request = { origin, directions, coefficients, how };
    const { points } = await this.evaluator.loss(request, this.context.signal);
    this.#losses += coefficients.length;
    return coefficients.map((_, i) => points[i]?.loss ?? NaN);
  }

  /** Loss at θ + δ. */
  async lossBeside(displacement: string): Promise<number> {
    const [loss = NaN] = await this.losses([displacement], [[1]]);
    return loss;
  }

  /** into ← ∇L(θ + δ), at θ itself without δ; the loss there and the gradient's norm. */
  async gradientBeside(
    displacement: string | null,
    into: string,
  ): Promise<{ readonly loss: number; readonly norm: number }> {
    const { evaluator, context, how } = this;
    this.#gradients++;
    if (displacement === null) return evaluator.gradient({ at: this.at, into, how }, context.signal);
    const point = this.name('point');
    const terms = [this.at, displacement].map((vector) => ({ coefficient: 1, vector }));
    await evaluator.combine({ into: point, terms, state: this.at }, context.signal);
    const answer = await evaluator.gradient({ at: point, into, how }, context.signal);
    await this.vectors.release([point]);
    return answer;
  }

  /** vᵀ·G·v with the Gauss–Newton matrix at the model. @throws BasinError `unsupported` where there is none */
  async gaussNewtonForm(vector: string): Promise<number> {
    const { evaluator, at, how, context } = this;
    const into = this.name('product');
    const request = { at, vector, into, how, method: 'auto', matrix: 'gauss-newton' } as const;
    await evaluator.hvp(request, context.signal);
    this.#products++;
    const { values } = await evaluator.dots({ pairs: [[vector, into]] }, context.signal);
    await this.vectors.release([into]);
    return values[0] ?? NaN;
  }

  /** into ← Σ coefficient·vector; its norm. */
  async sum(into: string, ...terms: readonly (readonly [number, string])[]): Promise<number> {
    const { norm } = await this.evaluator.combine(
      { into, terms: terms.map(([coefficient, vector]) => ({ coefficient, vector })), state: null },
      this.context.signal,
    );
    return norm;
  }

  /** into ← a·b, element by element; its norm. */
  async product(into: string, a: string, b: string): Promise<number> {
    const request = { into, function: 'product', of: [a, b] } as const;
    return (await this.evaluator.elementwise(request, this.context.signal)).norm;
  }

  /** into ← |θ| + constant. */
  async magnitudes(into: string, constant: number): Promise<void> {
    const { evaluator, at, context } = this;
    await evaluator.elementwise({ into, function: 'absolute', of: [at] }, context.signal);
    await evaluator.elementwise({ into, function: 'add', of: [into], constant }, context.signal);
  }
}

/** What a measure of flatness comes to at one model. */
export interface Measured {
  /** null where it cannot be had. */
  readonly value: number | null;
  readonly reason: string | null;
  readonly standardError?: number;
  readonly interval?: readonly [number, number];
}

/** A measure that has no value, and why. */
export function without(reason: string): Measured {
  return { value: null, reason };
}
