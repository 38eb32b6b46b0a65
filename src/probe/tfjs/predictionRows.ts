/** What a model predicts for each sample, as one row a sample. */
import type { Predictions } from '../../protocol/evaluator.ts';
import type { Batch, HostTensor } from './capture.ts';
import { areLogProbabilities, areProbabilities, type Task } from './predictions.ts';
import type { Session } from './replay.ts';
import { look, type Seen } from './samples.ts';

/** More numbers than this are not sent: they would be no small answer any more. */
const MOST_NUMBERS = 4_000_000;

/** Rows of classes or of values, with what they should be. */
interface Rows {
  readonly kind: 'classes' | 'values';
  readonly width: number;
  readonly values: ArrayLike<number>;
  readonly targets: ArrayLike<number>;
}

/** The session stands at the model; batches in the order of the split. */
export function predictionRows({
  session,
  batches,
  check,
}: {
  readonly session: Session;
  readonly batches: readonly Batch[];
  /** Throws when the request was cancelled. */
  readonly check: () => void;
}): Predictions {
  const all = { samples: 0, values: [] as number[], targets: [] as number[] };
  let like: Rows | null = null;
  // What kind of thing is predicted is known without rows, too: an ensemble's file needs no more.
  let form: Predictions['form'] = null;
  for (const batch of batches) {
    check();
    const seen = look(session, batch, null);
    const found = rowsOf(seen, batch);
    form ??= formOf(seen.task, seen.output);
    if (typeof found === 'string') return none(found, form);
    like ??= found;
    if (found.kind !== like.kind || found.width !== like.width)
      return none('Its batches have predictions of different widths.', form);
    if (all.values.length + found.values.length > MOST_NUMBERS)
      return none(`There are too many classes: ${String(found.width)} for each sample.`, form);
    all.samples += batch.samples;
    for (let i = 0; i < found.values.length; i++) all.values.push(found.values[i] ?? NaN);
    for (let i = 0; i < found.targets.length; i++) all.targets.push(found.targets[i] ?? NaN);
  }
  if (like === null) return none('There are no samples.', null);
  return { kind: like.kind, form, width: like.width, ...all, reason: null };
}

const none = (reason: string, form: Predictions['form']): Predictions => ({
  kind: null,
  form,
  samples: 0,
  width: 0,
  values: [],
  targets: [],
  reason,
});

function rowsOf({ classes, output, task }: Seen, batch: Batch): Rows | string {
  if (typeof classes !== 'string') {
    const { scores, labels } = classes;
    return {
      kind: 'classes',
      width: scores[0]?.length ?? 0,
      values: scores.flatMap(logSoftmax),
      targets: labels,
    };
  }
  const target = task?.kind === 'value' ? batch.leaves[task.leaf] : null;
  if (output === null || target === null || target === undefined) return classes;
  if (target.values.length !== output.values.length)
    return 'What is predicted and what it should be have different sizes.';
  return {
    kind: 'values',
    width: output.values.length / batch.samples,
    values: output.values,
    targets: target.values,
  };
}

function formOf(task: Task | null, output: HostTensor | null): Predictions['form'] {
  if (task === null || output === null) return null;
  if (task.kind === 'value') return 'values';
  const probabilities = areProbabilities(task.kind, output);
  if (task.kind === 'binary') return probabilities ? 'binary-probabilities' : 'binary-logits';
  return probabilities ? 'probabilities' : areLogProbabilities(output) ? 'log-probabilities' : 'logits';
}

/** log of the softmax over scores. */
function logSoftmax(scores: readonly number[]): number[] {
  const top = Math.max(...scores);
  const total = Math.log(scores.reduce((sum, s) => sum + Math.exp(s - top), 0));
  return scores.map((s) => s - top - total);
}
