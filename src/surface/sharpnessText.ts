/** Words for λ₁ against the optimizer's stability bound, as hints, tree and status show them. */
import { decodeNumber } from '../protocol/run.ts';
import { boundFormula, verdictOf } from '../protocol/stability.ts';
import type { LiveSharpness, OptimizerInfo, RunManifest, StepRecord } from '../protocol/run.ts';
import type { SharpnessResult, Verdict } from '../protocol/results.ts';

export const verdictWords: Readonly<Record<Verdict, string>> = {
  below: 'stable',
  edge: 'edge of stability',
  above: 'unstable',
  unknown: 'no bound known',
};

/** Three significant digits, without an exponent where it can be read without one. */
export function shortNumber(x: number): string {
  if (!Number.isFinite(x)) return Number.isNaN(x) ? 'NaN' : x > 0 ? '∞' : '−∞';
  if (x === 0) return '0';
  const magnitude = Math.abs(x);
  const text =
    magnitude >= 1e5 || magnitude < 1e-3
      ? x.toExponential(2)
      : magnitude >= 100
        ? x.toFixed(0)
        : x.toPrecision(3);
  return text.replace('-', '−');
}

/** `λ₁ 12.3 · 2/η 20.0 · stable`, the bound left out where none is known. */
export function sharpnessText(
  lambda1: number,
  bound: number | null,
  optimizer: OptimizerInfo | null,
): string {
  const head = `λ₁ ${shortNumber(lambda1)}`;
  if (bound === null) return head;
  return `${head} · ${boundFormula(optimizer)} ${shortNumber(bound)} · ${verdictWords[verdictOf(lambda1, bound)]}`;
}

/** The latest λ₁ of an objective among live measurements. */
export function latestSharpness(live: readonly LiveSharpness[], objective: number): LiveSharpness | null {
  return live.filter((l) => l.objective === objective).at(-1) ?? null;
}

/** A kept analysis of a snapshot in the form of a live measurement; null for one of a built model. */
export function atSnapshot(result: SharpnessResult, objective: number): LiveSharpness | null {
  const [lambda1] = result.eigenvalues;
  const [residual] = result.residuals;
  if (!/^\d+$/.test(result.at) || lambda1 === undefined || residual === undefined) return null;
  return {
    step: Number(result.at),
    objective,
    lambda1,
    residual: residual / Math.abs(lambda1),
    products: result.products,
    samples: result.data.samples,
    learningRate: result.learningRate,
    bound: result.stabilityBound,
    seconds: result.provenance.seconds,
  };
}

/** `step 1200 · loss 0.312`. */
export function stepText(step: StepRecord): string {
  return `step ${step.step} · loss ${shortNumber(decodeNumber(step.loss))}`;
}

/** A run's description in the tree: state in words where it matters, last loss, λ₁'s verdict. */
export function runText(run: RunManifest, last: StepRecord | null, live: readonly LiveSharpness[]): string {
  const parts: string[] = [];
  const words: Partial<Record<RunManifest['state'], string>> = {
    starting: 'starting',
    paused: 'paused',
    held: 'held',
    failed: 'failed',
    interrupted: 'interrupted',
    'no-training': 'no training',
  };
  const state = words[run.state];
  if (state !== undefined) parts.push(state);
  if (last !== null) parts.push(stepText(last));
  const sharpness = latestSharpness(live, 0);
  if (sharpness !== null) {
    const lambda1 = decodeNumber(sharpness.lambda1);
    const bound = sharpness.bound === null ? null : decodeNumber(sharpness.bound);
    const verdict = verdictOf(lambda1, bound);
    parts.push(
      verdict === 'unknown'
        ? `λ₁ ${shortNumber(lambda1)}`
        : `λ₁ ${shortNumber(lambda1)} ${verdictWords[verdict]}`,
    );
  }
  return parts.join(' · ');
}
