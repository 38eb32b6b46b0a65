/** layers.bin as it lies on disk; see protocol/layerStatistics.ts for the layout. */
import { open, type FileHandle } from 'node:fs/promises';
import { BasinError } from '../protocol/errors.ts';
import {
  layerFields,
  LAYERS_HEADER_BYTES,
  layersRecordBytes,
  parseLayersHeader,
  type LayerField,
  type LayersHeader,
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

/** Reads a growing file: each call takes only what was added, unless the file has been thinned or begun anew. */
export class LayersReader {
  private inode: number | null = null;
  private header: LayersHeader | null = null;
  private records: LayerRecord[] = [];

  constructor(private readonly file: string) {}

  /**
   * All records so far, at most the 8 MB or so that a probe lets the file grow to; null when nothing was recorded.
   * Records end where steps stop growing: a file made longer in advance is followed by zeros.
   * @throws BasinError `corrupt-run` when the file is none of layer statistics, or cannot be read
   */
  async read(): Promise<LayerRecords | null> {
    let handle: FileHandle;
    try {
      handle = await open(this.file, 'r');
    } catch (error) {
      this.forget();
      if (isMissing(error)) return null;
      throw new BasinError('corrupt-run', `${this.file} cannot be read: ${(error as Error).message}.`);
    }
    try {
      const { ino, size } = await handle.stat();
      if (ino !== this.inode || !(await this.isWhatWasRead(handle))) this.forget();
      this.inode = ino;
      this.header ??= await this.readHeader(handle, size);
      if (this.header === null) return null;
      await this.readAdded(handle, this.header, size);
    } finally {
      await handle.close();
    }
    return { parameters: this.header.parameters, records: this.records };
  }

  private forget(): void {
    this.inode = this.header = null;
    this.records = [];
  }

  /** Inodes are used again: the last record that was read has to stand where it stood. */
  private async isWhatWasRead(handle: FileHandle): Promise<boolean> {
    const last = this.records.at(-1);
    if (this.header === null || last === undefined) return this.header === null;
    const from = LAYERS_HEADER_BYTES + (this.records.length - 1) * layersRecordBytes(this.header);
    const bytes = new Uint8Array(8);
    const { bytesRead } = await handle.read(bytes, 0, 8, from);
    return bytesRead === 8 && new DataView(bytes.buffer).getFloat64(0, true) === last.step;
  }

  private async readHeader(handle: FileHandle, size: number): Promise<LayersHeader | null> {
    if (size < LAYERS_HEADER_BYTES) return null;
    const bytes = new Uint8Array(LAYERS_HEADER_BYTES);
    await handle.read(bytes, 0, LAYERS_HEADER_BYTES, 0);
    const header = parseLayersHeader(bytes);
    if (header === null) {
      throw new BasinError('corrupt-run', `${this.file} holds no layer statistics.`, 'Delete the file.');
    }
    return header;
  }

  private async readAdded(handle: FileHandle, header: LayersHeader, length: number): Promise<void> {
    const { parameters, fields } = header;
    const size = layersRecordBytes(header);
    const start = LAYERS_HEADER_BYTES + this.records.length * size;
    const whole = Math.floor((length - start) / size);
    if (whole <= 0) return;
    const bytes = new Uint8Array(whole * size);
    const { bytesRead } = await handle.read(bytes, 0, bytes.length, start);
    const view = new DataView(bytes.buffer, 0, bytesRead);
    const added: LayerRecord[] = [];
    let last = this.records.at(-1)?.step ?? -1;
    for (let from = 0; from + size <= bytesRead; from += size) {
      const step = view.getFloat64(from, true);
      if (!Number.isInteger(step) || step < 0 || step <= last) break;
      last = step;
      const value = (parameter: number, field: LayerField): number => {
        const place = layerFields.indexOf(field);
        if (place >= fields || parameter < 0 || parameter >= parameters) return NaN;
        return view.getFloat32(from + 8 + 4 * (parameter * fields + place), true);
      };
      added.push({ step, value });
    }
    // A new list: what was given before stays what it was.
    if (added.length > 0) this.records = [...this.records, ...added];
  }
}

/** The whole file. @throws BasinError as {@link LayersReader.read} */
export const readLayers = (file: string): Promise<LayerRecords | null> => new LayersReader(file).read();
