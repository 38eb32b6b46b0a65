/** One run directory: what is in it, read with suspicion and written whole. */
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import * as v from 'valibot';
import { evaluationSetFile } from '../protocol/evaluationSet.ts';
import { BasinError } from '../protocol/errors.ts';
import { layersFile } from '../protocol/layerStatistics.ts';
import { LABEL_FILE, LONGEST_NAME, runLabelSchema, type RunLabel } from '../protocol/runLabel.ts';
import { analysisKinds, type AnalysisResult } from '../protocol/analyses.ts';
import {
  builtModelSchema,
  endpointSchema,
  liveNoiseScaleSchema,
  liveSharpnessSchema,
  manifestSchema,
  parseSnapshotFile,
  snapshotFile,
  stepSchema,
  type BuiltModel,
  type Endpoint,
  type LiveNoiseScale,
  type LiveSharpness,
  type ObjectiveInfo,
  type RunManifest,
  isUnfinished,
  type StepRecord,
} from '../protocol/run.ts';
import { exists, isMissing, writeAtomically } from './files.ts';
import { JsonLinesReader } from './jsonLines.ts';
import { lastRecord } from './lastRecord.ts';
import { LayersReader, readLayers, type LayerRecords } from './layersFile.ts';
import { isAlive } from './processes.ts';
import { openSketch, readSketch, type Sketch, type SketchReader } from './sketchFile.ts';

export interface Snapshot {
  readonly step: number;
  readonly objective: number;
  readonly file: string;
  readonly bytes: number;
}

/** Only what every reader relies on; the kinds' own fields are written by Basin alone. */
const resultSchema = v.looseObject({
  kind: v.picklist(analysisKinds),
  id: v.string(),
  run: v.string(),
  trust: v.array(v.string()),
  provenance: v.looseObject({ created: v.string(), job: v.unknown() }),
});

export class Run {
  constructor(readonly directory: string) {}

  get id(): string {
    return path.basename(this.directory);
  }

  /** Absolute path of something in the run directory. */
  path(...parts: string[]): string {
    return path.join(this.directory, ...parts);
  }

  /**
   * run.json, with the name that the user gave, and the state told as it is: a run whose process is gone without a word
   * reads as interrupted.
   * @throws BasinError `not-found`, or `corrupt-run` saying what is wrong with the file
   */
  async readManifest(): Promise<RunManifest> {
    return (await this.readLabelled()).manifest;
  }

  /** The same, and what else the user said of the run. @throws BasinError as {@link readManifest} does */
  async readLabelled(): Promise<{ readonly manifest: RunManifest; readonly label: RunLabel }> {
    const recorded = await this.readRecordedManifest();
    const label = await this.readLabel();
    const manifest = asItIs(recorded, label);
    // Its process wrote no last word: what it had counted by then may be half a second old.
    const counted = manifest.state === recorded.state ? manifest : await this.countAgain(manifest);
    return { manifest: counted, label };
  }

  /** A manifest with the steps and snapshots that the run's files have: its process may have ended before counting them. */
  async countAgain(manifest: RunManifest): Promise<RunManifest> {
    const { recording, objectives } = manifest;
    // Of several objectives the last line need not be of the one that has gone farthest.
    const records = objectives.length > 1 ? await this.readSteps() : [await this.readLastStep()];
    const steps = records.reduce((most, record) => Math.max(most, (record?.step ?? -1) + 1), recording.steps);
    const kept = await Promise.all(objectives.map((_, index) => this.snapshots(index)));
    const snapshots = kept.reduce((sum, { length }) => sum + length, 0);
    return { ...manifest, recording: { ...recording, steps, snapshots } };
  }

  /** run.json as it stands. */
  async readRecordedManifest(): Promise<RunManifest> {
    const file = this.path('run.json');
    let text: string;
    try {
      text = await readFile(file, 'utf8');
    } catch (error) {
      if (isMissing(error))
        throw new BasinError('not-found', `${this.directory} holds no run (no run.json).`);
      throw unreadable(file, (error as Error).message);
    }
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      throw unreadable(file, 'it is not JSON');
    }
    const format = (value as { format?: unknown } | null)?.format;
    const parsed = v.safeParse(manifestSchema, value);
    if (parsed.success) return parsed.output;
    if (typeof format === 'number' && format !== manifestSchema.entries.format.literal) {
      throw new BasinError(
        'corrupt-run',
        `${file} has run format ${format}; this Basin reads ${manifestSchema.entries.format.literal}.`,
        'Use the version of Basin that recorded it, or delete the run.',
      );
    }
    const issue = parsed.issues[0];
    throw unreadable(file, `${v.getDotPath(issue) ?? 'the whole'}: ${issue.message}`);
  }

  /**
   * Replaces run.json. While the training process lives it alone may write it; this is for whoever made the run and
   * whoever notices that the process has ended.
   */
  async writeManifest(manifest: RunManifest): Promise<void> {
    await writeAtomically(this.path('run.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  }

  /** What the user said of the run; nothing where label.json is missing or cannot be read: it is no part of the record. */
  async readLabel(): Promise<RunLabel> {
    const parsed = v.safeParse(runLabelSchema, await readJson(this.path(LABEL_FILE)));
    return parsed.success ? parsed.output : {};
  }

  /** @param name empty for the recorded one again. @throws BasinError `bad-input` for one that is too long */
  async rename(name: string): Promise<void> {
    const trimmed = name.trim();
    if (trimmed.length > LONGEST_NAME || /[\r\n]/.test(trimmed)) {
      throw new BasinError(
        'bad-input',
        'That is no name for a run.',
        `Give one line of at most ${LONGEST_NAME} characters.`,
      );
    }
    await this.#label({ name: trimmed === '' ? undefined : trimmed });
  }

  /** See {@link RunStore.setBaseline}, which keeps to one baseline. */
  async markBaseline(baseline: boolean): Promise<void> {
    await this.#label({ baseline: baseline ? true : undefined });
  }

  async #label(change: { readonly [Field in keyof RunLabel]: RunLabel[Field] | undefined }): Promise<void> {
    await this.readRecordedManifest(); // a label without a run would look like a damaged one
    const label = { ...(await this.readLabel()), ...change };
    await writeAtomically(this.path(LABEL_FILE), `${JSON.stringify(label)}\n`);
  }

  async readSteps(): Promise<readonly StepRecord[]> {
    return (await this.stepsReader().read()).records;
  }
  /** The newest step, without reading those before it; null before any. */
  async readLastStep(): Promise<StepRecord | null> {
    return lastRecord(this.path('steps.jsonl'), stepSchema);
  }
  async readLive(): Promise<readonly LiveSharpness[]> {
    return (await this.liveReader().read()).records;
  }
  async readNoise(): Promise<readonly LiveNoiseScale[]> {
    return (await this.noiseReader().read()).records;
  }
  stepsReader(): JsonLinesReader<typeof stepSchema> {
    return new JsonLinesReader(this.path('steps.jsonl'), stepSchema);
  }
  liveReader(): JsonLinesReader<typeof liveSharpnessSchema> {
    return new JsonLinesReader(this.path('live.jsonl'), liveSharpnessSchema);
  }
  noiseReader(): JsonLinesReader<typeof liveNoiseScaleSchema> {
    return new JsonLinesReader(this.path('noise.jsonl'), liveNoiseScaleSchema);
  }

  /** What was recorded of each parameter. @throws BasinError `corrupt-run` */
  async readLayers(objective = 0): Promise<LayerRecords | null> {
    return readLayers(this.path(layersFile(objective)));
  }

  /** The same while the run goes on. */
  layersReader(objective = 0): LayersReader {
    return new LayersReader(this.path(layersFile(objective)));
  }

  /** @throws BasinError `corrupt-run` */
  async readSketch(objective = 0): Promise<Sketch | null> {
    return readSketch(this.sketchPath(objective));
  }
  /** The same, a stretch at a time. @throws BasinError `corrupt-run` */
  async openSketch(objective = 0): Promise<SketchReader | null> {
    return openSketch(this.sketchPath(objective));
  }
  private sketchPath(objective: number): string {
    return this.path(objective === 0 ? 'sketch.bin' : `sketch.${objective}.bin`);
  }

  /** Files that were wholly written (they are renamed into place), by step. Their content is checked where it is used. */
  async snapshots(objective = 0): Promise<readonly Snapshot[]> {
    const directory = this.path('snapshots');
    const found: Snapshot[] = [];
    for (const name of await namesIn(directory)) {
      const parsed = parseSnapshotFile(name);
      if (parsed?.objective !== objective) continue;
      const file = path.join(directory, name);
      const info = await stat(file).catch(() => null);
      if (info !== null) found.push({ ...parsed, file, bytes: info.size });
    }
    return found.sort((a, b) => a.step - b.step);
  }
  snapshotPath(step: number, objective = 0): string {
    return this.path('snapshots', snapshotFile(step, objective));
  }

  async hasEvaluationSet(split: 'train' | 'validation', objective = 0): Promise<boolean> {
    return exists(this.path('data', evaluationSetFile(split, objective)));
  }

  /** Models that Basin built, oldest first; unreadable ones are left out. */
  async models(): Promise<readonly BuiltModel[]> {
    const models: BuiltModel[] = [];
    for (const name of await namesIn(this.path('models'))) {
      if (!name.endsWith('.json')) continue;
      const parsed = v.safeParse(builtModelSchema, await readJson(this.path('models', name)));
      if (parsed.success) models.push(parsed.output);
    }
    return models.sort((a, b) => a.created.localeCompare(b.created) || a.id.localeCompare(b.id));
  }
  /** Where a built model's weights lie; an ensemble has none of its own. */
  modelPath(id: string): string {
    return this.path('models', `${id}.safetensors`);
  }
  /**
   * A free id such as `average-2`, taken at once by an empty file, so that two processes never build the same one.
   * Follow it with {@link saveModel} or {@link discardModel}.
   */
  async reserveModelId(kind: BuiltModel['kind']): Promise<string> {
    await this.requirePresent();
    await mkdir(this.path('models'), { recursive: true });
    for (let number = 1; ; number++) {
      const id = `${kind}-${number}`;
      try {
        await writeFile(this.path('models', `${id}.json`), '', { flag: 'wx' });
        return id;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
    }
  }
  async discardModel(id: string): Promise<void> {
    await rm(this.path('models', `${id}.json`), { force: true });
    await rm(this.modelPath(id), { force: true });
  }
  async saveModel(model: BuiltModel): Promise<void> {
    await this.requirePresent();
    await writeAtomically(this.path('models', `${model.id}.json`), `${JSON.stringify(model, null, 2)}\n`);
  }

  /** Kept results, newest first; unreadable ones are left out. */
  async analyses(): Promise<readonly AnalysisResult[]> {
    const results: AnalysisResult[] = [];
    for (const name of await namesIn(this.path('analyses'))) {
      if (!name.endsWith('.json')) continue;
      const parsed = v.safeParse(resultSchema, await readJson(this.path('analyses', name)));
      if (parsed.success) results.push(parsed.output as unknown as AnalysisResult);
    }
    return results.sort(
      (a, b) => b.provenance.created.localeCompare(a.provenance.created) || b.id.localeCompare(a.id),
    );
  }
  async saveAnalysis(result: AnalysisResult): Promise<void> {
    await this.requirePresent();
    await writeAtomically(this.path('analyses', `${result.id}.json`), `${JSON.stringify(result)}\n`);
  }

  /** How to reach the living process of this run; null when there is none. */
  async endpoint(): Promise<Endpoint | null> {
    const parsed = v.safeParse(endpointSchema, await readJson(this.path('endpoint.json')));
    return parsed.success ? parsed.output : null;
  }

  /** Bytes on disk. */
  async bytes(): Promise<number> {
    return directoryBytes(this.directory);
  }

  /** The manifest, read anew, while the run is being written or its process is held; null once it is over, or unreadable. */
  async readUnfinished(): Promise<RunManifest | null> {
    const manifest = await this.readManifest().catch(() => null);
    return manifest !== null && isUnfinished(manifest.state) ? manifest : null;
  }

  /** A folder that is made anew for what is added to it would be a damaged run. @throws BasinError `not-found` once it is deleted */
  private async requirePresent(): Promise<void> {
    if (await exists(this.path('run.json'))) return;
    throw new BasinError(
      'not-found',
      `Run ${this.id} was deleted meanwhile; nothing is kept of the answer.`,
      'Ask about another run.',
    );
  }

  /** @throws BasinError `busy` while its process lives */
  async requireEnded(): Promise<void> {
    const manifest = await this.readUnfinished();
    if (manifest === null) return;
    throw new BasinError(
      'busy',
      `Run ${this.id} is still ${manifest.state} (process ${manifest.process?.pid}).`,
      manifest.state === 'held'
        ? `Let it end with \`basin release ${this.id}\`.`
        : 'Stop the training first.',
    );
  }

  /**
   * Removes the run and says how many bytes that freed.
   * @throws BasinError `busy` while its process lives
   */
  async delete(): Promise<{ freedBytes: number }> {
    await this.requireEnded();
    const freedBytes = await this.bytes();
    await rm(this.directory, { recursive: true, force: true });
    return { freedBytes };
  }

  async ensureDirectory(): Promise<void> {
    await mkdir(this.directory, { recursive: true });
  }
}

/** A recorded manifest with the user's name for the run, and with the state told by whether its process lives. */
function asItIs(recorded: RunManifest, { name }: RunLabel): RunManifest {
  const manifest = name === undefined ? recorded : { ...recorded, name };
  const owner = manifest.process;
  if (!isUnfinished(manifest.state) || (owner !== null && isAlive(owner))) return manifest;
  return {
    ...manifest,
    state: 'interrupted',
    stateReason: manifest.stateReason ?? 'The process ended without a word, as by kill -9 or a power cut.',
  };
}

/**
 * The objective that a job names, by index or name; the first by default.
 * @throws BasinError `no-steps` when nothing was trained yet, `bad-input` for one that is not there
 */
export function findObjective(
  manifest: RunManifest,
  wanted: number | string = 0,
): { index: number; objective: ObjectiveInfo } {
  if (manifest.objectives.length === 0) {
    throw new BasinError(
      'no-steps',
      `Run ${manifest.id} has not taken a training step.`,
      manifest.stateReason ?? 'Let it train for a step first.',
    );
  }
  const index = typeof wanted === 'number' ? wanted : manifest.objectives.findIndex((o) => o.name === wanted);
  const objective = manifest.objectives[index];
  if (objective === undefined) {
    throw new BasinError(
      'bad-input',
      `Run ${manifest.id} has no objective ${JSON.stringify(wanted)}.`,
      `It has ${manifest.objectives.map((o, i) => `${i} (${o.name})`).join(', ')}.`,
    );
  }
  return { index, objective };
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return (await readdir(directory)).sort();
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/** undefined for a file that is missing or no JSON. */
async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch {
    return undefined;
  }
}

async function directoryBytes(directory: string): Promise<number> {
  let total = 0;
  for (const entry of await readdir(directory, { withFileTypes: true }).catch(() => [])) {
    const full = path.join(directory, entry.name);
    if (entry.isDirectory()) total += await directoryBytes(full);
    else total += (await stat(full).catch(() => null))?.size ?? 0;
  }
  return total;
}

function unreadable(file: string, why: string): BasinError {
  return new BasinError(
    'corrupt-run',
    `${file} cannot be read: ${why}.`,
    'Delete the run, or mend the file.',
  );
}
