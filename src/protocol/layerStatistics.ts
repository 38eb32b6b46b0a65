/**
 * layers.bin (layers.<objective>.bin for objectives after the first): what was read of each parameter along the run.
 *
 * Header of 32 bytes (little-endian): magic 'BLYR', uint32 format 1, uint32 parameters p, uint32 objective,
 * uint32 fields f, 12 bytes zero. Then records of 8 + 4·f·p bytes: float64 step, then for each parameter, in the order
 * of ObjectiveInfo.parameters, f float32 in the order of {@link layerFields}; NaN where a number was not read.
 * A reader takes the first fields that it knows and skips the rest. A file that has reached its most records is thinned
 * to every second one, so it never grows beyond {@link LAYERS_MOST_BYTES} or {@link LAYERS_FEWEST_RECORDS} records.
 * A torn tail (less than a record) is dropped by the reader.
 */
export const LAYERS_MAGIC = 0x52594c42;
export const LAYERS_HEADER_BYTES = 32;
export const LAYERS_MOST_BYTES = 8 << 20;
export const LAYERS_FEWEST_RECORDS = 128;

/**
 * gradientNorm: ‖g_k‖ of this step's batch. updateNorm: ‖θ_k − θ_{k−1}‖, of the update before this step's loss.
 * weightNorm: ‖θ_k‖. alignment: the cosine of g_{k−1} and g_k. dead: output units whose incoming weights have had a
 * gradient of exactly zero in each of the last {@link DEAD_AFTER} records; kernels only.
 */
export const layerFields = ['gradientNorm', 'updateNorm', 'weightNorm', 'alignment', 'dead'] as const;
export type LayerField = (typeof layerFields)[number];

/** Successive records in which a unit must be without a gradient to count as dead. */
export const DEAD_AFTER = 8;
/**
 * Of the steps at which weights are read, every so many-th has its parameters read too (each one where recording at every
 * step was asked for): they take more time than the norms of all weights together.
 */
export const LAYERS_STRIDE = 4;

export interface LayersHeader {
  readonly parameters: number;
  readonly objective: number;
  readonly fields: number;
}

export const layersRecordBytes = ({
  parameters,
  fields,
}: Pick<LayersHeader, 'parameters' | 'fields'>): number => 8 + 4 * parameters * fields;

/** Records after which the file is thinned. Even. */
export function mostLayerRecords(parameters: number): number {
  const fit = Math.floor(LAYERS_MOST_BYTES / layersRecordBytes({ parameters, fields: layerFields.length }));
  return Math.max(LAYERS_FEWEST_RECORDS, 2 * Math.floor(fit / 2));
}

export const layersFile = (objective: number): string =>
  objective === 0 ? 'layers.bin' : `layers.${objective}.bin`;

export function encodeLayersHeader({ parameters, objective, fields }: LayersHeader): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(LAYERS_HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, LAYERS_MAGIC, true);
  view.setUint32(4, 1, true);
  view.setUint32(8, parameters, true);
  view.setUint32(12, objective, true);
  view.setUint32(16, fields, true);
  return bytes;
}

/** null when the bytes are no header of layer statistics. */
export function parseLayersHeader(bytes: Uint8Array): LayersHeader | null {
  if (bytes.length < LAYERS_HEADER_BYTES) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, LAYERS_HEADER_BYTES);
  const parameters = view.getUint32(8, true);
  const fields = view.getUint32(16, true);
  if (view.getUint32(0, true) !== LAYERS_MAGIC || view.getUint32(4, true) !== 1) return null;
  if (parameters === 0 || fields === 0 || parameters * fields > 1e8) return null;
  return { parameters, objective: view.getUint32(12, true), fields };
}
