/**
 * The squared Fisher–Rao norm ⟨θ, F·θ⟩ (Liang et al. 2019, definition 2). F, the Fisher information over the labels that the
 * model itself would draw, is the generalised Gauss–Newton matrix for cross-entropy (and for squared errors up to their
 * unit; Martens 2020), so that one product gives it for every network. Liang's closed form
 * (L + 1)²·E⟨…⟩ is the same for ReLU networks without biases only.
 */
import { BasinError } from '../protocol/errors.ts';
import { without, type Measured, type Surroundings } from './surroundings.ts';

export async function fisherRao(around: Surroundings): Promise<Measured> {
  around.context.progress(0, 'Gauss–Newton product');
  try {
    const value = await around.gaussNewtonForm(around.at);
    if (!Number.isFinite(value)) return without('The product is NaN or infinite.');
    // Zero is not flat: an absolute error is a straight line in the predictions, at whatever slope.
    return value === 0
      ? without(
          'The Gauss–Newton matrix is zero here, as for a loss that is piecewise linear in the predictions.',
        )
      : { value, reason: null };
  } catch (error) {
    if (error instanceof BasinError && error.code === 'unsupported') return without(error.message);
    throw error;
  }
}
