/** The numbers of each parameter at one step, as layers.bin keeps them. */
import { DEAD_AFTER, layerFields } from '../../protocol/layerStatistics.ts';
import type { ParameterInfo } from '../../protocol/run.ts';
import type { Tensor } from './tf.ts';
import type { Held, WeightReader } from './weightReader.ts';

const FIELDS = layerFields.length;

export interface StepReading {
  readonly step: number;
  readonly weights: readonly Tensor[];
  readonly gradients: readonly (Tensor | null | undefined)[];
  /** ‖g‖² of each. */
  readonly squaredGradients: readonly number[];
  /** ‖θ_k − θ_{k−1}‖² of each; null where the weights before were not held. */
  readonly squaredUpdates: readonly number[] | null;
}

export class LayerStatistics {
  private previous: { readonly step: number; readonly held: Held } | null = null;
  /** For each kernel, how many records long each of its units has been without a gradient. */
  private readonly without: readonly (Uint16Array | null)[];

  constructor(private readonly parameters: readonly ParameterInfo[]) {
    this.without = parameters.map(({ role, filterAxis, shape }) =>
      role === 'kernel' && filterAxis !== null ? new Uint16Array(shape[filterAxis] ?? 0) : null,
    );
  }

  /** Keeps a step's gradients, for the alignment with those of the step after it. */
  remember(reader: WeightReader, step: number, gradients: readonly (Tensor | null | undefined)[]): void {
    const all = gradients.filter((g): g is Tensor => g != null);
    if (all.length < gradients.length) this.forget();
    else this.previous = { step, held: reader.hold(all, this.reusable(reader)) };
  }

  forget(): void {
    const held = this.previous?.held;
    this.previous = null;
    held?.heldBy.release(held);
  }

  /** What a reader of another backend holds cannot be written over. */
  private reusable(reader: WeightReader): Held | null {
    const held = this.previous?.held;
    if (held === undefined || held.heldBy === reader) return held ?? null;
    this.forget();
    return null;
  }

  /** One record: the fields of each parameter in turn. */
  read(reader: WeightReader, reading: StepReading): Float32Array {
    const { step, weights, gradients, squaredGradients, squaredUpdates } = reading;
    const record = new Float32Array(FIELDS * weights.length).fill(NaN);
    const squaredWeights = reader.squaredNorms(weights);
    const before = this.previous?.step === step - 1 ? this.previous.held : null;
    const alignment = before === null ? null : cosines(reader, gradients, squaredGradients, before);
    weights.forEach((_, i) => {
      const gradient = gradients[i];
      if (gradient != null) record[FIELDS * i] = Math.sqrt(squaredGradients[i] ?? NaN);
      if (squaredUpdates !== null) record[FIELDS * i + 1] = Math.sqrt(squaredUpdates[i] ?? NaN);
      record[FIELDS * i + 2] = Math.sqrt(squaredWeights[i] ?? NaN);
      if (alignment !== null) record[FIELDS * i + 3] = alignment[i] ?? NaN;
      const dead = gradient == null ? null : this.dead(reader, i, gradient);
      if (dead !== null) record[FIELDS * i + 4] = dead;
    });
    return record;
  }

  private dead(reader: WeightReader, i: number, gradient: Tensor): number | null {
    const without = this.without[i];
    const axis = this.parameters[i]?.filterAxis;
    if (without == null || axis == null) return null;
    let dead = 0;
    reader.zeros(gradient, axis).forEach((zero, unit) => {
      const records = zero ? Math.min(DEAD_AFTER, (without[unit] ?? 0) + 1) : 0;
      without[unit] = records;
      if (records === DEAD_AFTER) dead++;
    });
    return dead;
  }
}

/** a·b/(‖a‖‖b‖) of each pair, by way of ‖a − b‖². NaN where one of them is zero. */
function cosines(
  reader: WeightReader,
  gradients: readonly (Tensor | null | undefined)[],
  squared: readonly number[],
  before: Held,
): number[] | null {
  const all = gradients.filter((g): g is Tensor => g != null);
  if (all.length < gradients.length) return null;
  const squaredBefore = reader.squaredNormsHeld(before);
  const distances = reader.squaredDistances(all, before);
  return distances.map((d, i) => {
    const [a, b] = [squared[i] ?? NaN, squaredBefore[i] ?? NaN];
    const cosine = (a + b - d) / (2 * Math.sqrt(a * b));
    return Math.max(-1, Math.min(1, cosine));
  });
}
