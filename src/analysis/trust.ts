/** One place that turns the honesty of numbers into sentences for people: what was measured, on what, and how well. */
import type { LineResult, Scores, SharpnessResult } from '../protocol/results.ts';
import type { EvaluationMode, EvaluatorDescription } from '../protocol/evaluator.ts';

/** What the numbers were computed on. */
export function dataSentence(
  data: { readonly split: 'train' | 'validation'; readonly samples: number },
  mode: EvaluationMode,
  refreshed: boolean,
): string {
  const how =
    mode === 'as-trained'
      ? 'with the loss as it was trained, noise replayed'
      : `in inference mode${refreshed ? ', batch-norm statistics computed anew at every point' : ''}`;
  return `Evaluated on ${data.samples} ${data.split === 'train' ? 'training' : 'validation'} samples, ${how}.`;
}

export function replaySentence(description: EvaluatorDescription): string[] {
  return description.objective.replay === null
    ? ['Whether the recorded losses come out again has not been checked for this run.']
    : [];
}

export function lineSentences(
  result: Pick<
    LineResult,
    'from' | 'to' | 'loss' | 'standardError' | 'barrier' | 'barrierStandardError' | 't' | 'validation'
  >,
): string[] {
  const { barrier, standardError, loss } = result;
  const missing = loss.filter((value) => value === null).length;
  const error = Math.max(0, ...standardError.filter((value) => value !== null));
  const sentences: string[] = [];
  if (barrier === null) {
    sentences.push('No barrier can be stated: the loss is NaN or infinite on the way or at an end.');
  } else if (barrier === 0) {
    sentences.push('There is no barrier: the loss never rises above the straight line between its ends.');
  } else {
    sentences.push(`The barrier is ${barrierWords(barrier, result.barrierStandardError ?? null)}.`);
  }
  const held = result.validation?.barrier ?? 0;
  if (held > 0)
    sentences.push(
      `On validation samples it is ${barrierWords(held, result.validation?.barrierStandardError ?? null)}.`,
    );
  if (error > 0) sentences.push(`A loss value has a standard error of at most ${figures(error, 2)}.`);
  if (missing > 0)
    sentences.push(`${missing} of ${result.t.length} points have a loss that is NaN or infinite.`);
  return sentences;
}

function barrierWords(height: number, error: number | null): string {
  const noise =
    error !== null && height < 2 * error ? ', which is within two standard errors of no barrier' : '';
  return `${withError(height, error)}${noise}`;
}

/** `0.123 ± 0.012`; without what is not known. */
export function withError(x: number, error: number | null): string {
  return `${figures(x, 3)}${plusMinus(error, (e) => figures(e, 2))}`;
}

export function sharpnessSentences(
  result: Pick<
    SharpnessResult,
    'eigenvalues' | 'residuals' | 'standardError' | 'converged' | 'method' | 'stabilityBound'
  >,
  told: {
    readonly iterations: number;
    readonly bound: string | null;
    readonly finiteDifference: string | null;
  },
): string[] {
  const [lambda = NaN] = result.eigenvalues;
  const [residual = NaN] = result.residuals;
  const sentences = [
    result.converged
      ? `Converged after ${told.iterations} Hessian-vector products: an eigenvalue lies within ${figures(residual, 2)} of λ₁.`
      : `Not converged after ${told.iterations} Hessian-vector products: λ₁ is at least about ${figures(lambda, 3)} (an eigenvalue lies within ${figures(residual, 2)}).`,
    result.standardError === null
      ? 'The evaluation set has too few batches for a standard error of λ₁.'
      : `Over parts of the evaluation set λ₁ has a standard error of ${figures(result.standardError, 2)}.`,
    productsSentence(result.method, told.finiteDifference),
    result.stabilityBound === null
      ? `No stability bound: ${told.bound ?? 'none is known'}.`
      : 'The bound holds for full-batch steps; the noise of small batches keeps λ₁ below it.',
  ];
  if (result.eigenvalues.length > 1)
    sentences.push('An eigenvalue that occurs several times may be listed once.');
  return sentences;
}

/** @param reason why products are no exact ones; null where that is not known */
export function productsSentence(method: SharpnessResult['method'], reason: string | null): string {
  return method === 'exact'
    ? 'Hessian-vector products are exact.'
    : `Hessian-vector products are ${finiteDifferences(reason)}`;
}

/** What finite differences are worth, as the end of a sentence. */
export function finiteDifferences(reason: string | null): string {
  return `finite differences of gradients${reason === null ? '' : ` (${reason})`}: unreliable with ReLU and max-pooling.`;
}

export function scoreSentences(scores: Scores): string[] {
  const judged = scores.validation ?? scores.train;
  const on = scores.validation === null ? 'training' : 'validation';
  const where = `on ${judged.samples} ${on} samples`;
  const sentences = [
    judged.loss === null
      ? `The loss ${where} is NaN or infinite: the model has diverged, and its answers mean nothing.`
      : judged.accuracy !== null
        ? `Accuracy ${percent(judged.accuracy)}${plusMinus(judged.accuracyStandardError, percent)} ${where}.`
        : `Loss ${figures(judged.loss, 4)}${plusMinus(judged.lossStandardError, (x) => figures(x, 2))} ${where}.`,
  ];
  if (scores.validation === null)
    sentences.push('No validation data was recorded: this says nothing about new samples.');
  return sentences;
}

/** A share as people read it. */
export function percent(share: number): string {
  return `${figures(100 * share, share >= 0.9995 || share < 0.1 ? 2 : 3)} %`;
}

/** A number to so many significant figures, without an exponent where it can be avoided, and with a minus, not a hyphen. */
export function figures(x: number, digits: number): string {
  const text = x.toPrecision(digits);
  const plain = text.includes('e') && Math.abs(x) >= 1 ? String(Math.round(x)) : String(Number(text));
  return plain.replaceAll('-', '−');
}

function plusMinus(error: number | null, format: (x: number) => string): string {
  return error === null ? '' : ` ± ${format(error)}`;
}

/** Some steps as people read them. */
export function steps(list: readonly number[]): string {
  const shown = list.slice(0, 5).join(', ');
  return list.length > 5
    ? `snapshots ${shown} and ${list.length - 5} more`
    : `snapshot${list.length > 1 ? 's' : ''} ${shown}`;
}
