/** What measuring beside a run has cost it, from the records themselves. */
import { LIVE_ADVANCE, type LiveNoiseScale, type LiveSharpness, type StepRecord } from '../protocol/run.ts';

export interface MeasuringCost {
  /** Measurements of λ₁ and of the noise scale, and the seconds that the training process spent on them. */
  readonly sharpness: { readonly count: number; readonly seconds: number };
  readonly noise: { readonly count: number; readonly seconds: number };
  /** Seconds that the run has trained, without these; null where they are not known. */
  readonly trained: number | null;
  /** Of these seconds; null where they are not known. */
  readonly share: number | null;
}

/** null where nothing was measured. @param last the run's newest step */
export function measuringCost(
  live: readonly LiveSharpness[],
  noise: readonly LiveNoiseScale[],
  last: StepRecord | null,
): MeasuringCost | null {
  if (live.length + noise.length === 0) return null;
  const sum = (all: readonly { readonly seconds: number }[]): { count: number; seconds: number } => ({
    count: all.length,
    seconds: all.reduce((s, one) => s + one.seconds, 0),
  });
  const cost = { sharpness: sum(live), noise: sum(noise) };
  const spent = cost.sharpness.seconds + cost.noise.seconds;
  const known = [...live, ...noise].flatMap((one) => (one.trained === undefined ? [] : [one.trained]));
  // Between the last measurement and the last step nothing was measured.
  const trained = Math.max(...known, (last?.time ?? 0) - spent);
  if (!(trained > 0)) return { ...cost, trained: null, share: null };
  return { ...cost, trained, share: spent / trained };
}

/** In a line, with the budget beside it. */
export function measuringText({ sharpness, noise, trained, share }: MeasuringCost, budget?: number): string {
  const times = (count: number): string => `${count} time${count === 1 ? '' : 's'}`;
  const what = [
    ...(sharpness.count > 0 ? [`λ₁ ${times(sharpness.count)}`] : []),
    ...(noise.count > 0 ? [`the gradient noise scale ${times(noise.count)}`] : []),
  ].join(', ');
  const seconds = (sharpness.seconds + noise.seconds).toFixed(1);
  const of =
    trained === null || share === null
      ? ''
      : ` of ${trained.toFixed(1)} s of training (${(100 * share).toFixed(1)} %)`;
  const allowed =
    budget === undefined
      ? ''
      : `; budget ${Number((100 * budget).toPrecision(3))} % and ${LIVE_ADVANCE} s in advance`;
  return `${what}: ${seconds} s${of}${allowed}`;
}
