/**
 * The momentum of an optimizer, from its configuration: how its updates Δ come from the gradients g of single batches.
 *
 * heavy ball: v ← βv + g, Δ = −ηv (Polyak 1964). nesterov: the same v, Δ = −η(g + βv). adaptive: an average m of the
 * gradients divided by the root of their squares' average, which changes slowly (Adam and its kin; RMSProp's momentum).
 */
import type { OptimizerInfo } from './run.ts';

export interface Momentum {
  /** 0 ≤ β < 1; 0 where an update is made of its own batch's gradient alone. */
  readonly beta: number;
  readonly kind: 'none' | 'heavy-ball' | 'nesterov' | 'adaptive';
  /** Whether the first updates are divided by 1 − βᵗ. */
  readonly corrected: boolean;
}

/** @returns null for an optimizer whose momentum is not known */
export function momentumOf(optimizer: OptimizerInfo | null): Momentum | null {
  if (optimizer === null) return null;
  const name = optimizer.name.toLowerCase().replace(/optimizer$/, '');
  const { config } = optimizer;
  const none: Momentum = { beta: 0, kind: 'none', corrected: false };
  switch (name) {
    case 'sgd':
    case 'gd':
    case 'gradientdescent':
    case 'momentum':
    case 'rmsprop': {
      const beta = config.momentum ?? 0;
      if (!isBeta(beta)) return null;
      if (beta === 0) return none;
      if (name === 'rmsprop') return { beta, kind: 'adaptive', corrected: false };
      const nesterov = (config.useNesterov ?? config.nesterov) === true;
      return { beta, kind: nesterov ? 'nesterov' : 'heavy-ball', corrected: false };
    }
    case 'adam':
    case 'adamw':
    case 'amsgrad':
    case 'adamax':
    case 'nadam':
    case 'radam': {
      const beta = config.beta1;
      return isBeta(beta) ? { beta, kind: 'adaptive', corrected: true } : null;
    }
    case 'adagrad':
    case 'adadelta':
      return none;
    default:
      return null;
  }
}

function isBeta(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value < 1;
}
