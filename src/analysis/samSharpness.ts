/**
 * The rise of the loss after an ascent in a ball: SAM's sharpness (Foret et al. 2021, equation 2), δ = ρ·g/‖g‖, and the
 * adaptive one (Kwon et al. 2021, equation 5), δ = ρ·T²g/‖Tg‖ with T = diag(|θ| + η), whose ball is ‖T⁻¹δ‖ ≤ ρ.
 *
 * In the coordinates e = T⁻¹δ both are one and the same: e goes up the gradient T·g by ρ and is drawn back to the ball.
 * One step is what the papers take; more approach the maximum that the step stands for.
 */
import { without, type Measured, type Surroundings } from './surroundings.ts';

export interface BallAscent {
  readonly rho: number;
  readonly ascentSteps: number;
  /** η of T = diag(|θ| + η); null for T = 1, which is SAM. */
  readonly eta: number | null;
}

/** Largest loss met on the way, less the model's. */
export async function samSharpness(around: Surroundings, ball: BallAscent): Promise<Measured> {
  const { rho, ascentSteps, eta } = ball;
  const { vectors, context } = around;
  const [gradient, coordinates, displacement] = ['gradient', 'coordinates', 'displacement'].map((label) =>
    around.name(label),
  ) as [string, string, string];
  let scale: string | null = null;
  if (eta !== null) {
    scale = around.name('scale');
    await around.magnitudes(scale, eta);
  }
  let largest = -Infinity;
  let stopped: string | null = null;
  for (let step = 0; step < ascentSteps; step++) {
    context.progress(step / ascentSteps, `step ${step + 1} of ${ascentSteps}`);
    const answer = await around.gradientBeside(step === 0 ? null : displacement, gradient);
    const norm = scale === null ? answer.norm : await around.product(gradient, gradient, scale);
    if (!(Number.isFinite(norm) && norm > 0)) {
      stopped =
        norm === 0 ? 'The gradient is zero: no direction leads up.' : 'The gradient is NaN or infinite.';
      break;
    }
    const length = await around.sum(coordinates, ...(step === 0 ? [] : [[1, coordinates] as const]), [
      rho / norm,
      gradient,
    ]);
    if (step > 0 && length > rho) await around.sum(coordinates, [rho / length, coordinates]);
    if (scale === null) await around.sum(displacement, [1, coordinates]);
    else await around.product(displacement, coordinates, scale);
    const reached = await around.lossBeside(displacement);
    if (!Number.isFinite(reached)) {
      largest = NaN;
      stopped = 'The loss is NaN or infinite where the step leads.';
      break;
    }
    largest = Math.max(largest, reached);
  }
  await vectors.release([gradient, coordinates, displacement, ...(scale === null ? [] : [scale])]);
  // An ascent that met a stationary point on its way has a value all the same: what it had reached.
  if (stopped !== null && !Number.isFinite(largest)) return without(stopped);
  return { value: largest - around.loss, reason: null };
}
