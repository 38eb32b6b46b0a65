/** Each layer along a run: update ratio, gradients, their alignment, dead units; from what the run recorded of each parameter. */
import { DEAD_AFTER, type LayerField } from '../protocol/layerStatistics.ts';
import {
  SERIES_POINTS,
  type LayersResult,
  type LayersSeries,
  type OverRun,
  type ParameterNumbers,
} from '../protocol/layers.ts';
import type { LiveNoiseScale, ParameterInfo } from '../protocol/run.ts';
import type { TrainingEvent } from '../protocol/trainingEvents.ts';
import { BasinError } from '../protocol/errors.ts';
import type { Draft } from './model.ts';
import { median } from './moments.ts';
import { layerSentences } from './trustLayers.ts';

/** A record of layers.bin; NaN where a number was not read. */
export interface RecordOfParameters {
  readonly step: number;
  readonly value: (parameter: number, field: LayerField) => number;
}

export interface LayersInput {
  readonly records: readonly RecordOfParameters[];
  readonly parameters: readonly ParameterInfo[];
  readonly events: readonly TrainingEvent[];
  readonly noiseScale: LiveNoiseScale | null;
  readonly from: number;
  readonly to: number | null;
}

/** @throws BasinError `no-steps` where nothing was recorded of these steps */
export function layers(input: LayersInput): Draft<LayersResult> {
  const { parameters, events, noiseScale, from } = input;
  const records = input.records.filter((r) => r.step >= from && r.step <= (input.to ?? Infinity));
  const [first, last] = [records[0], records.at(-1)];
  if (first === undefined || last === undefined) {
    throw new BasinError(
      'no-steps',
      'The run has recorded no numbers of its parameters at these steps.',
      input.records.length === 0
        ? 'Let it train for a few steps with this version of Basin.'
        : `There are some from step ${input.records[0]?.step} to ${input.records.at(-1)?.step}.`,
    );
  }
  const over = (of: (record: RecordOfParameters) => number): OverRun => {
    const values = records.map(of).filter((x) => Number.isFinite(x));
    return { last: values.at(-1) ?? null, median: median(values), count: values.length };
  };
  // Before so many records no unit can be known to be dead.
  const seen = input.records.filter((r) => r.step <= last.step).length;
  const numbers = parameters.map((info, i): ParameterNumbers => {
    const field = (name: LayerField) => (record: RecordOfParameters) => record.value(i, name);
    const dead = records.map(field('dead')).filter((x) => !Number.isNaN(x));
    return {
      name: info.name,
      layer: info.layer,
      role: info.role,
      size: info.shape.reduce((a, b) => a * b, 1),
      gradientNorm: over(field('gradientNorm')),
      updateRatio: over((r) => r.value(i, 'updateNorm') / r.value(i, 'weightNorm')),
      weightNorm: over(field('weightNorm')),
      alignment: over(field('alignment')),
      dead:
        dead.length === 0 || seen < DEAD_AFTER || info.filterAxis === null
          ? null
          : {
              units: dead.at(-1) ?? 0,
              of: info.shape[info.filterAxis] ?? 0,
              most: dead.reduce((a, b) => Math.max(a, b), 0),
            },
      nonFinite: firstNonFinite(events, info),
    };
  });
  const gaps = records.slice(1).map((r, i) => r.step - (records[i]?.step ?? 0));
  const result = {
    kind: 'layers' as const,
    from: first.step,
    to: last.step,
    records: records.length,
    every: median(gaps) ?? 1,
    deadAfter: DEAD_AFTER,
    parameters: numbers,
    series: seriesOf(records, numbers),
    alignment: over((record) => alignmentOfAll(record, parameters.length)),
    events,
    noiseScale,
  };
  return { ...result, data: null, trust: layerSentences(result), refreshedStatistics: false };
}

/** Single records, not means over stretches: a layer that jumps is to be seen jumping. */
function seriesOf(
  records: readonly RecordOfParameters[],
  parameters: readonly ParameterNumbers[],
): LayersSeries {
  const count = Math.min(SERIES_POINTS, records.length);
  const shown = Array.from({ length: count }, (_, k) => {
    const place = count === 1 ? 0 : Math.round((k * (records.length - 1)) / (count - 1));
    return records[place] as RecordOfParameters;
  });
  const along = (of: (record: RecordOfParameters) => number): (number | null)[] =>
    shown.map((record) => {
      const value = of(record);
      return Number.isFinite(value) ? Number(value.toPrecision(5)) : null;
    });
  return {
    steps: shown.map(({ step }) => step),
    parameters: parameters.map(({ dead }, i) => ({
      updateRatio: along((r) => r.value(i, 'updateNorm') / r.value(i, 'weightNorm')),
      gradientNorm: along((r) => r.value(i, 'gradientNorm')),
      alignment: along((r) => r.value(i, 'alignment')),
      dead: dead === null ? null : along((r) => r.value(i, 'dead')),
    })),
  };
}

/**
 * cos(g_{k−1}, g_k) of all parameters as one vector would need the norms of both gradients; those of one record are at
 * hand, and ‖g_{k−1}‖ of a parameter is taken to be ‖g_k‖: the mean of the cosines, each weighed by ‖g‖².
 */
function alignmentOfAll(record: RecordOfParameters, parameters: number): number {
  let [sum, weight] = [0, 0];
  for (let i = 0; i < parameters; i++) {
    const [cosine, norm] = [record.value(i, 'alignment'), record.value(i, 'gradientNorm')];
    if (Number.isNaN(cosine) || !Number.isFinite(norm)) continue;
    sum += cosine * norm * norm;
    weight += norm * norm;
  }
  return sum / weight;
}

function firstNonFinite(
  events: readonly TrainingEvent[],
  { name, layer }: ParameterInfo,
): ParameterNumbers['nonFinite'] {
  for (const event of events) {
    if (event.kind !== 'non-finite' || event.found === null) continue;
    const { first, what } = event.found;
    if (first?.parameter === name || (first?.parameter === null && layer !== null && first.layer === layer))
      return { step: event.step, what };
  }
  return null;
}
