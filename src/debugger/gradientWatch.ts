/** Gradients parameter by parameter, step after step: where NaN began, and which vanish, explode or never come. */
import type { ParameterInfo, StepRecord } from '../protocol/run.ts';
import type { ParameterStatistics } from '../protocol/standing.ts';
import { eventSentence } from '../protocol/trainingEvents.ts';
import type { TrainingEvent, TrainingEventId } from './events.ts';

/** Norm of a gradient over that of its weights, below which no step of a usual size moves them. */
const VANISHED = 1e-8;
const EXPLODED = 100;
const WINDOW = 50;
/** Norms that have to be known before one can be out of the usual. */
const LEAST = 10;
/** Successive steps without a gradient that make a unit dead, and the share of a kernel's units that is told. */
const DEAD_STEPS = 20;
const DEAD_SHARE = 0.2;
/** What hovers about a threshold is one event: it is over when it has come so far back from there. */
const VANISHED_OVER = 10 * VANISHED;
const EXPLODED_OVER = EXPLODED / 2;
const DEAD_SHARE_OVER = DEAD_SHARE / 2;

interface Found {
  readonly id: TrainingEventId;
  /** What is the case, in a sentence; null where nothing is. */
  readonly text: string | null;
  /** Whether what was the case is so no more. */
  readonly isOver: boolean;
}

export class GradientWatch {
  private readonly norms: number[][];
  /** For each kernel's units, how many steps long each has been without a gradient. */
  private readonly without = new Map</* parameter */ string, Uint8Array>();
  /** Told once each, until it is over. */
  private readonly told = new Set<string>();

  constructor(private readonly parameters: readonly ParameterInfo[]) {
    this.norms = parameters.map(() => []);
  }

  /**
   * @param gradient of the step under way, in the order of the parameters
   * @param weights the same of the weights
   */
  next(
    gradient: readonly ParameterStatistics[],
    weights: readonly ParameterStatistics[],
    wanted: ReadonlySet<TrainingEventId>,
  ): TrainingEvent[] {
    return this.parameters.flatMap((parameter, i) => {
      const [g, w] = [gradient[i], weights[i]];
      if (g === undefined || w === undefined) return [];
      const found: Found[] = [
        this.vanished(parameter, g, w),
        this.exploded(parameter, g, this.norms[i] ?? []),
        this.dead(parameter, g),
      ];
      return found.flatMap((one) => this.once(one, parameter.name, wanted));
    });
  }

  private vanished({ name }: ParameterInfo, g: ParameterStatistics, w: ParameterStatistics): Found {
    const is = g.nonFinite === 0 && g.norm < VANISHED * w.norm;
    const text =
      g.norm === 0
        ? `${name} has no gradient at all.`
        : `The gradient of ${name} is ${short(g.norm / w.norm)} of its weights.`;
    const isOver = g.norm >= VANISHED_OVER * w.norm;
    return { id: 'gradient-vanished', text: is ? text : null, isOver };
  }

  private exploded({ name }: ParameterInfo, g: ParameterStatistics, before: number[]): Found {
    const usual = median(before);
    const is = before.length >= LEAST && usual > 0 && g.norm > EXPLODED * usual;
    const text = `The gradient of ${name} is ${short(g.norm / usual)} times its median of ${before.length} steps.`;
    before.push(g.norm);
    if (before.length > WINDOW) before.shift();
    return { id: 'gradient-exploded', text: is ? text : null, isOver: g.norm <= EXPLODED_OVER * usual };
  }

  private dead({ name }: ParameterInfo, { units }: ParameterStatistics): Found {
    if (units === null) return { id: 'dead-units', text: null, isOver: true };
    const before = this.without.get(name) ?? new Uint8Array(units.of);
    const without = new Uint8Array(units.of);
    for (const unit of units.zero) without[unit] = Math.min(DEAD_STEPS, (before[unit] ?? 0) + 1);
    this.without.set(name, without);
    const dead = without.filter((steps) => steps === DEAD_STEPS).length;
    // All of them: the gradient has vanished, which is another event.
    const is = dead > DEAD_SHARE * units.of && dead < units.of;
    const text = `${dead} of the ${units.of} units of ${name} have had no gradient for ${DEAD_STEPS} steps.`;
    return { id: 'dead-units', text: is ? text : null, isOver: dead <= DEAD_SHARE_OVER * units.of };
  }

  /** What nobody wants to know counts as untold: it is, once someone does. */
  private once(
    { id, text, isOver }: Found,
    parameter: string,
    wanted: ReadonlySet<TrainingEventId>,
  ): TrainingEvent[] {
    const key = `${id} ${parameter}`;
    if (isOver || !wanted.has(id)) this.told.delete(key);
    if (text === null || !wanted.has(id) || this.told.has(key)) return [];
    this.told.add(key);
    return [{ id, text, parameter }];
  }
}

/**
 * Where NaN or infinity began, in words: in the forward pass or the weights as the probe has found it, else in the
 * gradient, whose backward pass goes from the last parameter to the first.
 */
export function whereNonFinite(
  { step, objective, nonFinite }: Pick<StepRecord, 'step' | 'objective' | 'nonFinite'>,
  parameters: readonly ParameterInfo[],
  gradient: readonly ParameterStatistics[],
): { readonly text: string; readonly parameter?: string } {
  if (nonFinite !== undefined && nonFinite.what !== 'gradient') {
    const { began } = nonFinite;
    const text = eventSentence({ kind: 'non-finite', objective, step: began, seen: step, found: nonFinite });
    const parameter = nonFinite.first?.parameter;
    return parameter == null ? { text } : { text, parameter };
  }
  const hit = parameters.filter((_, i) => (gradient[i]?.nonFinite ?? 0) > 0);
  // The probe has seen them before they were clipped, and in the order in which they run where that is known to it.
  const seen = (name: string | null | undefined): ParameterInfo | undefined =>
    parameters.find((parameter) => parameter.name === name);
  const first = seen(nonFinite?.first?.parameter) ?? hit[0];
  const last = seen(nonFinite?.last?.parameter) ?? hit.at(-1);
  const count = nonFinite?.parameters ?? hit.length;
  if (first === undefined || last === undefined)
    return { text: 'The loss is NaN or infinite, its gradient is not.' };
  const named = ({ name, layer }: ParameterInfo): string =>
    layer === null || layer === name ? name : `${name} (layer ${layer})`;
  if (count === 1)
    return { text: `The gradient of ${named(first)} is NaN or infinite.`, parameter: first.name };
  const spread =
    count === parameters.length
      ? ', or somewhere, where the script has scaled all of them by their norm'
      : '';
  const text =
    `The gradients of ${count} of ${parameters.length} parameters are NaN or infinite, ${first.name} to ${last.name}: ` +
    `by their order it comes from ${named(last)} or behind it${spread}.`;
  return { text, parameter: last.name };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? 0;
}

const short = (x: number): string => String(Number(x.toPrecision(2)));
