/** Questions about the weights that stand, parameter by parameter; weights themselves stay where they are. */
import type { TrainingConnection } from '../evaluators/connection.ts';
import type { Operand } from '../protocol/evaluator.ts';
import type { ParameterStatistics } from '../protocol/standing.ts';

/** Of the weights, or of the gradient inside of a step. @throws BasinError `not-allowed` where there is no gradient */
export async function statisticsOf(
  connection: TrainingConnection,
  of: 'current' | 'gradient',
): Promise<readonly ParameterStatistics[]> {
  const vector = `debugger-${of}`;
  await connection.load({ into: vector, from: of });
  return (await connection.statistics({ vector })).parameters;
}

/** Of the way from another vector to the weights; null where that one is not there (thinned out, or the disk is gone). */
export async function differenceFrom(
  connection: TrainingConnection,
  other: Operand,
): Promise<readonly ParameterStatistics[] | null> {
  try {
    await connection.load({ into: 'debugger-current', from: 'current' });
    const terms = [
      { coefficient: 1, vector: 'debugger-current' },
      { coefficient: -1, vector: other },
    ];
    await connection.combine({ into: 'debugger-difference', terms, state: null });
    return (await connection.statistics({ vector: 'debugger-difference' })).parameters;
  } catch {
    return null;
  }
}
