/** Questions about the weights that stand, parameter by parameter; weights themselves stay where they are. */
import type { TrainingConnection } from '../evaluators/connection.ts';
import type { Operand } from '../protocol/evaluator.ts';
import type { ParameterStatistics } from '../protocol/standing.ts';

let asked = 0;

/**
 * Gives the weights or the gradient to a question under a name of its own: requests of a client overlap, and a shared
 * vector would be another one's by the time that it is read.
 * @throws BasinError `not-allowed` where there is no gradient
 */
export async function withVector<T>(
  connection: TrainingConnection,
  from: 'current' | 'gradient',
  question: (vector: string) => Promise<T>,
): Promise<T> {
  const vector = `debugger-${from}-${asked++}`;
  await connection.load({ into: vector, from });
  try {
    return await question(vector);
  } finally {
    await release(connection, vector);
  }
}

/** Of the weights, or of the gradient inside of a step. @throws BasinError `not-allowed` where there is no gradient */
export function statisticsOf(
  connection: TrainingConnection,
  of: 'current' | 'gradient',
): Promise<readonly ParameterStatistics[]> {
  return withVector(connection, of, async (vector) => (await connection.statistics({ vector })).parameters);
}

/** Of the way from another vector to the weights; null where that one is not there (thinned out, or the disk is gone). */
export async function differenceFrom(
  connection: TrainingConnection,
  other: Operand,
): Promise<readonly ParameterStatistics[] | null> {
  const difference = `debugger-difference-${asked++}`;
  try {
    return await withVector(connection, 'current', async (vector) => {
      const terms = [
        { coefficient: 1, vector },
        { coefficient: -1, vector: other },
      ];
      await connection.combine({ into: difference, terms, state: null });
      return (await connection.statistics({ vector: difference })).parameters;
    });
  } catch {
    return null;
  } finally {
    await release(connection, difference);
  }
}

/** Nothing waits for it but memory; a connection that has ended has freed it already. */
async function release(connection: TrainingConnection, vector: string): Promise<void> {
  await connection.release({ vectors: [vector] }).catch(() => undefined);
}
