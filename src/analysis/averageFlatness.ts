/**
 * Mean rise of the loss over Gaussian perturbations σ·d, each output unit of d as long as the same unit of the weights
 * (filter normalisation, Li et al. 2018), which makes it the same for models that differ in the scale of their units only.
 * Each d is looked at both ways: the slope, which says nothing about flatness, leaves the mean and its error.
 */
import type { FlatnessSettings } from '../protocol/flatness.ts';
import { derivedSeed, drawDirection } from './directions.ts';
import { meanInterval } from './meanInterval.ts';
import { deviation, mean } from './moments.ts';
import { without, type Measured, type Surroundings } from './surroundings.ts';

export async function averageFlatness(
  around: Surroundings,
  settings: Pick<FlatnessSettings, 'sigma' | 'repeats' | 'seed'>,
): Promise<Measured> {
  const { evaluator, vectors, context, at, loss } = around;
  const { sigma, repeats, seed } = settings;
  const into = around.name('perturbation');
  const rises: number[] = [];
  let included = false;
  for (let k = 0; k < repeats; k++) {
    context.progress(k / repeats, `direction ${k + 1} of ${repeats}`);
    const request = { into, seed: derivedSeed(seed, k), like: at, normalisation: 'filter' } as const;
    const drawn = await drawDirection(evaluator, request, included, context);
    const { norm } = drawn;
    ({ included } = drawn);
    if (!(norm > 0)) return without('Every weight that a perturbation is scaled to is zero.');
    const [up = NaN, down = NaN] = await around.losses([into], [[sigma], [-sigma]]);
    rises.push((up + down) / 2 - loss);
  }
  await vectors.release([into]);
  const broken = rises.filter((rise) => !Number.isFinite(rise)).length;
  if (broken > 0) return without(`The loss is NaN or infinite along ${broken} of ${repeats} directions.`);
  const value = mean(rises);
  const spread = deviation(rises);
  return {
    value,
    reason: null,
    standardError: spread / Math.sqrt(repeats),
    interval: meanInterval(rises, spread, repeats - 1),
  };
}
