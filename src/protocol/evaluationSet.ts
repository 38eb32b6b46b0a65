/**
 * data/<split>[.<objective>].safetensors: the samples that every question to a run is asked on.
 *
 * Batches are numbered from 0; batch b's leaves (the tensors that the loss closure reads and did not make itself,
 * in the order of first use) are tensors named `b<batch>/<leaf>`. Leaves that are the same in every batch are
 * stored once as `shared/<leaf>`. Metadata `batches` is a JSON array of BatchInfo.
 */
import * as v from 'valibot';
import { numberSchema } from './run.ts';

export const batchInfoSchema = v.object({
  /** Update whose loss was computed on this batch; −1 for validation data. */
  step: v.number(),
  samples: v.number(),
  /** Loss recorded by training at that step's weights; null for validation data. */
  loss: v.nullable(numberSchema),
  /** Draws of Math.random that the closure took, for replaying noise (TF.js). */
  draws: v.array(v.number()),
});
export type BatchInfo = v.InferOutput<typeof batchInfoSchema>;

export function evaluationSetFile(split: 'train' | 'validation', objective: number): string {
  return `${split}${objective === 0 ? '' : `.${objective}`}.safetensors`;
}
