/**
 * The largest curvature at which an optimizer's step is stable on a quadratic.
 *
 * Gradient descent 2/η; Polyak momentum (2 + 2β)/η; Nesterov momentum (2 + 2β)/(η(1 + 2β)) (Cohen et al. 2021,
 * appendix B; all for full-batch steps). A decay of the weights inside the step adds itself to every eigenvalue.
 * Adaptive optimizers are stable while the *preconditioned* Hessian's largest eigenvalue is below (2 + 2β₁)/((1 − β₁)η)
 * (Cohen et al. 2022, "Adaptive gradient methods at the edge of stability"); the plain λ₁ says nothing about that, so no
 * bound is stated for it.
 */
import type { EvaluatorDescription } from './evaluator.ts';
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
  const differ = groupsDiffer(optimizer);
  if (differ !== null) return unknown(differ);
  const kind = kindOf(optimizer);
  if (!['sgd', 'momentum', 'gd', 'gradientdescent'].includes(kind))
    return unknown(whyAdaptive(optimizer, kind));
  const { config } = optimizer;
  if (config.maximize === true)
    return unknown('the optimizer ascends (maximize), which no positive curvature leaves stable');
  const number = numbersOf(optimizer);
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

/** Why parameter groups that step differently have no bound in common; null where they do not. */
function groupsDiffer({ config }: OptimizerInfo): string | null {
  if (typeof config.groupsDiffer !== 'string') return null;
  return `its parameter groups step differently (${config.groupsDiffer}), so λ₁ of all of them has no bound`;
}

/** What an adaptive optimizer divides its step by, element by element: √v̂ + ε, or √(v̂ + ε). */
export interface Preconditioner {
  /** Added to the root, or to what it is taken of; negative where the framework subtracts it. */
  readonly epsilon: number;
  readonly insideRoot: boolean;
  /** A decay of the weights that is part of the gradient: it adds itself to the Hessian's eigenvalues. */
  readonly decay: number;
  /** Decay of the first moment, which early steps are corrected for; 0 where there is none. */
  readonly beta1: number;
}

export interface PreconditionedBound extends StabilityBound {
  /** null with the bound. */
  readonly preconditioner: Preconditioner | null;
}

/**
 * The largest eigenvalue of P⁻¹H at which Adam or RMSProp is stable on a quadratic, P its preconditioner held fixed:
 * (2 + 2β₁)/((1 − β₁)η) where the momentum is an average (38/η at β₁ = 0.9), (2 + 2β)/η where it is a sum, 2/η without.
 * A decay λ that is applied beside the step (AdamW) takes λ(1 + β₁)/(1 − β₁) from the bound.
 * @param learningRate in force; the one in the optimizer's configuration when null
 * @returns null for an optimizer that is not adaptive
 */
export function preconditionedBound(
  optimizer: OptimizerInfo | null,
  framework: EvaluatorDescription['framework'],
  learningRate: number | null,
): PreconditionedBound | null {
  if (optimizer === null) return null;
  const kind = kindOf(optimizer);
  if (!adaptive.has(kind)) return null;
  const refuse = (reason: string): PreconditionedBound => ({ ...unknown(reason), preconditioner: null });
  const differ = groupsDiffer(optimizer);
  if (differ !== null) return refuse(differ);
  if (!['adam', 'adamw', 'rmsprop'].includes(kind)) {
    return refuse(`no bound on the preconditioned Hessian is known for ${optimizer.name}`);
  }
  const number = numbersOf(optimizer);
  const rate = learningRate ?? number('learningRate', 'learning_rate', 'lr');
  const epsilon = number('epsilon', 'eps');
  if (rate === null || !(rate > 0)) return refuse('the learning rate is not known');
  if (epsilon === null) return refuse(`the ε of ${optimizer.name} is not known`);
  const decay = number('weight_decay', 'weightDecay') ?? 0;
  if (kind === 'rmsprop') {
    const beta = number('momentum') ?? 0;
    if (!(beta >= 0 && beta < 1)) return refuse(`a momentum of ${beta} is outside 0..1`);
    // TensorFlow.js takes ε into the root, and where it centres the squares it subtracts it there.
    const insideRoot = framework === 'tfjs';
    const sign = insideRoot && optimizer.config.centered === true ? -1 : 1;
    return {
      bound: (2 + 2 * beta) / rate,
      formula: beta > 0 ? '(2+2β)/η' : '2/η',
      reason: null,
      preconditioner: { epsilon: sign * epsilon, insideRoot, decay, beta1: 0 },
    };
  }
  const beta1 = number('beta1');
  if (beta1 === null || !(beta1 >= 0 && beta1 < 1)) return refuse(`the β₁ of ${optimizer.name} is not known`);
  const beside = kind === 'adamw' || optimizer.config.decoupled_weight_decay === true;
  const taken = beside ? (decay * (1 + beta1)) / (1 - beta1) : 0;
  return {
    bound: (2 + 2 * beta1) / ((1 - beta1) * rate) - taken,
    formula: `(2+2β₁)/((1−β₁)η)${taken === 0 ? '' : ' − weight decay·(1+β₁)/(1−β₁)'}`,
    reason: null,
    preconditioner: { epsilon, insideRoot: false, decay: beside ? 0 : decay, beta1 },
  };
}

/**
 * The learning rate at which the optimizer's bound is λ₁, were λ₁ to stay as it is. A bound is c/η − w, with the decay w of
 * the weights inside of the step: c and w follow from its values at two learning rates.
 * @param rate the learning rate in force
 * @returns null where no bound is known, or no learning rate has it
 */
export function edgeRate(optimizer: OptimizerInfo | null, lambda1: number, rate: number): number | null {
  const [once, twice] = [rate, 2 * rate].map((eta) => stabilityBound(optimizer, eta).bound);
  if (once == null || twice == null) return null;
  const c = 2 * rate * (once - twice);
  const edge = c / (lambda1 + c / rate - once);
  return Number.isFinite(edge) && edge > 0 ? edge : null;
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

function kindOf(optimizer: OptimizerInfo): string {
  return optimizer.name.toLowerCase().replace(/optimizer$/, '');
}

/** Looks up the first number of the configuration under some names; null where there is none. */
function numbersOf({ config }: OptimizerInfo): (...names: string[]) => number | null {
  return (...names) => {
    for (const name of names) if (typeof config[name] === 'number') return config[name];
    return null;
  };
}

function unknown(reason: string): StabilityBound {
  return { bound: null, formula: null, reason };
}
