/**
 * Writes the run directory, on the worker thread. Appended files grow by whole records, every other file is written
 * beside and renamed, so that the process can be killed between any two instructions.
 */
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import {
  encodeNumber,
  snapshotFile,
  type NonFinite,
  type RunManifest,
  type StepRecord,
} from '../../protocol/run.ts';
import { CLAIM_FILE } from '../../protocol/launch.ts';
import { encodeHeader } from '../../protocol/safetensors.ts';
import {
  encodeLayersHeader,
  layerFields,
  layersFile,
  mostLayerRecords,
} from '../../protocol/layerStatistics.ts';
import { encodeSketchHeader } from '../../protocol/sketch.ts';
import type { OutgoingTensor, SketchRecord, StepNumbers, ToWorker } from './channel.ts';
import type { ManifestPatch } from './manifestPatch.ts';
import { ThinnedFile } from './thinnedFile.ts';
import { replaceFile, writeAll, writeBeside } from './writing.ts';

/** run.json is replaced at most this often while only counters change. */
const MANIFEST_INTERVAL = 500;
/** A longer sketch is thinned to every second record: 64 MB at the full dimension. */
const SKETCH_RECORDS = 16_384;

/** A step with what its numbers have no place for. */
export interface RecordedStep {
  readonly record: StepNumbers;
  readonly nonFinite?: NonFinite;
}

type Message<T extends ToWorker['type']> = Extract<ToWorker, { type: T }>;

export class RunWriter {
  private readonly manifest: RunManifest;
  private readonly steps: number;
  private readonly sketches = new Map</* objective */ number, ThinnedFile>();
  private readonly layers = new Map</* objective */ number, ThinnedFile>();
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

  /** The process is going to end without more words; held, it has said already what it has come to. */
  lastWord(word: Pick<RunManifest, 'state' | 'stateReason'>): void {
    const training = this.manifest.state !== 'held';
    this.patch(training ? { ...word, ended: new Date().toISOString() } : {});
  }

  objective({ index, info, sketch }: Message<'objective'>): void {
    this.manifest.objectives[index] = info;
    if (sketch !== null && !this.sketches.has(index)) {
      this.sketches.set(
        index,
        new ThinnedFile(join(this.directory, index === 0 ? 'sketch.bin' : `sketch.${index}.bin`), {
          header: encodeSketchHeader({ ...sketch, objective: index }),
          numbers: sketch.dimension,
          most: SKETCH_RECORDS,
        }),
      );
    }
    const parameters = info.parameters.length;
    if (parameters > 0 && !this.layers.has(index)) {
      const fields = layerFields.length;
      this.layers.set(
        index,
        new ThinnedFile(join(this.directory, layersFile(index)), {
          header: encodeLayersHeader({ parameters, objective: index, fields }),
          numbers: parameters * fields,
          most: mostLayerRecords(parameters),
        }),
      );
    }
    this.writeManifest();
  }

  dimension(objective: number): number {
    return this.sketches.get(objective)?.numbers ?? 0;
  }

  /** Appends whole lines in one write. */
  appendSteps(records: readonly RecordedStep[]): void {
    if (records.length === 0) return;
    const nullable = (x: number | null) => (x === null ? null : encodeNumber(x));
    const lines = records.map(({ record: r, nonFinite }) => {
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
        ...(nonFinite === undefined ? {} : { nonFinite }),
      };
      return JSON.stringify(record);
    });
    writeSync(this.steps, `${lines.join('\n')}\n`);
    const last = records.reduce(
      (most, { record }) => Math.max(most, record.step + 1),
      this.manifest.recording.steps,
    );
    this.manifest.recording.steps = last;
    this.manifestDirty = true;
  }

  appendSketches(records: readonly SketchRecord[]): void {
    for (const { objective, step, values } of records) this.sketches.get(objective)?.append(step, values);
  }

  appendLayers({ objective, records }: Message<'layers'>): void {
    for (const { step, values } of records) this.layers.get(objective)?.append(step, values);
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

  /** Ends this run, and begins another one with what it has known of the process. */
  branch(
    directory: string,
    { last, first }: { readonly last: ManifestPatch; readonly first: ManifestPatch },
  ): RunWriter {
    this.patch(last);
    closeSync(this.steps);
    const { script, versions, framework, backend } = this.manifest;
    writeFileSync(join(directory, CLAIM_FILE), '');
    const next = new RunWriter(directory);
    next.patch({ script, versions, framework, backend, ...first });
    const topology = join(this.directory, 'topology.json');
    if (existsSync(topology)) copyFileSync(topology, join(directory, 'topology.json'));
    return next;
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
}

/** Adds a note to a run.json that no writer has in hand. */
export function noteIn(directory: string, text: string): void {
  const file = join(directory, 'run.json');
  const manifest = JSON.parse(readFileSync(file, 'utf8')) as RunManifest;
  manifest.recording.notes.push(text);
  replaceFile(file, `${JSON.stringify(manifest, null, 2)}\n`);
}
