/**
 * The colour ramp of a loss: viridis, perceptually uniform and readable with any colour vision. Low losses are
 * dark, high ones bright, in every theme alike: the colour carries the datum.
 */
import { interpolateViridis } from 'd3-scale-chromatic';

/** Colour of a position in 0..1 on the scale; positions outside are clamped. */
export function rampColor(unit: number): string {
  return interpolateViridis(Math.min(1, Math.max(0, Number.isFinite(unit) ? unit : 1)));
}

/** `count` colours, evenly spaced from low to high. */
export function rampColors(count: number): string[] {
  return Array.from({ length: count }, (_, i) => rampColor(count === 1 ? 0.5 : i / (count - 1)));
}

/** Ink that stays legible on any colour of the ramp, with its halo. */
export const overRamp = {
  ink: '#ffffff',
  halo: 'rgba(0, 0, 0, 0.62)',
  /** Of the last snapshot's mark. */
  last: '#ff7a59',
  isoline: 'rgba(255, 255, 255, 0.38)',
} as const;
