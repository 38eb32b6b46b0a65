/** What happened in a run beside its going on: loss spikes, NaN or Infinity and where it began, the edge of stability, dead units. */
import { DEAD_AFTER } from './layerStatistics.ts';
import type { NonFinite } from './run.ts';

export interface LossSpike {
  readonly kind: 'spike';
  readonly objective: number;
  /** The first step whose loss was above the threshold. */
  readonly step: number;
  /** Step at which it was known to be no single batch. */
  readonly confirmed: number;
  /** Of the losses in the window before it. */
  readonly median: number;
  readonly threshold: number;
  readonly peak: { readonly step: number; readonly loss: number };
  /** The step at which the loss was back; null while it is not, or where it stayed. */
  readonly until: number | null;
  /** Where it began; null where too few records of the layers lie near it, absent where nobody has looked. */
  readonly origin?: SpikeOrigin | null;
}

/** What the records of the layers tell of a spike's beginning, of those from one step to another. */
export interface SpikeOrigin {
  readonly from: number;
  readonly to: number;
  /** What was first out of its range; null where nothing was. */
  readonly first: LayerJump | null;
}

export interface LayerJump {
  readonly parameter: string;
  readonly layer: string | null;
  /** ‖g‖, or ‖θ_k − θ_{k−1}‖/‖θ_k‖ of the update before the step's loss. */
  readonly what: 'gradient' | 'update';
  /** Of the record. One after the spike's own step tells what it has come to, and not where it began. */
  readonly step: number;
  /** Over its median in the records before; null where that was zero. */
  readonly times: number | null;
}

export interface NonFiniteEvent {
  readonly kind: 'non-finite';
  readonly objective: number;
  /** Step in whose loss, gradient or update it began. */
  readonly step: number;
  /** Step at which it was seen. */
  readonly seen: number;
  /** null where only the loss told. */
  readonly found: NonFinite | null;
}

/** λ₁, as measured while the run trains, has come above the optimizer's bound. */
export interface EdgeEvent {
  readonly kind: 'edge';
  readonly objective: number;
  readonly step: number;
  readonly lambda1: number;
  readonly bound: number;
}

/** Units of a parameter whose incoming weights have had no gradient for some time. */
export interface DeadUnitsEvent {
  readonly kind: 'dead-units';
  readonly objective: number;
  readonly step: number;
  readonly parameter: string;
  readonly layer: string | null;
  readonly units: number;
  readonly of: number;
}

export type TrainingEvent = LossSpike | NonFiniteEvent | EdgeEvent | DeadUnitsEvent;

/** The event in a sentence. */
export function eventSentence(event: TrainingEvent): string {
  if (event.kind === 'spike') {
    const { step, peak, median, until } = event;
    const back = until === null ? '' : `, back at step ${until}`;
    return `Loss spike at step ${step}: up to ${short(peak.loss)}, the median before it was ${short(median)}${back}.${originSentence(event)}`;
  }
  if (event.kind === 'edge') {
    const { step, lambda1, bound } = event;
    return `Edge of stability crossed at step ${step}: λ₁ ${short(lambda1)} is above its bound ${short(bound)}.`;
  }
  if (event.kind === 'dead-units') {
    const { step, units, of } = event;
    return `Dead units at step ${step}: ${units} of ${of} in ${place(event)}, whose weights have had no gradient in the last ${DEAD_AFTER} records.`;
  }
  const { step, found } = event;
  if (found === null) return `The loss is NaN or infinite from step ${step} on.`;
  if (found.what === 'forward') {
    const at = found.first === null ? '' : ` first in ${place(found.first)}`;
    const by = found.operation == null ? '' : ` (${found.operation})`;
    if (found.cameIn === true)
      return `The loss is NaN or infinite at step ${step} because what is read there is: the data of this step hold NaN or Infinity, met${at}${by}.`;
    return `The loss is NaN or infinite at step ${step} though all weights are finite: it began in the forward pass${at}${by}.`;
  }
  const { first, last, parameters } = found;
  const where =
    parameters === 1 || last === null
      ? place(first)
      : `${parameters} parameters, ${place(first)} to ${place(last)}: a backward pass goes from the last to the first`;
  return found.what === 'gradient'
    ? `The gradient is NaN or infinite at step ${step}, in ${where}.`
    : `The update of step ${step} made weights NaN or infinite, in ${where}.`;
}

function originSentence({ step, origin }: LossSpike): string {
  if (origin === undefined) return '';
  if (origin === null) return ' Where it began is unknown: too few records of the layers lie near it.';
  const { from, to, first } = origin;
  if (first === null) {
    const where = from === to ? `in the record of step ${from}` : `in the records of steps ${from} to ${to}`;
    return ` No layer's gradient or update was out of its range ${where}.`;
  }
  const much = first.times === null ? 'which had been zero' : `${short(first.times)} times its median`;
  if (first.step > step)
    return ` Where it began was not recorded; at step ${first.step} the ${first.what} of ${place(first)} was furthest out of its range, ${much}.`;
  return ` It began in ${place(first)}: its ${first.what} was the first out of its range, ${much} at step ${first.step}.`;
}

function place(of: NonFinite['first']): string {
  if (of === null) return 'an unknown place';
  const { layer, parameter } = of;
  if (layer === null) return parameter ?? 'an unknown place';
  return parameter === null ? `layer ${layer}` : `layer ${layer} (${parameter})`;
}

const short = (x: number): string => (Number.isFinite(x) ? String(Number(x.toPrecision(3))) : String(x));
