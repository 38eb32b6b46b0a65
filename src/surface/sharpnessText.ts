/** Words for λ₁ against the optimizer's stability bound, as hints, tree and status show them. */
import * as vscode from 'vscode';
import { decodeNumber, knownNumber } from '../protocol/run.ts';
import { boundFormula, verdictOf } from '../protocol/stability.ts';
import type { LiveSharpness, OptimizerInfo, RunManifest, RunState, StepRecord } from '../protocol/run.ts';
import type { SharpnessResult, Verdict } from '../protocol/results.ts';
import { localNumber } from './localNumber.ts';
import { shortNumber } from './shortNumber.ts';

export function verdictWords(verdict: Verdict): string {
  switch (verdict) {
    case 'below':
      return vscode.l10n.t('stable');
    case 'edge':
      return vscode.l10n.t('edge of stability');
    case 'above':
      return vscode.l10n.t('unstable');
    case 'unknown':
      return vscode.l10n.t('no bound known');
  }
}

/** A bound's formula; the one word among them in the editor's language. */
export function boundName(optimizer: OptimizerInfo | null | undefined): string {
  const formula = boundFormula(optimizer);
  return formula === 'bound' ? vscode.l10n.t('bound') : formula;
}

/** `λ₁ 12.3 · 2/η 20.0 · stable`, the bound left out where none is known. */
export function sharpnessText(
  lambda1: number,
  bound: number | null,
  optimizer: OptimizerInfo | null,
): string {
  const head = `λ₁ ${shortNumber(lambda1)}`;
  if (bound === null) return head;
  return `${head} · ${boundName(optimizer)} ${shortNumber(bound)} · ${verdictWords(verdictOf(lambda1, bound))}`;
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
  const loss = knownNumber(step.loss);
  return loss === null
    ? vscode.l10n.t('step {0} · loss not known', step.step)
    : vscode.l10n.t('step {0} · loss {1}', step.step, localNumber(loss));
}

/** A run's description in the tree: state in words where it matters, last loss, λ₁'s verdict. */
export function runText(run: RunManifest, last: StepRecord | null, live: readonly LiveSharpness[]): string {
  const parts: string[] = [];
  const state = unfinishedWords(run.state);
  if (state !== null) parts.push(state);
  if (last !== null) parts.push(stepText(last));
  const sharpness = latestSharpness(live, 0);
  if (sharpness !== null) {
    const lambda1 = decodeNumber(sharpness.lambda1);
    const bound = sharpness.bound === null ? null : decodeNumber(sharpness.bound);
    const verdict = verdictOf(lambda1, bound);
    parts.push(
      verdict === 'unknown'
        ? `λ₁ ${localNumber(lambda1)}`
        : `λ₁ ${localNumber(lambda1)} ${verdictWords(verdict)}`,
    );
  }
  return parts.join(' · ');
}

/** The state in words. */
export function stateWords(state: RunState): string {
  switch (state) {
    case 'training':
      return vscode.l10n.t('training');
    case 'finished':
      return vscode.l10n.t('finished');
    case 'starting':
      return vscode.l10n.t('starting');
    case 'paused':
      return vscode.l10n.t('paused');
    case 'held':
      return vscode.l10n.t('held');
    case 'failed':
      return vscode.l10n.t('failed');
    case 'interrupted':
      return vscode.l10n.t('interrupted');
    case 'no-training':
      return vscode.l10n.t('no training');
  }
}

/** null for the two states that a row's icon and numbers tell. */
const unfinishedWords = (state: RunState): string | null =>
  state === 'training' || state === 'finished' ? null : stateWords(state);
