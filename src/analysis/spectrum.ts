/** The spectrum of a curvature matrix at a model: both ends, trace and density; of the whole, of chosen parameters, of each layer. */
import type { CurvatureMatrix, SpectrumBlock, SpectrumResult } from '../protocol/curvature.ts';
import { BasinError } from '../protocol/errors.ts';
import { blockOf, Curvature, requireFiniteWeights, type Block } from './curvature.ts';
import type { AnalysisContext, Evaluator } from './evaluator.ts';
import { extremeEigenvalues } from './extremeEigenvalues.ts';
import { traceOf } from './hutchPlusPlus.ts';
import { howToEvaluate, samplesOf, type Draft, type Evaluation, type Model } from './model.ts';
import { requireReplay } from './replay.ts';
import { spectralDensity } from './spectralDensity.ts';
import { dataSentence, replaySentence } from './trust.ts';
import { spectrumSentences } from './trustCurvature.ts';
import { withVectors, type Vectors } from './vectors.ts';

export interface SpectrumInput extends Evaluation {
  readonly at: Model;
  /** Largest eigenvalues wanted, 0 to 20, with their multiplicities. */
  readonly top: number;
  /** Smallest eigenvalues wanted, 0 to 20. */
  readonly bottom: number;
  readonly trace: boolean;
  readonly density: boolean;
  readonly matrix: CurvatureMatrix;
  /** The diagonal block of these parameters; all when absent. */
  readonly parameters?: readonly string[];
  /** Each layer's diagonal block as well. */
  readonly perLayer: boolean;
  /** Default 1. */
  readonly seed?: number;
  /** Largest ‖Mv − λv‖/|λ| that counts as converged; default 1e-3. */
  readonly tolerance?: number;
  /** Half-width of the trace's 95 % interval that is aimed at, as a share of the trace; default 0.05. */
  readonly traceTolerance?: number;
  /** Standard deviation of the density's Gaussians; chosen from the range when absent. */
  readonly bandwidth?: number;
  /** Random vectors and Lanczos steps of the density; default 8 and 40. */
  readonly probes?: number;
  readonly steps?: number;
}

/**
 * Eigenvalues by Lanczos with full reorthogonalisation and deflation, the trace by Hutch++, the density by stochastic
 * Lanczos quadrature. `products` counts every product of the matrix with a vector.
 * @throws BasinError `bad-input`, `non-finite`, `not-replayable`, `unsupported` where the loss has no Gauss–Newton
 *   matrix, `cancelled`
 */
export async function spectrum(
  evaluator: Evaluator,
  input: SpectrumInput,
  context: AnalysisContext,
): Promise<Draft<SpectrumResult>> {
  requireCounts(input);
  requireReplay(evaluator.description);
  const how = howToEvaluate(evaluator.description, input, false);
  return withVectors(evaluator, async (vectors) => {
    const { signal } = context;
    context.progress(0, 'spectrum: start');
    const at = await vectors.load(input.at.vector, 'model', signal);
    await requireFiniteWeights(evaluator, at, input.at.id, signal);
    const samples = await samplesOf(evaluator, at, how, signal);

    let part = 0;
    let estimates = 0;
    const asked = [input.top > 0, input.bottom > 0, input.trace, input.density].filter(Boolean);
    const wanted = [
      { name: input.parameters === undefined ? 'all' : 'chosen', parameters: input.parameters },
      ...(input.perLayer ? layersOf(evaluator, input.parameters) : []),
    ];
    const curvature = new Curvature(
      evaluator,
      { at, how, matrix: input.matrix },
      {
        signal,
        progress: (fraction, message) => {
          const name = wanted[part]?.name ?? '';
          // Each estimate of a block reports from 0 to 1 by itself.
          const within = (estimates + Math.min(1, fraction)) / asked.length;
          context.progress((part + within) / wanted.length, `${name}: ${message}`);
        },
      },
    );
    const blocks: SpectrumBlock[] = [];
    for (const { name, parameters } of wanted) {
      blocks.push(
        await ofBlock(curvature, vectors, blockOf(curvature, name, parameters), input, () => estimates++),
      );
      part++;
      estimates = 0;
    }
    const body = {
      kind: 'spectrum' as const,
      at: input.at.id,
      data: { split: input.data.split, samples },
      matrix: input.matrix,
      blocks,
      products: curvature.products,
      method: curvature.method,
      refreshedStatistics: false,
    };
    return {
      ...body,
      trust: [
        ...spectrumSentences(body, curvature.reason),
        dataSentence(body.data, input.mode, false),
        ...replaySentence(evaluator.description),
      ],
    };
  });
}

async function ofBlock(
  curvature: Curvature,
  vectors: Vectors,
  block: Block,
  input: SpectrumInput,
  estimated: () => void,
): Promise<SpectrumBlock> {
  const seed = input.seed ?? 1;
  const end = async (which: 'largest' | 'smallest', count: number) => {
    if (count === 0) return null;
    const tolerance = input.tolerance ?? 1e-3;
    const options = { end: which, count, tolerance, maxProducts: 60 + 20 * count, seed };
    const found = await extremeEigenvalues(curvature, vectors, block, options);
    await vectors.release(found.vectors);
    estimated();
    return { values: found.values, residuals: found.residuals, converged: found.converged };
  };
  const { name, parameters, dimension } = block;
  const { bandwidth, probes, steps } = input;
  const largest = await end('largest', input.top);
  const smallest = await end('smallest', input.bottom);
  let trace: SpectrumBlock['trace'] = null;
  if (input.trace) {
    const tolerance = input.traceTolerance ?? 0.05;
    trace = await traceOf(curvature, vectors, block, { tolerance, seed });
    estimated();
  }
  let density: SpectrumBlock['density'] = null;
  if (input.density) {
    density = await spectralDensity(curvature, vectors, block, {
      seed,
      ...(bandwidth === undefined ? {} : { bandwidth }),
      ...(probes === undefined ? {} : { probes }),
      ...(steps === undefined ? {} : { steps }),
    });
    estimated();
  }
  return { name, parameters, dimension, largest, smallest, trace, density };
}

/** Each layer's parameters (a parameter without a layer stands for itself), of those chosen. */
function layersOf(
  evaluator: Evaluator,
  chosen: readonly string[] | undefined,
): { name: string; parameters: string[] }[] {
  const layers = new Map<string, string[]>();
  for (const { name, layer } of evaluator.description.objective.parameters) {
    if (chosen !== undefined && !chosen.includes(name)) continue;
    const key = layer ?? name;
    layers.set(key, [...(layers.get(key) ?? []), name]);
  }
  return [...layers].map(([name, parameters]) => ({ name, parameters }));
}

function requireCounts({ top, bottom, trace, density, traceTolerance, bandwidth }: SpectrumInput): void {
  for (const count of [top, bottom]) {
    if (!Number.isInteger(count) || count < 0 || count > 20) {
      throw new BasinError('bad-input', `${count} eigenvalues cannot be asked for.`, 'Ask for 0 to 20.');
    }
  }
  if (top + bottom === 0 && !trace && !density) {
    throw new BasinError(
      'bad-input',
      'Nothing of the spectrum was asked for.',
      'Ask for eigenvalues, the trace or the density.',
    );
  }
  for (const [name, value] of Object.entries({
    'The tolerance of the trace': traceTolerance,
    'The bandwidth': bandwidth,
  })) {
    if (value !== undefined && !(Number.isFinite(value) && value > 0)) {
      throw new BasinError('bad-input', `${name} has to be a number above 0, not ${value}.`);
    }
  }
}
