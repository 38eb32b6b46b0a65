/**
 * The largest loss in a box around the model (Keskar et al. 2017, metric 2.1 with A the identity):
 * 100·(max f(θ + δ) − f(θ))/(1 + f(θ)) over |δ_i| ≤ ε(|θ_i| + 1).
 *
 * The maximum is searched by projected gradient ascent in units of the box, by the sign of the gradient (the steepest
 * ascent where distances are measured by the largest coordinate; Madry et al. 2018), with a stride that is halved until the loss
 * rises. Keskar et al. took ten iterations of L-BFGS-B. Either finds a lower bound of the maximum.
 */
import type { FlatnessSettings } from '../protocol/flatness.ts';
import { derivedSeed } from './directions.ts';
import { without, type Measured, type Surroundings } from './surroundings.ts';

/** Strides in units of the box's half-width: from one corner to the opposite one, and where the search ends. */
const LONGEST = 2;
const SHORTEST = 2 ** -8;

export async function worstCase(
  around: Surroundings,
  settings: Pick<FlatnessSettings, 'epsilon' | 'steps' | 'starts' | 'seed'>,
): Promise<Measured> {
  const { loss, vectors, context } = around;
  if (!(1 + loss > 0))
    return without('The loss is −1 or less, so that its rise relative to 1 + loss has no meaning.');
  const box = around.name('box');
  await around.magnitudes(box, 1);
  await around.sum(box, [settings.epsilon, box]);
  let largest = loss;
  for (let start = 0; start < settings.starts; start++) {
    const within = (step: number): void =>
      context.progress(
        (start + step / settings.steps) / settings.starts,
        `ascent ${start + 1} of ${settings.starts}, step ${step}`,
      );
    const displacement =
      start === 0 ? null : await randomPoint(around, box, derivedSeed(settings.seed, start));
    const found = await ascend(around, box, displacement, settings.steps, within);
    if (found === null) continue;
    const reached = await around.lossBeside(found);
    await vectors.release([found]);
    if (!Number.isFinite(reached)) return without('The loss is NaN or infinite somewhere in the box.');
    largest = Math.max(largest, reached);
  }
  await vectors.release([box]);
  return { value: (100 * (largest - loss)) / (1 + loss), reason: null };
}

/** N(0, 1) in units of the box, cut to it: on a face more often than not. */
async function randomPoint(around: Surroundings, box: string, seed: number): Promise<string> {
  const { evaluator, context, at } = around;
  const into = around.name('start');
  await evaluator.random(
    { into, seed, like: at, normalisation: 'none', include: { bias: true, norm: true } },
    context.signal,
  );
  await around.product(into, into, box);
  await evaluator.elementwise({ into, function: 'clip', of: [into, box] }, context.signal);
  return into;
}

/** Where an ascent ends; null where it could not leave the model. Consumes `displacement`. */
async function ascend(
  around: Surroundings,
  box: string,
  displacement: string | null,
  steps: number,
  progress: (step: number) => void,
): Promise<string | null> {
  const { evaluator, vectors, context } = around;
  let here = displacement;
  let slope = around.name('gradient');
  let { loss } = await around.gradientBeside(here, slope);
  let stride = 1;
  for (let step = 1; step < steps && stride >= SHORTEST && Number.isFinite(loss); step++) {
    progress(step);
    const next = around.name('displacement');
    await evaluator.elementwise({ into: next, function: 'sign', of: [slope] }, context.signal);
    await around.product(next, next, box);
    await around.sum(next, ...(here === null ? [] : [[1, here] as const]), [stride, next]);
    await evaluator.elementwise({ into: next, function: 'clip', of: [next, box] }, context.signal);
    const beside = around.name('gradient');
    // A corner that every slope points out of, or a point without a slope, has nowhere to go.
    const moved = await around.sum(beside, [1, next], ...(here === null ? [] : [[-1, here] as const]));
    if (!(moved > 0)) {
      await vectors.release([next, beside]);
      break;
    }
    const { loss: reached } = await around.gradientBeside(next, beside);
    if (reached > loss || !Number.isFinite(reached)) {
      await vectors.release([slope, ...(here === null ? [] : [here])]);
      [here, slope, loss] = [next, beside, reached];
      stride = Math.min(LONGEST, 2 * stride);
    } else {
      await vectors.release([next, beside]);
      stride /= 2;
    }
  }
  await vectors.release([slope]);
  return here;
}
