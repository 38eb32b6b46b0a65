/** What one model gains over another, in a sentence, beside the noise of the comparison. */
import { gainOf } from './gain.ts';
import type { Measured } from './measure.ts';
import { judgedOn } from './score.ts';
import { figures, percent } from './trust.ts';

type Compared = Pick<Measured, 'score' | 'losses' | 'correct'>;

/** What was gained over the last snapshot. */
export function comparisonSentences(what: string, mine: Compared, last: Compared, step: number): string[] {
  const sentences = [comparisonOf(what, mine, last, `snapshot ${step}`)];
  if (judgedOn(mine.score).split === 'train')
    sentences.push('No validation data was recorded: this says nothing about new samples.');
  return sentences;
}

/**
 * The same beside any other model. Both are judged on the same samples, so errors are those of the paired differences
 * where single samples are known; else the two scores' own together, which are larger.
 * @param other what it is called
 */
export function comparisonOf(what: string, mine: Compared, theirs: Compared, other: string): string {
  const { split } = judgedOn(mine.score);
  const [a, b] = [mine.score[split], theirs.score[split]];
  if (a === null || b === null || a.loss === null || b.loss === null)
    return `${what} cannot be compared with ${other}: a loss is NaN or infinite.`;
  const losses = pairedError(mine.losses, theirs.losses);
  const answers = pairedError(mine.correct, theirs.correct);
  const said: string[] = [];
  if (a.accuracy !== null && b.accuracy !== null)
    said.push(
      difference(
        ['accuracy is', 'better', 'worse'],
        a.accuracy - b.accuracy,
        answers ?? hypotenuse(a.accuracyStandardError, b.accuracyStandardError),
        percent,
        said.length === 0 ? other : null,
      ),
    );
  said.push(
    difference(
      ['loss is', 'higher', 'lower'],
      a.loss - b.loss,
      losses ?? hypotenuse(a.lossStandardError, b.lossStandardError),
      (x) => figures(x, 2),
      said.length === 0 ? other : null,
    ),
  );
  const errors = said.filter((part) => part.includes('standard error')).length;
  const cautious = losses === null || (a.accuracy !== null && answers === null);
  const how = cautious ? 'both on the same samples, so the errors are cautious ones' : 'sample for sample';
  const on = split === 'validation' ? 'validation' : 'training';
  return `${what}: ${said.map((part) => `${on} ${part}`).join('; ')}${errors > 0 ? ` (${how})` : ''}.`;
}

/** @param other named once, in the first of the parts; null in the others */
function difference(
  [quantity, more, less]: readonly [quantity: string, more: string, less: string],
  value: number,
  error: number | null,
  format: (x: number) => string,
  other: string | null,
): string {
  if (value === 0) return `${quantity} the same${other === null ? '' : ` as at ${other}`}`;
  const than = other === null ? '' : ` than at ${other}`;
  const size = `${quantity} ${value > 0 ? more : less} by ${format(Math.abs(value))}${than}`;
  if (error === null) return size;
  const noise = Math.abs(value) < 2 * error ? ': no more than noise' : '';
  return `${size}, standard error ${format(error)}${noise}`;
}

/** Of the mean difference over the same samples; null where single ones are not known. */
function pairedError(mine: readonly number[] | null, theirs: readonly number[] | null): number | null {
  if (mine === null || theirs === null || mine.length !== theirs.length) return null;
  return gainOf(mine.map((x, i) => x - (theirs[i] ?? NaN)))?.standardError ?? null;
}

function hypotenuse(a: number | null, b: number | null): number | null {
  return a === null || b === null ? null : Math.hypot(a, b);
}
