/** A vector as a TF.js layers model on disk: model.json and weights.bin, as tf.loadLayersModel reads them. */
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BasinError } from '../../protocol/errors.ts';
import type { Capture } from './capture.ts';
import type { LayerVariable } from './layers.ts';
import type { TypedArray, Variable } from './tf.ts';
import type { Vector } from './vectorFile.ts';

/**
 * Written here rather than by model.save, which is asynchronous and would have to wait for a training loop that never
 * yields.
 * @returns the files' names in the directory
 * @throws BasinError `unsupported` without a layers model
 */
export function exportModel(capture: Capture, vector: Vector, directory: string): string[] {
  const { model } = capture;
  if (model === null) {
    throw new BasinError(
      'unsupported',
      'This objective is no single layers model, so it cannot be written as one.',
      'Export it as safetensors instead.',
    );
  }
  const values = valuesOf(capture, vector);
  const specs: { name: string; shape: readonly number[]; dtype: string }[] = [];
  const parts: Uint8Array[] = [];
  for (const weight of model.weights as unknown as readonly LayerVariable[]) {
    const variable = weight.read();
    const data = values.get(variable) ?? variable.dataSync();
    specs.push({ name: weight.originalName, shape: variable.shape, dtype: variable.dtype });
    parts.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  const topology = {
    format: 'layers-model',
    generatedBy: 'Basin',
    convertedBy: null,
    modelTopology: model.toJSON(null, false) as unknown,
    weightsManifest: [{ paths: ['weights.bin'], weights: specs }],
  };
  mkdirSync(directory, { recursive: true });
  // Weights first: a model.json that can be seen has its weights.
  write(join(directory, 'weights.bin'), Buffer.concat(parts));
  write(join(directory, 'model.json'), JSON.stringify(topology));
  return ['model.json', 'weights.bin'];
}

function valuesOf(capture: Capture, vector: Vector): Map<Variable, TypedArray> {
  const values = new Map<Variable, TypedArray>();
  let offset = 0;
  for (const v of capture.variables) values.set(v, vector.values.subarray(offset, (offset += v.size)));
  capture.state.forEach((v, i) => {
    const data = vector.state?.[i];
    if (data !== undefined) values.set(v, data);
  });
  return values;
}

function write(file: string, data: Buffer | string): void {
  const beside = `${file}.${String(process.pid)}.part`;
  writeFileSync(beside, data);
  renameSync(beside, file);
}
