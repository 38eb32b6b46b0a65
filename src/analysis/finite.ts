import type { Maybe } from '../protocol/result.ts';

/** A number as results keep it: null for NaN, infinities and what is unknown. */
export const finite = (x: Maybe): Maybe => (x !== null && Number.isFinite(x) ? x : null);
