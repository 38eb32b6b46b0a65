/** The gradient noise scale of a training run while it trains: one gradient a batch, at the weights of one moment. */
import type { LiveNoiseScale } from '../protocol/run.ts';
import type { AnalysisContext, Evaluator } from './evaluator.ts';
import type { Evaluation } from './model.ts';
import { batchRanges, measureNoiseScale } from './noiseScale.ts';
import { presentWeights } from './presentWeights.ts';
import { withVectors } from './vectors.ts';

/** Gradients side by side inside of a process that trains take at most so many numbers (128 MiB). */
const ROOM = 2 ** 25;

export interface LiveNoiseScaleInput {
  /** At most so many batches of the evaluation set. */
  readonly batches: number;
  /** Samples in the batches that the run trains on, when known. */
  readonly batchSize: number | null;
}

/**
 * Follows the noise scale. Every measurement may come over another connection: the evaluation set grows with the first
 * batches, and a connection knows what there was when it was made.
 */
export class LiveNoiseScaleMeter {
  private readonly known = new Map</* batch */ number, /* samples */ number>();

  constructor(private readonly evaluation: Evaluation) {}

  /**
   * `seconds` is what the training process spent on it by its own count, answers to others left out.
   * @throws BasinError `unsupported` where there are too few batches (yet) or the model is too large, `non-finite`,
   *   `process-ended`, `cancelled`
   */
  async measure(
    evaluator: Evaluator,
    { batches, batchSize }: LiveNoiseScaleInput,
    context: AnalysisContext,
  ): Promise<LiveNoiseScale> {
    const { signal } = context;
    const before = await evaluator.status({}, signal);
    return withVectors(evaluator, async (vectors) => {
      const at = await presentWeights(evaluator, vectors, signal);
      const { data, mode } = this.evaluation;
      const input = { at, data, mode, most: batches, room: ROOM, known: this.known };
      const ranges = await batchRanges(evaluator, input, signal);
      const found = await measureNoiseScale(evaluator, { at, data, mode }, ranges, context);
      const after = await evaluator.status({}, signal);
      return {
        ...found,
        step: before.step,
        objective: evaluator.description.objectiveIndex,
        interval: [...found.interval],
        batchSize,
        seconds: after.connectionSeconds - before.connectionSeconds,
      };
    });
  }
}
