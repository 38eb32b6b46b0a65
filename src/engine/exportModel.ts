/** Writing a snapshot or built model where other programs can load it. */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Evaluator } from '../analysis/evaluator.ts';
import type { Model } from '../analysis/model.ts';
import { BasinError } from '../protocol/errors.ts';
import type { ExportFormat } from '../protocol/results.ts';
import type { RunManifest } from '../protocol/run.ts';
import { encodeHeader } from '../protocol/safetensors.ts';
import { writeAtomically } from '../runs/files.ts';
import { readSafetensorsHeader } from '../runs/safetensorsFile.ts';

/** Names what Basin wrote into a directory, so that a second export may replace it and nothing else. */
const MARKER = '.basin-export.json';

/** Files that an export by the training process may write. */
const written: Readonly<Record<ExportFormat, (name: string) => boolean>> = {
  tfjs: (name) => name === 'model.json' || name.endsWith('.bin'),
  pt: (name) => name === 'model.pt',
  safetensors: (name) => name === 'model.safetensors',
};

/** @throws BasinError `bad-input` for a format that the run's framework does not load */
export function requireFormat(format: ExportFormat, framework: RunManifest['framework']): void {
  const other = framework === 'torch' ? 'tfjs' : 'pt';
  if (format === other) {
    throw new BasinError(
      'bad-input',
      `A ${framework === 'torch' ? 'PyTorch' : 'TensorFlow.js'} run cannot be exported as ${format}.`,
      `Use --format ${framework === 'torch' ? 'pt' : 'tfjs'} or safetensors.`,
    );
  }
}

/** Writes a model in its framework's own format, by the training process. @returns file names */
export async function exportByProcess(
  evaluator: Evaluator,
  model: Model,
  directory: string,
  format: ExportFormat,
  signal: AbortSignal,
): Promise<readonly string[]> {
  await prepare(directory, written[format]);
  const operand = model.vector;
  const vector = 'basin.export';
  if (typeof operand === 'string') {
    await evaluator.combine(
      { into: vector, terms: [{ coefficient: 1, vector: operand }], state: operand },
      signal,
    );
  } else {
    await evaluator.load({ into: vector, from: operand }, signal);
  }
  try {
    const { files } = await evaluator.exportModel({ vector, directory, format }, signal);
    const names = files.map((file) => path.relative(directory, path.resolve(directory, file)));
    await mark(directory, names);
    return names;
  } finally {
    await evaluator.release({ vectors: [vector] }).catch(() => undefined);
  }
}

/** Copies a model's tensors as they are into a file of their own, with metadata that says what they are. */
export async function exportSafetensors(
  source: string,
  name: string,
  directory: string,
  metadata: Readonly<Record<string, string>>,
): Promise<readonly string[]> {
  const file = `${name}.safetensors`;
  await prepare(directory, (other) => other === file);
  const header = await readSafetensorsHeader(source);
  const tensors = [...header.tensors].sort((a, b) => a.begin - b.begin || a.end - b.end);
  const { bytes } = encodeHeader(tensors, { ...header.metadata, ...metadata });
  const target = path.join(directory, file);
  const beside = `${target}.${process.pid}.tmp`;
  try {
    const out = createWriteStream(beside);
    out.write(bytes);
    const [first] = tensors;
    if (first === undefined) {
      await new Promise<void>((resolve, reject) => {
        out.once('error', reject);
        out.end(resolve);
      });
    } else {
      await pipeline(createReadStream(source, { start: first.begin }), out);
    }
    await rename(beside, target);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
  await mark(directory, [file]);
  return [file];
}

/** @throws BasinError `bad-input` when the directory holds model files that are not Basin's own export, unchanged */
export async function prepare(directory: string, isTarget: (name: string) => boolean): Promise<void> {
  try {
    await mkdir(directory, { recursive: true });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const isFile = code === 'EEXIST' || code === 'ENOTDIR';
    throw new BasinError(
      'bad-input',
      isFile
        ? `${directory} cannot be a directory: it is a file, or lies in one.`
        : `Cannot write to ${directory}: ${message}.`,
      'Name another directory.',
    );
  }
  const own = await readMarker(directory);
  for (const name of (await readdir(directory)).filter(isTarget)) {
    if (own.get(name) === (await digest(path.join(directory, name)))) continue;
    throw new BasinError(
      'bad-input',
      `${path.join(directory, name)} is there already, and Basin did not write it.`,
      'Name another directory, or move that model away first.',
    );
  }
}

/** Notes what Basin wrote, for a second export. */
export async function mark(directory: string, files: readonly string[]): Promise<void> {
  const own = await readMarker(directory);
  for (const file of files) own.set(file, await digest(path.join(directory, file)));
  await writeAtomically(
    path.join(directory, MARKER),
    `${JSON.stringify({ sha256: Object.fromEntries(own) }, null, 2)}\n`,
  );
}

async function readMarker(directory: string): Promise<Map</* file */ string, /* sha256 */ string>> {
  try {
    const marker = JSON.parse(await readFile(path.join(directory, MARKER), 'utf8')) as {
      sha256?: Record<string, string>;
    };
    return new Map(Object.entries(marker.sha256 ?? {}));
  } catch {
    return new Map();
  }
}

async function digest(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}
