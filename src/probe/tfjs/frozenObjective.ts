/** What a relaunched process takes from the run that it was started for: the recorded layout, and the same data. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { BasinError } from '../../protocol/errors.ts';
import { evaluationSetFile } from '../../protocol/evaluationSet.ts';
import type { ProbeOptions } from '../../protocol/launch.ts';
import { objectiveSchema, type ObjectiveInfo } from '../../protocol/run.ts';
import type { Batch, Capture } from './capture.ts';
import { readEvaluationSet } from './evaluationSetFile.ts';
import type { TrainingControl } from './handlers.ts';

type Split = 'train' | 'validation';

export class FrozenObjective {
  private readonly sets = new Map<Split, readonly Batch[] | null>();

  constructor(
    private readonly options: ProbeOptions,
    private readonly capture: Capture,
  ) {}

  /**
   * The recorded objective, whose names and order the snapshots have.
   * @throws BasinError `not-replayable` when the relaunched script has other parameters
   */
  objective(): ObjectiveInfo {
    const { runDirectory, objective: index } = this.options;
    const manifest: unknown = JSON.parse(readFileSync(join(runDirectory, 'run.json'), 'utf8'));
    const objectives = (manifest as { objectives?: unknown[] } | null)?.objectives;
    const parsed = v.safeParse(objectiveSchema, objectives?.[index]);
    if (!parsed.success) {
      throw new BasinError('corrupt-run', `The run's objective ${index} cannot be read.`, 'Train again.');
    }
    const shapes = (list: readonly { shape: readonly number[] }[]): string =>
      list.map(({ shape }) => `[${shape.join(', ')}]`).join(' ');
    const recorded = parsed.output;
    if (
      shapes(recorded.parameters) !== shapes(this.capture.variables) ||
      shapes(recorded.state) !== shapes(this.capture.state)
    ) {
      throw new BasinError(
        'not-replayable',
        'The script now trains a model of other shapes than when it was recorded.',
        'Train again, or put the script back as it was.',
      );
    }
    return recorded;
  }

  data(split: Split): readonly Batch[] | null {
    let batches = this.sets.get(split);
    if (batches === undefined) {
      const file = join(this.options.runDirectory, 'data', evaluationSetFile(split, this.options.objective));
      batches = existsSync(file) ? readEvaluationSet(file, this.capture.leaves.length) : null;
      this.sets.set(split, batches);
    }
    return batches;
  }
}

/** A process that takes no steps: other weights may be put into the model, to be looked at. */
export function frozenControl(): TrainingControl {
  const refuse = (): never => {
    throw new BasinError(
      'unsupported',
      'This process was started again for questions: it stands before its first step, and takes none.',
      'Start the script under the debugger to train.',
    );
  };
  return {
    gradient: refuse,
    snapshot: refuse,
    branch: refuse,
    optimizer: () => null,
    checkpoints: new Map(),
    requireBoundary: () => undefined,
    rewound: () => undefined,
  };
}
