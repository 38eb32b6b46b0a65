/** What a contour had evaluated when it was interrupted, so that the same question can go on from there. */
import type { Maybe } from '../protocol/result.ts';
import type { Plane } from './plane.ts';

/** What a plane and its origin are known by. */
export interface PlaneFingerprint {
  /** Of the plane: a question that is put together otherwise today does not go on from these points. */
  readonly x: readonly number[];
  readonly y: readonly number[];
  readonly norms: readonly number[];
  /** Loss at the origin; null where it is not finite. */
  readonly centre: Maybe;
}

export interface ContourPoints extends PlaneFingerprint {
  readonly points: readonly KnownPoint[];
  /** Own losses of snapshots. */
  readonly snapshots: readonly (readonly [step: number, loss: Maybe])[];
}

export type KnownPoint = readonly [row: number, column: number, loss: Maybe, standardError: Maybe];

/** Losses of the same weights may differ by this share: summed in another order. */
const SAME_LOSS = 1e-4;
const SAME_PLACE = 1e-5;

/** What a plane is known by, with the loss at its origin. */
export function fingerprintOf({ x, y, description }: Plane, centre: Maybe): PlaneFingerprint {
  return { x, y, norms: normsOf(description), centre };
}

/** Whether points were taken on this plane, whose origin has this loss now. */
export function fits(known: PlaneFingerprint, plane: Plane, centre: Maybe): boolean {
  return (
    sameNumbers(known.x, plane.x) &&
    sameNumbers(known.y, plane.y) &&
    sameNorms(known.norms, plane) &&
    sameLoss(known.centre, centre)
  );
}

/** Whether a plane's directions have these norms. */
export function sameNorms(norms: readonly number[], { description }: Plane): boolean {
  return sameNumbers(norms, normsOf(description));
}

/** @param within relative difference that is none */
export function sameLoss(a: Maybe, b: Maybe, within = SAME_LOSS): boolean {
  return a === null || b === null ? a === b : close(a, b, within);
}

const close = (a: number, b: number, within: number): boolean =>
  Math.abs(a - b) <= within * Math.max(Math.abs(a), Math.abs(b), 1e-6);

const sameNumbers = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((value, i) => close(value, b[i] ?? NaN, SAME_PLACE));
const normsOf = ({ directions }: Plane['description']): number[] => directions.map((d) => d.norm);
