/** What to call an optimizer and the bound that its stability sets to λ₁. */
import type { LiveSharpness, OptimizerInfo } from '../src/protocol/run.ts';
import type { Verdict } from '../src/protocol/results.ts';
import { formatNumber } from './format.ts';

/** λ₁ within this share of the bound counts as the edge of stability. */
const EDGE = 0.1;

/** The bound as a formula: 2/η, heavy ball (2+2β)/η, Nesterov (2+2β)/(η(1+2β)). */
export function boundFormula(optimizer: OptimizerInfo | null | undefined): string {
  const momentum = optimizer?.config['momentum'];
  if (typeof momentum === 'number' && momentum > 0) {
    return optimizer?.config['useNesterov'] === true ? '(2+2β)/(η(1+2β))' : '(2+2β)/η';
  }
  return optimizer?.name.toLowerCase().startsWith('sgd') ? '2/η' : 'bound';
}

/** "SGD, η 0.1, momentum 0.9". */
export function optimizerText(optimizer: OptimizerInfo | null | undefined): string {
  if (!optimizer) return '–';
  const { learningRate, momentum, useNesterov } = optimizer.config;
  return [
    optimizer.name,
    typeof learningRate === 'number' ? `η ${formatNumber(learningRate)}` : null,
    typeof momentum === 'number' && momentum > 0 ? `momentum ${formatNumber(momentum)}` : null,
    useNesterov === true ? 'Nesterov' : null,
  ]
    .filter(Boolean)
    .join(', ');
}

export function verdictOf(lambda1: number, bound: number | null): Verdict {
  if (bound === null || !Number.isFinite(lambda1) || !(bound > 0)) return 'unknown';
  if (lambda1 > bound * (1 + EDGE)) return 'above';
  return lambda1 >= bound * (1 - EDGE) ? 'edge' : 'below';
}

/** λ₁ and bound of a live measurement as plain numbers. */
export function liveNumbers(live: LiveSharpness): { lambda1: number; bound: number | null } {
  return { lambda1: Number(live.lambda1), bound: live.bound === null ? null : Number(live.bound) };
}
