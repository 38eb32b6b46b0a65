/** Where a picture of a plane stands: both axes are distances in weight space, so one scale serves both. */
import type { ContourResult } from '../src/protocol/results.ts';
import type { PlotFrame } from './plots.ts';

export interface PlaneFrame {
  readonly frame: PlotFrame;
  /** Whether a unit of weight space is as long on either axis. */
  readonly equal: boolean;
}

/** The part of `room` that the picture takes, unless the plane is so elongated that it would be a sliver: then all of it. */
export function planeFrame(
  { x, y, plane }: Pick<ContourResult, 'x' | 'y' | 'plane'>,
  room: PlotFrame,
): PlaneFrame {
  const span = (along: readonly number[], k: number): number =>
    ((along.at(-1) ?? 1) - (along[0] ?? 0)) * (plane.directions[k]?.norm ?? 1);
  const ratio = span(y, 1) / span(x, 0);
  const equal = ratio > 0.28 && ratio < 1 / 0.28;
  let { width, height } = room;
  if (equal && ratio < height / width) height = width * ratio;
  else if (equal) width = height / ratio;
  const left = room.left + Math.max(0, (room.width - width) / 2);
  return { frame: { left, top: room.top, width, height }, equal };
}
