/**
 * The largest curvature at which an optimizer's step is stable on a quadratic.
 *
 * Gradient descent 2/η; Polyak momentum (2 + 2β)/η; Nesterov momentum (2 + 2β)/(η(1 + 2β)) (Cohen et al. 2021,
 * appendix B; all for full-batch steps). A decay of the weights inside the step adds itself to every eigenvalue.
 * Adaptive optimizers are stable while the *preconditioned* Hessian's largest eigenvalue is below (2 + 2β₁)/((1 − β₁)η)
 * (Cohen et al. 2022); the plain λ₁ says nothing about that, so no bound is stated.
 */
import type { OptimizerInfo } from './run.ts';
import type { Verdict } from './results.ts';

/** λ₁ within this share of the bound counts as the edge of stability. */
const EDGE = 0.1;

export interface StabilityBound {
  /** Largest stable λ₁; null when none can be stated for the plain Hessian. */
  readonly bound: number | null;
  /** Such as "2/η"; null with the bound. */
  readonly formula: string | null;
  /** Why there is no bound, for people; null when there is one. */
  readonly reason: string | null;
}

/**
 * The optimizer's own bound at a learning rate.
 * @param learningRate in force; the one in the optimizer's configuration when null
 */
export function stabilityBound(optimizer: OptimizerInfo | null, learningRate: number | null): StabilityBound {
  if (optimizer === null) return unknown('the optimizer is not known');
  const kind = optimizer.name.toLowerCase().replace(/optimizer$/, '');
  if (!['sgd', 'momentum', 'gd', 'gradientdescent'].includes(kind))
    return unknown(whyAdaptive(optimizer, kind));
  const { config } = optimizer;
  const number = (...names: string[]): number | null => {
    for (const name of names) if (typeof config[name] === 'number') return config[name];
    return null;
  };
  const rate = learningRate ?? number('learningRate', 'learning_rate', 'lr');
  if (rate === null || !(rate > 0)) return unknown('the learning rate is not known');
  const beta = number('momentum') ?? 0;
  const dampening = number('dampening') ?? 0;
  const decay = number('weight_decay', 'weightDecay') ?? 0;
  const nesterov = (config.useNesterov ?? config.nesterov) === true;
  if (!(beta >= 0 && beta < 1)) return unknown(`a momentum of ${beta} is outside 0..1`);

  // v ← βv + (1 − dampening)·g is momentum at the rate (1 − dampening)·η.
  const scale = beta > 0 ? 1 - dampening : 1;
  let bound = 2 / rate;
  let formula = '2/η';
  if (beta > 0 && nesterov) {
    bound = (2 + 2 * beta) / (rate * (1 + 2 * beta));
    formula = '(2+2β)/(η(1+2β))';
  } else if (beta > 0) {
    bound = (2 + 2 * beta) / (rate * scale);
    formula = scale === 1 ? '(2+2β)/η' : '(2+2β)/(η(1−dampening))';
  }
  if (decay !== 0) formula += ' − weight decay';
  return { bound: bound - decay, formula, reason: null };
}

/** The bound's formula for people: such as "2/η", or "bound" where none can be stated. */
export function boundFormula(optimizer: OptimizerInfo | null | undefined): string {
  return stabilityBound(optimizer ?? null, 1).formula ?? 'bound';
}

/** Where λ₁ stands: edge is within 10 % of the bound, unknown without a bound or with a λ₁ that is not finite. */
export function verdictOf(lambda1: number, bound: number | null): Verdict {
  if (bound === null || !(bound > 0) || !Number.isFinite(lambda1)) return 'unknown';
  if (lambda1 > bound * (1 + EDGE)) return 'above';
  return lambda1 >= bound * (1 - EDGE) ? 'edge' : 'below';
}

const adaptive = new Set([
  'adam',
  'adamw',
  'adamax',
  'nadam',
  'radam',
  'amsgrad',
  'rmsprop',
  'adagrad',
  'adadelta',
]);

function whyAdaptive(optimizer: OptimizerInfo, kind: string): string {
  return adaptive.has(kind)
    ? `${optimizer.name} scales each parameter by itself, so what bounds it is the preconditioned Hessian, not λ₁`
    : `no stability bound is known for ${optimizer.name}`;
}

function unknown(reason: string): StabilityBound {
  return { bound: null, formula: null, reason };
}
