/** layers.bin as it lies on disk; see protocol/layerStatistics.ts for the layout. */
import { readFile } from 'node:fs/promises';
import { BasinError } from '../protocol/errors.ts';
import {
  layerFields,
  LAYERS_HEADER_BYTES,
  layersRecordBytes,
  parseLayersHeader,
  type LayerField,
} from '../protocol/layerStatistics.ts';
import { isMissing } from './files.ts';

export interface LayerRecord {
  readonly step: number;
  /** A field of a parameter, by its place among ObjectiveInfo.parameters; NaN where it was not read. */
  readonly value: (parameter: number, field: LayerField) => number;
}

export interface LayerRecords {
  readonly parameters: number;
  /** By step. */
  readonly records: readonly LayerRecord[];
}

/**
 * The whole file, at most the 8 MB or so that a probe lets it grow to; null when nothing was recorded.
 * Records end where steps stop growing: a file made longer in advance is followed by zeros.
 * @throws BasinError `corrupt-run` when the file is none of layer statistics, or cannot be read
 */
export async function readLayers(file: string): Promise<LayerRecords | null> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(file);
  } catch (error) {
    if (isMissing(error)) return null;
    throw new BasinError('corrupt-run', `${file} cannot be read: ${(error as Error).message}.`);
  }
  if (bytes.length < LAYERS_HEADER_BYTES) return null;
  const header = parseLayersHeader(bytes);
  if (header === null) {
    throw new BasinError('corrupt-run', `${file} holds no layer statistics.`, 'Delete the file.');
  }
  const { parameters, fields } = header;
  const size = layersRecordBytes(header);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const records: LayerRecord[] = [];
  let last = -1;
  for (let from = LAYERS_HEADER_BYTES; from + size <= bytes.length; from += size) {
    const step = view.getFloat64(from, true);
    if (!Number.isInteger(step) || step < 0 || step <= last) break;
    last = step;
    const value = (parameter: number, field: LayerField): number => {
      const place = layerFields.indexOf(field);
      if (place >= fields || parameter < 0 || parameter >= parameters) return NaN;
      return view.getFloat32(from + 8 + 4 * (parameter * fields + place), true);
    };
    records.push({ step, value });
  }
  return { parameters, records };
}
