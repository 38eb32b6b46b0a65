/**
 * Finds the calls that train in a TensorFlow.js script, by tokens: comments, strings, templates and regular expressions
 * are told apart from code, JavaScript and TypeScript alike, also while a file is being typed and does not parse.
 */
import jsTokens from 'js-tokens';

export interface TrainingCall {
  /** Method or function that trains. */
  readonly name: string;
  /** Zero-based line and character of that name. */
  readonly line: number;
  readonly character: number;
}

/** Takes the step whose gradients another call has asked for: a place of steps, and no second call to start training at. */
export const APPLIES = 'applyGradients';
/** Methods that take optimizer steps when called on a model or an optimizer. */
const METHODS = new Set(['fit', 'fitDataset', 'trainOnBatch', 'minimize', APPLIES]);
/** Also called without a receiver, when imported by name. */
const FUNCTIONS = new Set(['variableGrads']);
/** What only TensorFlow.js has below `tf`: the sign of a script that gets `tf` from a module of its own. */
const LIBRARY = new Set(
  'sequential model layers train losses initializers tidy tensor tensor1d tensor2d tensor3d tensor4d variable variableGrads'.split(
    ' ',
  ),
);
const PACKAGE = /^['"`]@tensorflow\/tfjs(?:[-/][\w./-]*)?['"`]$/;

/** A file longer than this is generated or data, not a training script. */
export const MAX_LENGTH = 1_000_000;

/**
 * Training calls of a source text, in its order. Only where the text imports a `@tensorflow/tfjs` package, or uses `tf` as
 * that library: `.fit(` alone means many things.
 */
export function findTrainingCalls(source: string): TrainingCall[] {
  if (source.length > MAX_LENGTH || !/@tensorflow\/tfjs|\btf\s*\./.test(source)) return [];
  const calls: TrainingCall[] = [];
  let imports = false;
  let line = 0;
  let lineStart = 0;
  let offset = 0;
  // The code tokens so far, newest last: enough to see `receiver . name <T> (`.
  let previous = '';
  let beforePrevious = '';
  /** A name that trains if a call follows it. */
  let candidate: TrainingCall | null = null;
  /** Depth of type arguments between the candidate and its parenthesis, as in `fit<T>(`. */
  let angle = 0;

  for (const token of jsTokens(source)) {
    const { type, value } = token;
    const start = offset;
    offset += value.length;
    const code = type !== 'WhiteSpace' && type !== 'LineTerminatorSequence' && !type.endsWith('Comment');
    if (code) {
      if (type === 'StringLiteral' || type === 'NoSubstitutionTemplate') {
        if (PACKAGE.test(value) && (previous === 'from' || previous === 'import' || previous === '(')) {
          imports ||= previous !== '(' || beforePrevious === 'require' || beforePrevious === 'import';
        }
      }
      if (candidate !== null) {
        if (angle > 0) angle += value === '<' ? 1 : /^>+$/.test(value) ? -value.length : 0;
        else if (value === '(') {
          calls.push(candidate);
          candidate = null;
        } else if (value === '<') angle = 1;
        else if (value !== '?.') candidate = null;
        // A comparison, not type arguments: `a.fit < b; …`
        if (angle > 0 && /^[;{})]$/.test(value)) {
          candidate = null;
          angle = 0;
        }
      }
      if (type === 'IdentifierName') {
        const member = previous === '.' || previous === '?.';
        if (member && beforePrevious === 'tf' && LIBRARY.has(value)) imports = true;
        const declared = previous === 'function';
        if ((member && METHODS.has(value)) || (FUNCTIONS.has(value) && !declared)) {
          candidate = { name: value, line, character: start - lineStart };
          angle = 0;
        }
      }
      beforePrevious = previous;
      previous = value;
    }
    for (const newline of value.matchAll(/\r\n|[\n\r\u2028\u2029]/g)) {
      line++;
      lineStart = start + newline.index + newline[0].length;
    }
  }
  return imports ? calls : [];
}

/**
 * Where a recorded call stands now: the found call nearest to the line it was recorded at, so that edits since the run
 * began move it along; the recorded line itself when no call is found.
 * @param line zero-based
 */
export function nearestCall(calls: readonly TrainingCall[], line: number): number {
  let best: number | null = null;
  for (const call of calls) {
    if (best === null || Math.abs(call.line - line) < Math.abs(best - line)) best = call.line;
  }
  return best ?? line;
}
