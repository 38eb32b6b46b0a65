import { BasinError } from '../protocol/errors.ts';
import type { Evaluator } from './evaluator.ts';
import type { Vectors } from './vectors.ts';

/** The weights of this moment of a run that trains, as a vector. @throws BasinError `non-finite`, `process-ended`, `cancelled` */
export async function presentWeights(
  evaluator: Evaluator,
  vectors: Vectors,
  signal: AbortSignal,
): Promise<string> {
  const at = vectors.name('now');
  const { norm } = await evaluator.load({ into: at, from: 'current' }, signal);
  if (Number.isFinite(norm)) return at;
  throw new BasinError(
    'non-finite',
    'The weights have become NaN or infinite.',
    'Lower the learning rate; the loss before this step shows where it began.',
  );
}
