/**
 * Writes the run directory, on the worker thread. Appended files grow by whole records, every other file is written
 * beside and renamed, so that the process can be killed between any two instructions.
 */
import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
  writevSync,
} from 'node:fs';
import { join } from 'node:path';
import { encodeNumber, snapshotFile, type RunManifest, type StepRecord } from '../../protocol/run.ts';
import { encodeHeader } from '../../protocol/safetensors.ts';
import { SKETCH_HEADER_BYTES, encodeSketchHeader, sketchRecordBytes } from '../../protocol/sketch.ts';
import type { OutgoingTensor, SketchRecord, StepNumbers, ToWorker } from './channel.ts';
import type { ManifestPatch } from './manifestPatch.ts';

/** run.json is replaced at most this often while only counters change. */
const MANIFEST_INTERVAL = 500;
/** A longer sketch is thinned to every second record: 64 MB at the full dimension. */
const SKETCH_RECORDS = 16_384;

interface SketchFile {
  readonly file: string;
  readonly dimension: number;
  readonly scale: number;
  descriptor: number;
  records: number;
  /** Steps between records that are kept once the file has been thinned, in records. */
  thinning: number;
  seen: number;
}

type Message<T extends ToWorker['type']> = Extract<ToWorker, { type: T }>;

export class RunWriter {
  private readonly manifest: RunManifest;
  private readonly steps: number;
  private readonly sketches = new Map</* objective */ number, SketchFile>();
  private manifestDirty = false;
  private manifestWritten = 0;

  /** @throws when run.json is not there or the directory cannot be written */
  constructor(private readonly directory: string) {
    this.manifest = JSON.parse(readFileSync(join(directory, 'run.json'), 'utf8')) as RunManifest;
    mkdirSync(join(directory, 'snapshots'), { recursive: true });
    mkdirSync(join(directory, 'data'), { recursive: true });
    this.steps = openSync(join(directory, 'steps.jsonl'), 'a');
  }

  patch({ recording, versions, ...rest }: ManifestPatch): void {
    Object.assign(this.manifest, rest);
    Object.assign(this.manifest.versions, versions);
    Object.assign(this.manifest.recording, recording);
    this.writeManifest();
  }

  objective({ index, info, sketch }: Message<'objective'>): void {
    this.manifest.objectives[index] = info;
    if (sketch !== null && !this.sketches.has(index)) {
      const file = join(this.directory, index === 0 ? 'sketch.bin' : `sketch.${index}.bin`);
      const descriptor = openSync(file, 'w');
      writeSync(descriptor, encodeSketchHeader({ ...sketch, objective: index }));
      this.sketches.set(index, { file, ...sketch, descriptor, records: 0, thinning: 1, seen: 0 });
    }
    this.writeManifest();
  }

  dimension(objective: number): number {
    return this.sketches.get(objective)?.dimension ?? 0;
  }

  /** Appends whole lines in one write. */
  appendSteps(records: readonly StepNumbers[]): void {
    if (records.length === 0) return;
    const nullable = (x: number | null) => (x === null ? null : encodeNumber(x));
    const lines = records.map((r) => {
      const record: StepRecord = {
        step: r.step,
        objective: r.objective,
        epoch: r.epoch,
        loss: encodeNumber(r.loss),
        learningRate: nullable(r.learningRate),
        gradientNorm: nullable(r.gradientNorm),
        updateNorm: nullable(r.updateNorm),
        distance: nullable(r.distance),
        time: r.time,
        samples: r.samples,
      };
      return JSON.stringify(record);
    });
    writeSync(this.steps, `${lines.join('\n')}\n`);
    const last = records.reduce((most, { step }) => Math.max(most, step + 1), this.manifest.recording.steps);
    this.manifest.recording.steps = last;
    this.manifestDirty = true;
  }

  appendSketches(records: readonly SketchRecord[]): void {
    for (const { objective, step, values } of records) {
      const sketch = this.sketches.get(objective);
      if (sketch === undefined || sketch.seen++ % sketch.thinning !== 0) continue;
      const record = new ArrayBuffer(sketchRecordBytes(sketch.dimension));
      new DataView(record).setFloat64(0, step, true);
      new Float32Array(record, 8).set(values);
      writeSync(sketch.descriptor, new Uint8Array(record));
      if (++sketch.records >= SKETCH_RECORDS) this.thin(sketch);
    }
  }

  snapshot({ objective, step, tensors, drop, every }: Message<'snapshot'>): void {
    const file = join(this.directory, 'snapshots', snapshotFile(step, objective));
    this.writeTensors(file, tensors, {
      step: String(step),
      objective: String(objective),
      run: this.manifest.id,
    });
    this.drop({ type: 'drop', objective, steps: drop, every });
  }

  drop({ objective, steps, every }: Message<'drop'>): void {
    for (const step of steps)
      rmSync(join(this.directory, 'snapshots', snapshotFile(step, objective)), { force: true });
    if (objective === 0) this.manifest.recording.snapshotEvery = every;
    this.manifest.recording.snapshots = readdirSync(join(this.directory, 'snapshots')).filter((name) =>
      name.endsWith('.safetensors'),
    ).length;
    this.manifestDirty = true;
  }

  evaluationSet({ file, tensors, metadata, meta }: Message<'evaluationSet'>): void {
    this.writeTensors(join(this.directory, 'data', file), tensors, metadata);
    if (meta === null) return;
    const { train, validation } = this.manifest.evaluationSet ?? { train: meta.info, validation: null };
    this.manifest.evaluationSet =
      meta.split === 'train' ? { train: meta.info, validation } : { train, validation: meta.info };
    this.writeManifest();
  }

  topology(json: string): void {
    replaceFile(join(this.directory, 'topology.json'), json);
  }

  note(text: string): void {
    const { notes } = this.manifest.recording;
    if (notes.includes(text)) return;
    notes.push(text);
    this.writeManifest();
  }

  /** Called on the worker's clock. */
  tick(): void {
    if (this.manifestDirty && performance.now() - this.manifestWritten > MANIFEST_INTERVAL)
      this.writeManifest();
  }

  writeManifest(): void {
    this.manifest.updated = new Date().toISOString();
    replaceFile(join(this.directory, 'run.json'), `${JSON.stringify(this.manifest, null, 2)}\n`);
    this.manifestDirty = false;
    this.manifestWritten = performance.now();
  }

  private writeTensors(
    file: string,
    tensors: readonly OutgoingTensor[],
    metadata: Readonly<Record<string, string>>,
  ): void {
    const { bytes } = encodeHeader(tensors, metadata);
    const parts = [
      bytes,
      ...tensors.map(({ values }) => new Uint8Array(values.buffer, values.byteOffset, values.byteLength)),
    ];
    writeBeside(file, (descriptor) => writeAll(descriptor, parts));
  }

  private thin(sketch: SketchFile): void {
    closeSync(sketch.descriptor);
    const all = readFileSync(sketch.file);
    const size = sketchRecordBytes(sketch.dimension);
    const kept: Uint8Array[] = [all.subarray(0, SKETCH_HEADER_BYTES)];
    for (let i = 0; i < sketch.records; i += 2) {
      const at = SKETCH_HEADER_BYTES + i * size;
      kept.push(all.subarray(at, at + size));
    }
    writeBeside(sketch.file, (descriptor) => writeAll(descriptor, kept));
    sketch.records = kept.length - 1;
    sketch.thinning *= 2;
    sketch.descriptor = openSync(sketch.file, 'a');
  }
}

/** Adds a note to a run.json that no writer has in hand. */
export function noteIn(directory: string, text: string): void {
  const file = join(directory, 'run.json');
  const manifest = JSON.parse(readFileSync(file, 'utf8')) as RunManifest;
  manifest.recording.notes.push(text);
  replaceFile(file, `${JSON.stringify(manifest, null, 2)}\n`);
}

/** Writes a file beside and renames it, readable by this user alone when `mode` says so. */
export function replaceFile(file: string, content: string, mode = 0o666): void {
  const beside = `${file}.${process.pid}.tmp`;
  writeFileSync(beside, content, { mode });
  renameSync(beside, file);
}

function writeBeside(file: string, write: (descriptor: number) => void): void {
  const beside = `${file}.${process.pid}.tmp`;
  const descriptor = openSync(beside, 'w');
  try {
    write(descriptor);
  } catch (error) {
    closeSync(descriptor);
    rmSync(beside, { force: true });
    throw error;
  }
  closeSync(descriptor);
  renameSync(beside, file);
}

/** A gathering write may take less than it was given, and at most so many pieces. */
function writeAll(descriptor: number, parts: readonly Uint8Array[]): void {
  for (let i = 0; i < parts.length; i += 512) {
    const some = parts.slice(i, i + 512).filter((part) => part.length > 0);
    const total = some.reduce((sum, part) => sum + part.length, 0);
    let written = some.length === 0 ? 0 : writevSync(descriptor, some);
    if (written === total) continue;
    const rest = Buffer.concat(some);
    while (written < total) written += writeSync(descriptor, rest, written);
  }
}
