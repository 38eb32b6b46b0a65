/**
 * A file of records of equal size, a step and float32 numbers each, that is thinned to every second record whenever it
 * has reached its most: what it takes is bounded, and the whole run stays in it.
 */
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { writeAll, writeBeside } from './writing.ts';

export class ThinnedFile {
  readonly numbers: number;
  private readonly header: Uint8Array;
  private readonly most: number;
  private descriptor: number;
  private records = 0;
  /** Steps between records that are kept once the file has been thinned, in records. */
  private thinning = 1;
  private seen = 0;

  /**
   * Begins the file anew.
   * @param header what it begins with; `numbers` in a record behind its step; `most` records, even
   */
  constructor(
    private readonly file: string,
    { header, numbers, most }: { header: Uint8Array; numbers: number; most: number },
  ) {
    this.header = header;
    this.numbers = numbers;
    this.most = most;
    this.descriptor = openSync(file, 'w');
    writeSync(this.descriptor, header);
  }

  append(step: number, values: Float32Array): void {
    if (this.seen++ % this.thinning !== 0) return;
    const record = new ArrayBuffer(8 + 4 * this.numbers);
    new DataView(record).setFloat64(0, step, true);
    new Float32Array(record, 8).set(values);
    writeSync(this.descriptor, new Uint8Array(record));
    if (++this.records >= this.most) this.thin();
  }

  private thin(): void {
    closeSync(this.descriptor);
    const all = readFileSync(this.file);
    const size = 8 + 4 * this.numbers;
    const kept: Uint8Array[] = [all.subarray(0, this.header.length)];
    for (let i = 0; i < this.records; i += 2) {
      const at = this.header.length + i * size;
      kept.push(all.subarray(at, at + size));
    }
    writeBeside(this.file, (descriptor) => writeAll(descriptor, kept));
    this.records = kept.length - 1;
    this.thinning *= 2;
    this.descriptor = openSync(this.file, 'a');
  }
}
