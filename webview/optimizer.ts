/** Optimizers and live λ₁ in words and numbers. */
import type { LiveSharpness, OptimizerInfo } from '../src/protocol/run.ts';
import { formatNumber } from './format.ts';
import { strings } from './strings.ts';

/** "SGD, η 0.1, momentum 0.9". */
export function optimizerText(optimizer: OptimizerInfo | null | undefined): string {
  if (!optimizer) return '–';
  const { learningRate, momentum, useNesterov } = optimizer.config;
  return [
    optimizer.name,
    typeof learningRate === 'number' ? `η ${formatNumber(learningRate)}` : null,
    typeof momentum === 'number' && momentum > 0 ? strings.momentum(formatNumber(momentum)) : null,
    useNesterov === true ? 'Nesterov' : null,
  ]
    .filter(Boolean)
    .join(', ');
}

/** λ₁ and bound of a live measurement as plain numbers. */
export function liveNumbers(live: LiveSharpness): { lambda1: number; bound: number | null } {
  return { lambda1: Number(live.lambda1), bound: live.bound === null ? null : Number(live.bound) };
}
