/** An ensemble for other programs: its members one by one, a manifest, and a file that loads and combines them. */
import path from 'node:path';
import type { Evaluator } from '../analysis/evaluator.ts';
import type { Model } from '../analysis/model.ts';
import type { Combination, Predictions } from '../protocol/evaluator.ts';
import type { ExportFormat } from '../protocol/results.ts';
import type { BuiltModel, RunManifest } from '../protocol/run.ts';
import { writeAtomically } from '../runs/files.ts';
import { ENSEMBLE_MANIFEST, ensembleLoader } from './ensembleLoader.ts';
import { exportByProcess, exportSafetensors, mark, prepare } from './exportModel.ts';
import { combinationOf, resolveModel, type RunContents } from './references.ts';

/** `ensemble.json`: all that a program needs to put the members' predictions together as Basin scored them. */
export interface EnsembleManifest {
  readonly kind: 'ensemble';
  readonly basin: string;
  readonly run: string;
  readonly model: string;
  readonly framework: RunManifest['framework'];
  readonly format: ExportFormat;
  readonly combine: Combination;
  /** What one member gives, and the ensemble too; null where that is not known. */
  readonly output: Predictions['form'];
  /** Where in it the predictions are; absent where that is not known. */
  readonly path?: Predictions['path'];
  /** Of the files, relative to the manifest; a TF.js member is its model.json. */
  readonly members: readonly { readonly model: string; readonly file: string }[];
}

export interface EnsembleExport {
  readonly contents: RunContents;
  readonly model: BuiltModel;
  readonly directory: string;
  readonly format: ExportFormat;
  /** Basin's own. */
  readonly version: string;
}

/**
 * @param evaluator null where the format is a copy of the run's own files
 * @returns file names
 * @throws BasinError `not-found` for a member that is gone, and as a single model's export does
 */
export async function exportEnsemble(
  evaluator: Evaluator | null,
  { contents, model, directory, format, version }: EnsembleExport,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { framework } = contents.manifest;
  const members: Model[] = [];
  for (const member of model.members) members.push(await resolveModel(contents, member));
  const loader = ensembleLoader(format, framework);
  const own = [ENSEMBLE_MANIFEST, loader.name];
  await prepare(directory, (name) => own.includes(name));
  const files: { model: string; file: string; all: string[] }[] = [];
  for (const [i, member] of members.entries()) {
    const folder = `member-${i + 1}`;
    const to = path.join(directory, folder);
    const written =
      evaluator === null
        ? await exportSafetensors(fileOf(member), 'model', to, {
            'basin.run': contents.run.id,
            'basin.model': member.id,
            'basin.version': version,
            framework: framework ?? 'unknown',
          })
        : await exportByProcess(evaluator, member, to, format, signal);
    const all = written.map((name) => `${folder}/${name}`);
    const [first = ''] = all;
    files.push({ model: member.id, file: all.find((f) => f.endsWith('.json')) ?? first, all });
  }
  const manifest: EnsembleManifest = {
    kind: 'ensemble',
    basin: version,
    run: contents.run.id,
    model: model.id,
    framework,
    format,
    ...(await predictionOf(evaluator, contents, model, members, signal)),
    members: files.map(({ model: id, file }) => ({ model: id, file })),
  };
  await writeAtomically(path.join(directory, ENSEMBLE_MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`);
  await writeAtomically(path.join(directory, loader.name), loader.text);
  await mark(directory, own);
  return [...own, ...files.flatMap((f) => f.all)];
}

async function predictionOf(
  evaluator: Evaluator | null,
  contents: RunContents,
  model: BuiltModel,
  [member]: readonly Model[],
  signal: AbortSignal,
): Promise<Pick<EnsembleManifest, 'combine' | 'output' | 'path'>> {
  const kept = await combinationOf(contents, model);
  let { output, path: where } = await outputOf(contents, model);
  if (output === null && evaluator !== null && member !== undefined && typeof member.vector !== 'string') {
    const vector = 'basin.export';
    await evaluator.load({ into: vector, from: member.vector }, signal);
    try {
      const [mode = 'as-trained'] = evaluator.description.modes;
      const how = { data: { split: 'train', samples: 1 }, mode, refresh: false } as const;
      ({ form: output, path: where } = await evaluator.predictions({ vector, how }, signal));
    } finally {
      await evaluator.release({ vectors: [vector] }).catch(() => undefined);
    }
  }
  return {
    combine: kept ?? (output === 'values' ? 'mean' : 'probability'),
    output,
    ...(where === undefined ? {} : { path: where }),
  };
}

/** What its members give, as its own result says; null where that is gone or never said. */
async function outputOf(
  { run }: RunContents,
  { analysis }: BuiltModel,
): Promise<{ output: Predictions['form']; path: Predictions['path'] }> {
  const result = (await run.analyses()).find((r) => r.id === analysis);
  if (result === undefined || !('output' in result)) return { output: null, path: undefined };
  return { output: result.output ?? null, path: result.outputPath };
}

const fileOf = ({ vector }: Model): string => (typeof vector === 'string' ? vector : vector.file);
