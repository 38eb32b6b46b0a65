/** A model's file with its hidden units in the order of another's, for as long as a job needs it. */
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Evaluator, AnalysisContext } from '../analysis/evaluator.ts';
import { matchUnits } from '../analysis/matchUnits.ts';
import type { Evaluation, Model } from '../analysis/model.ts';
import type { Tensors } from '../analysis/weightMatching.ts';
import { BasinError } from '../protocol/errors.ts';
import type { MatchedUnits } from '../protocol/results.ts';
import { encodeHeader } from '../protocol/safetensors.ts';
import { readTensors } from '../runs/safetensorsFile.ts';

/** @throws BasinError as matchUnits does */
export async function withMatched<T>(
  evaluator: Evaluator,
  { from, to, ...evaluation }: Evaluation & { readonly from: Model; readonly to: Model },
  context: AnalysisContext,
  use: (model: Model, told: MatchedUnits) => Promise<T>,
): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'basin-matched-'));
  const file = join(directory, 'matched.safetensors');
  try {
    const tensors = await readTensors(fileOf(to));
    const keep = async (values: Tensors): Promise<{ file: string }> => {
      await writeTensors(
        file,
        tensors.map(({ spec, bytes }) => {
          const other = spec.dtype === 'F32' ? values.get(spec.name) : undefined;
          return other === undefined
            ? { spec, bytes }
            : { spec, bytes: new Uint8Array(other.buffer, other.byteOffset, other.byteLength) };
        }),
      );
      return { file };
    };
    const input = {
      ...evaluation,
      from: floats(await readTensors(fileOf(from))),
      to: floats(tensors),
      toModel: to,
      keep,
    };
    const { model, told } = await matchUnits(evaluator, input, context);
    return await use(model, told);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

type Whole = Awaited<ReturnType<typeof readTensors>>;

const floats = (tensors: Whole): Map<string, Float32Array> =>
  new Map(
    tensors
      .filter(({ spec }) => spec.dtype === 'F32')
      .map(({ spec, bytes }) => [spec.name, new Float32Array(bytes.buffer)]),
  );

function fileOf({ id, vector }: Model): string {
  if (typeof vector !== 'string') return vector.file;
  throw new BasinError('internal', `${id} is no file, so its units cannot be matched.`);
}

async function writeTensors(
  file: string,
  tensors: readonly { spec: Whole[number]['spec']; bytes: Uint8Array }[],
): Promise<void> {
  const handle = await open(file, 'w', 0o600);
  try {
    await handle.writeFile(encodeHeader(tensors.map(({ spec }) => spec)).bytes);
    for (const { bytes } of tensors) await handle.writeFile(bytes);
  } finally {
    await handle.close();
  }
}
