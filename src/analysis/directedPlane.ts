/** The plane that two directions span at a model: random ones, the gradient, eigenvectors, components, from model to model. */
import { BasinError } from '../protocol/errors.ts';
import type { ContourResult } from '../protocol/results.ts';
import { axesAround, axis, extent } from './axes.ts';
import { blockOf, Curvature } from './curvature.ts';
import { derivedSeed, drawRandom, spanOf, type SpanningDirection } from './directions.ts';
import type { AnalysisContext, Evaluator } from './evaluator.ts';
import { extremeEigenvalues } from './extremeEigenvalues.ts';
import { howToEvaluate } from './model.ts';
import { principalComponents, randomWalkShares } from './pca.ts';
import { nonFinite, originNotFinite, project, type Direction, type Plane, type PlaneInput } from './plane.ts';
import { buildOrthonormal, finiteGram, MARGIN } from './trajectoryPlane.ts';
import { figures } from './trust.ts';
import type { Vectors } from './vectors.ts';

/** Half-width around the origin where no trajectory gives one, as a share of the weights' norm. */
const NARROW = 0.1;
/** Largest ‖Hv − λv‖/|λ| of an eigenvector that counts as one. */
const TOLERANCE = 1e-3;

interface Asked {
  readonly kind: ContourResult['plane']['kind'];
  readonly pair: readonly [Direction, Direction];
}

/** A direction with what its description and its sentences say of it. */
interface Made extends SpanningDirection {
  readonly name: string;
  readonly seed: number | null;
  readonly varianceExplained: number | null;
  readonly randomWalk: number | null;
  readonly eigenvalue?: { readonly value: number; readonly residual: number; readonly converged: boolean };
  readonly notes: readonly string[];
}

/** @throws BasinError `bad-input`, `unsupported` for directions without length or that coincide, `non-finite` */
export async function directedPlane(
  evaluator: Evaluator,
  vectors: Vectors,
  input: PlaneInput,
  asked: Asked,
  context: AnalysisContext,
): Promise<Plane> {
  const { span } = input;
  const { pair } = asked;
  if (span !== undefined && !(span > 0 && Number.isFinite(span))) {
    throw new BasinError('bad-input', `A plane cannot be ${span} wide.`, 'Give a span above 0, such as 1.');
  }
  const origin = await vectors.load(input.at.vector, 'origin', context.signal);
  const { values } = await evaluator.dots({ pairs: [[origin, origin]] }, context.signal);
  const [squared = NaN] = values;
  if (!Number.isFinite(squared)) throw await originNotFinite(evaluator, input.at, input.snapshots, context);
  const makers = new Makers(evaluator, vectors, input, origin, context);
  const made: Made[] = [];
  for (const [k, direction] of pair.entries()) made.push(await makers.make(direction, k, pair));
  const [one, two] = made;
  if (one === undefined || two === undefined) throw new Error('A plane has two directions.');
  const random = pair.every(({ kind }) => kind === 'random');
  const spanned = await spanOf(
    evaluator,
    vectors,
    [one, two],
    { orthogonalise: input.orthogonalise ?? !random, keepLength: two.unit },
    context,
  );
  const [first, second] = spanned.directions;
  const { trajectory, leftOut } = await project(
    evaluator,
    vectors,
    { origin, directions: [first.vector, second.vector], snapshots: input.snapshots },
    context,
  );
  const fitted =
    axesAround(trajectory, input.size, MARGIN) ??
    [0, 1].map(() => {
      const half = NARROW * (Math.sqrt(squared) || 1);
      return axis(-half, half, input.size);
    });
  const along = (k: number, unit: boolean): readonly number[] => {
    if (unit && span === undefined) return fitted[k] ?? [];
    return axis(-(span ?? 1), span ?? 1, input.size);
  };
  const [x, y] = [along(0, first.unit), along(1, second.unit)];
  const turned = spanned.orthogonalised !== null && Math.abs(spanned.cosineBefore) >= 0.01;
  const shares = made.map((m) => m.varianceExplained);
  return {
    at: input.at.id,
    origin,
    directions: [first.vector, second.vector],
    description: {
      kind: asked.kind,
      directions: [first, second].map((d, k) => ({
        name: `${made[k]?.name ?? ''}${k === 1 && turned ? ', orthogonal to the first' : ''}`,
        norm: d.norm,
        varianceExplained: made[k]?.varianceExplained ?? null,
        randomWalk: made[k]?.randomWalk ?? null,
        seed: made[k]?.seed ?? null,
        ...(made[k]?.eigenvalue === undefined ? {} : { eigenvalue: made[k].eigenvalue }),
      })),
      varianceExplained: shares.every((s) => s !== null) ? shares.reduce((a, b) => a + b, 0) : null,
      cosine: spanned.cosine,
      ...(spanned.orthogonalised === null ? {} : { orthogonalised: spanned.orthogonalised }),
    },
    trajectory,
    corners: [],
    leftOut,
    x,
    y,
    width: extent(x) * first.norm,
    notes: [...new Set([...made.flatMap((m) => m.notes), ...heldStatistics(evaluator, input, pair)])],
  };
}

/** Derivatives are taken with batch-norm statistics held, while a picture has them computed anew at every point. */
function heldStatistics(evaluator: Evaluator, input: PlaneInput, pair: readonly Direction[]): string[] {
  const derived = pair.some(({ kind }) => kind === 'gradient' || kind === 'eigenvector');
  if (!derived || !howToEvaluate(evaluator.description, input, true).refresh) return [];
  return [
    'Gradient and eigenvectors are those with batch-norm statistics held; the losses that are drawn have them computed anew, so they may change less.',
  ];
}

/** Makes directions by their kind; what two of them need alike is computed once. */
class Makers {
  private eigenvectors: ReturnType<typeof extremeEigenvalues> | null = null;

  constructor(
    private readonly evaluator: Evaluator,
    private readonly vectors: Vectors,
    private readonly input: PlaneInput,
    private readonly origin: string,
    private readonly context: AnalysisContext,
  ) {}

  make(direction: Direction, k: number, pair: readonly Direction[]): Promise<Made> {
    switch (direction.kind) {
      case 'random':
        return this.random(k);
      case 'gradient':
        return this.gradient();
      case 'eigenvector': {
        const most = Math.max(...pair.map((d) => (d.kind === 'eigenvector' ? d.index : 0)));
        return this.eigenvector(direction.index, most);
      }
      case 'component':
        return this.component(direction.index);
      case 'between':
        return this.between(direction);
    }
  }

  private async random(k: number): Promise<Made> {
    const { input, vectors } = this;
    const normalisation = input.normalise ?? 'filter';
    const drawn = await drawRandom(
      this.evaluator,
      {
        into: vectors.name('random'),
        seed: derivedSeed(input.seed ?? 1, k),
        like: this.origin,
        normalisation,
      },
      input.includeBiases === true,
      this.context,
    );
    const how = normalisation === 'none' ? 'not normalised' : `${normalisation}-normalised`;
    return {
      ...drawn,
      unit: false,
      name: `random direction ${k + 1}, ${how}${drawn.included ? ', biases included' : ''}`,
      ...plain,
      seed: drawn.seed,
    };
  }

  private async gradient(): Promise<Made> {
    const { evaluator, input, context } = this;
    const into = this.vectors.name('gradient');
    const how = howToEvaluate(evaluator.description, input, false);
    const { norm } = await evaluator.gradient({ at: this.origin, into, how }, context.signal);
    if (!Number.isFinite(norm)) throw nonFinite('The gradient', 'Choose a centre before the loss diverged.');
    if (norm === 0) {
      throw new BasinError(
        'unsupported',
        'The gradient is zero at the centre, so it is no direction.',
        'Choose another centre, or the eigenvectors.',
      );
    }
    return this.scaled(into, norm, {
      name: 'gradient',
      notes: [`The gradient's norm at the centre is ${figures(norm, 3)}.`],
    });
  }

  private async eigenvector(index: number, most: number): Promise<Made> {
    const { evaluator, input, context, origin } = this;
    if (this.eigenvectors === null) {
      const how = howToEvaluate(evaluator.description, input, false);
      const curvature = new Curvature(evaluator, { at: origin, how, matrix: 'hessian' }, context);
      this.eigenvectors = extremeEigenvalues(curvature, this.vectors, blockOf(curvature, 'all', undefined), {
        end: 'largest',
        count: most,
        tolerance: TOLERANCE,
        maxProducts: 30 + 20 * most,
        seed: 1,
      });
    }
    const found = await this.eigenvectors;
    const [vector, value, residual] = [
      found.vectors[index - 1],
      found.values[index - 1],
      found.residuals[index - 1],
    ];
    if (vector === undefined || value === undefined || residual === undefined) {
      throw new BasinError(
        'bad-input',
        `The Hessian has no eigenvector ${index}: the objective has ${found.values.length} parameters.`,
        'Ask for an earlier one.',
      );
    }
    return this.scaled(vector, 1, {
      name: `eigenvector ${index} (λ ${figures(value, 3)})`,
      eigenvalue: { value, residual, converged: found.converged },
      notes: found.converged
        ? []
        : [
            `The eigenvectors have not converged: λ ${figures(value, 3)} is known to ${figures(residual, 2)} only.`,
          ],
    });
  }

  private async component(index: number): Promise<Made> {
    const { evaluator, vectors, input, context } = this;
    const { snapshots, gram } = await finiteGram(evaluator, input.snapshots, input.at, context);
    const { coefficients, shares } = principalComponents(gram, index);
    const wanted = coefficients[index - 1];
    if (wanted === undefined) {
      throw new BasinError(
        'bad-input',
        `The trajectory has no principal component ${index}: its ${snapshots.length} snapshots span ${coefficients.length} dimensions.`,
        'Ask for an earlier one, or train with a smaller --every.',
      );
    }
    const files = snapshots.map((s) => s.vector);
    const [vector = ''] = await buildOrthonormal(evaluator, vectors, files, [wanted], context);
    const steps = snapshots.map((s) => s.step);
    return {
      ...plain,
      vector,
      norm: 1,
      unit: true,
      name: `principal component ${index}`,
      varianceExplained: shares[index - 1] ?? null,
      randomWalk: randomWalkShares(steps, index)[index - 1] ?? null,
    };
  }

  private async between({ from, to }: Extract<Direction, { kind: 'between' }>): Promise<Made> {
    const into = this.vectors.name('between');
    const terms = [
      { coefficient: 1, vector: to.vector },
      { coefficient: -1, vector: from.vector },
    ];
    const { norm } = await this.evaluator.combine({ into, terms, state: null }, this.context.signal);
    if (!Number.isFinite(norm)) {
      throw nonFinite(`${from.id} or ${to.id}`, 'Choose models before the loss diverged.');
    }
    if (norm === 0) {
      throw new BasinError(
        'bad-input',
        `There is no direction from ${from.id} to ${to.id}: they are the same weights.`,
        'Name two different models.',
      );
    }
    return this.unitLength(into, norm, { name: `from ${from.id} to ${to.id}` });
  }

  /** What is normalised if that was asked for, and else of length 1. */
  private async scaled(
    vector: string,
    norm: number,
    what: Pick<Made, 'name'> & Partial<Made>,
  ): Promise<Made> {
    const { input, evaluator, context } = this;
    const { normalise: normalisation } = input;
    if (normalisation === undefined || normalisation === 'none') return this.unitLength(vector, norm, what);
    const include = { bias: input.includeBiases === true, norm: input.includeBiases === true };
    const answer = await evaluator.normalise(
      { vector, like: this.origin, normalisation, include },
      context.signal,
    );
    if (!(answer.norm > 0)) {
      throw new BasinError(
        'unsupported',
        `The ${what.name} has no length once it is ${normalisation}-normalised.`,
        'Leave --normalise out, or add --include-biases.',
      );
    }
    return {
      ...plain,
      ...what,
      vector,
      norm: answer.norm,
      unit: false,
      name: `${what.name}, ${normalisation}-normalised`,
      notes: [
        ...(what.notes ?? []),
        `Normalising turned the ${what.name} into another direction, whose ${normalisation === 'filter' ? 'filters' : 'layers'} have the norms of the model's.`,
      ],
    };
  }

  private async unitLength(
    vector: string,
    norm: number,
    what: Pick<Made, 'name'> & Partial<Made>,
  ): Promise<Made> {
    if (norm !== 1) {
      await this.evaluator.combine(
        { into: vector, terms: [{ coefficient: 1 / norm, vector }], state: null },
        this.context.signal,
      );
    }
    return { ...plain, ...what, vector, norm: 1, unit: true };
  }
}

const plain = { seed: null, varianceExplained: null, randomWalk: null, notes: [] as readonly string[] };
