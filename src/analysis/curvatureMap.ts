/** The extreme eigenvalues of the Hessian at every point of a plane (Li et al. 2018, figure 7), both from one Krylov space. */
import type { CurvatureMapResult, Field } from '../protocol/curvatureMap.ts';
import { BasinError } from '../protocol/errors.ts';
import type { HowToEvaluate } from '../protocol/evaluator.ts';
import type { Maybe } from '../protocol/result.ts';
import { buildPlane } from './buildPlane.ts';
import { passes } from './contour.ts';
import { fingerprintOf, fits, sameLoss, type PlaneFingerprint } from './contourPoints.ts';
import { Curvature } from './curvature.ts';
import { derivedSeed } from './directions.ts';
import type { AnalysisContext, Evaluator } from './evaluator.ts';
import { finite } from './finite.ts';
import { lanczos } from './lanczos.ts';
import { howToEvaluate, lossAt, type Draft } from './model.ts';
import type { Plane, PlaneInput } from './plane.ts';
import { requireReplay } from './replay.ts';
import { dataSentence, replaySentence } from './trust.ts';
import { orthogonalSentences, planeSentences, resumedSentences } from './trustContour.ts';
import { curvatureMapSentences } from './trustCurvatureMap.ts';
import { withVectors, type Vectors } from './vectors.ts';

export interface CurvatureMapInput extends PlaneInput {
  /** Largest share of the larger |λ| that both residuals may have. */
  readonly tolerance: number;
  /** What the same question had found when it was interrupted; it is left out where it does not fit. */
  readonly known?: CurvaturePoints;
}

/** Both ends of the spectrum at a point; null where the curvature is not finite. */
interface Ends {
  readonly largest: number;
  readonly smallest: number;
  readonly residual: number;
  readonly converged: boolean;
}
interface Found {
  readonly row: number;
  readonly column: number;
  readonly loss: Maybe;
  readonly ends: Ends | null;
}
/** What an interrupted map leaves behind. */
export interface CurvaturePoints extends PlaneFingerprint {
  readonly points: readonly Found[];
  /** The largest eigenvalue at the origin; null where it is not finite. */
  readonly sharpest: Maybe;
  readonly products: number;
}

const MOST_PRODUCTS = 80;

/**
 * @param publish is given a partial result and what to go on from, after each point
 * @throws BasinError as {@link contour} does
 */
export async function curvatureMap(
  evaluator: Evaluator,
  input: CurvatureMapInput,
  context: AnalysisContext,
  publish: (partial: Draft<CurvatureMapResult>, points: CurvaturePoints) => void = () => undefined,
): Promise<Draft<CurvatureMapResult>> {
  requireReplay(evaluator.description);
  return withVectors(evaluator, async (vectors) => {
    context.progress(0, 'finding the plane');
    const plane = await buildPlane(evaluator, vectors, input, context);
    const map = new CurvatureMap(evaluator, vectors, input, plane, context);
    await map.evaluateCentre();
    if (input.known !== undefined) map.adopt(input.known);
    for (const [row, column] of passes(input.size).flat()) {
      if (map.has(row, column)) continue;
      await map.evaluate(row, column);
      publish(map.draft(false), map.points());
    }
    return map.draft(true);
  });
}

class CurvatureMap {
  private readonly how: HowToEvaluate;
  private readonly found: Found[] = [];
  private readonly done = new Set</* row·size + column */ number>();
  private centre: Ends | null = null;
  private centreLoss: Maybe = null;
  private samples = 0;
  /** The sum of both eigenvectors at the centre: where every search begins. */
  private start: string | null = null;
  private products = 0;
  private method: Curvature['method'] = 'exact';
  private reason: string | null = null;
  private resumed: number | null | undefined = undefined;

  constructor(
    private readonly evaluator: Evaluator,
    private readonly vectors: Vectors,
    private readonly input: CurvatureMapInput,
    private readonly plane: Plane,
    private readonly context: AnalysisContext,
  ) {
    this.how = howToEvaluate(evaluator.description, input, true);
  }

  async evaluateCentre(): Promise<void> {
    const { loss, samples } = await lossAt(this.evaluator, this.plane.origin, this.how, this.context.signal);
    this.samples = samples;
    this.centreLoss = finite(loss);
    const at = await this.placeAt(0, 0);
    this.centre = await this.endsAt(at, 0, true);
    await this.vectors.release([at]);
  }

  has(row: number, column: number): boolean {
    return this.done.has(row * this.input.size + column);
  }

  async evaluate(row: number, column: number): Promise<void> {
    const { evaluator, plane, context } = this;
    const total = this.input.size ** 2;
    context.progress(this.found.length / total, `curvature ${this.found.length + 1} of ${total}`);
    const [x, y] = [plane.x[column] ?? 0, plane.y[row] ?? 0];
    const answer = await evaluator.loss(
      { origin: plane.origin, directions: plane.directions, coefficients: [[x, y]], how: this.how },
      context.signal,
    );
    const at = await this.placeAt(x, y);
    try {
      const ends = await this.endsAt(at, 1 + row * this.input.size + column, false);
      this.note({ row, column, loss: finite(answer.points[0]?.loss ?? NaN), ends });
    } finally {
      await this.vectors.release([at]);
    }
  }

  /** Takes over what an interrupted map had found, where the plane and the centre are what they were. */
  adopt(known: CurvaturePoints): void {
    this.resumed = null;
    const agrees = sameLoss(known.sharpest, this.centre?.largest ?? null, 2 * this.input.tolerance);
    if (known.points.length === 0 || !fits(known, this.plane, this.centreLoss) || !agrees) return;
    for (const point of known.points) this.note(point);
    this.products += known.products;
    this.resumed = known.points.length;
  }

  points(): CurvaturePoints {
    return {
      ...fingerprintOf(this.plane, this.centreLoss),
      points: [...this.found],
      sharpest: this.centre?.largest ?? null,
      products: this.products,
    };
  }

  private note(point: Found): void {
    this.found.push(point);
    this.done.add(point.row * this.input.size + point.column);
  }

  /** A vector of the weights there, batch-norm statistics computed anew where that belongs to the mode. */
  private async placeAt(x: number, y: number): Promise<string> {
    const { evaluator, plane, context } = this;
    const into = this.vectors.name('place');
    const [first, second] = plane.directions;
    await evaluator.combine(
      {
        into,
        terms: [
          { coefficient: 1, vector: plane.origin },
          { coefficient: x, vector: first },
          { coefficient: y, vector: second },
        ],
        state: plane.origin,
      },
      context.signal,
    );
    if (this.how.refresh)
      await evaluator.refreshStatistics({ vector: into, data: { split: 'train' } }, context.signal);
    return into;
  }

  private async endsAt(at: string, place: number, keepStart: boolean): Promise<Ends | null> {
    const { evaluator, vectors, input, context } = this;
    const curvature = new Curvature(
      evaluator,
      { at, how: { ...this.how, refresh: false }, matrix: 'hessian' },
      context,
    );
    try {
      const {
        values,
        residuals,
        vectors: found,
        converged,
      } = await lanczos(
        evaluator,
        vectors,
        curvature.multiply,
        {
          top: 1,
          bottom: 1,
          maxProducts: MOST_PRODUCTS,
          tolerance: input.tolerance,
          ofNorm: true,
          seed: derivedSeed(input.seed ?? 1, 7000 + place),
          like: at,
          ...(this.start === null ? {} : { start: this.start }),
        },
        // Its own progress is of one point.
        { signal: context.signal, progress: () => undefined },
      );
      if (keepStart && found[0] !== undefined && found[1] !== undefined) {
        this.start = vectors.name('start');
        const terms = [...new Set(found)].map((vector) => ({ coefficient: 1, vector }));
        await evaluator.combine({ into: this.start, terms, state: null }, context.signal);
      }
      await vectors.release(found);
      return {
        largest: values[0] ?? NaN,
        smallest: values[1] ?? NaN,
        residual: Math.max(...residuals),
        converged,
      };
    } catch (error) {
      if (error instanceof BasinError && error.code === 'non-finite') return null;
      throw error;
    } finally {
      this.products += curvature.products;
      if (curvature.method === 'finite-difference') this.method = curvature.method;
      this.reason ??= curvature.reason;
    }
  }

  draft(complete: boolean): Draft<CurvatureMapResult> {
    const { plane, input, found } = this;
    const field = (of: (point: Found) => Maybe): Field => {
      const rows = plane.y.map(() => plane.x.map((): Maybe => null));
      for (const point of found) {
        const row = rows[point.row];
        if (row !== undefined) row[point.column] = of(point);
      }
      return rows;
    };
    const body = {
      kind: 'curvature-map' as const,
      at: plane.at,
      data: { split: input.data.split, samples: this.samples },
      plane:
        plane.corners.length === 0
          ? plane.description
          : {
              ...plane.description,
              corners: plane.corners.map(({ vector: _, ...place }) => ({ ...place, evaluated: null })),
            },
      x: plane.x,
      y: plane.y,
      largest: field((p) => p.ends?.largest ?? null),
      smallest: field((p) => p.ends?.smallest ?? null),
      ratio: field((p) => ratioOf(p.ends)),
      residual: field((p) => p.ends?.residual ?? null),
      loss: field((p) => p.loss),
      centre: {
        largest: this.centre?.largest ?? null,
        smallest: this.centre?.smallest ?? null,
        ratio: ratioOf(this.centre),
        residual: this.centre?.residual ?? null,
      },
      tolerance: input.tolerance,
      notConverged: found.filter((p) => p.ends?.converged === false).length,
      trajectory: plane.trajectory,
      products: this.products,
      method: this.method,
      evaluated: found.length,
      ...(typeof this.resumed === 'number' ? { resumed: this.resumed } : {}),
      complete,
      refreshedStatistics: this.how.refresh,
    };
    return {
      ...body,
      trust: [
        ...curvatureMapSentences(body, this.reason),
        ...planeSentences(body, plane.width),
        ...orthogonalSentences(body.plane),
        ...plane.notes,
        ...resumedSentences(this.resumed, 'map'),
        dataSentence(body.data, input.mode, this.how.refresh),
        ...replaySentence(this.evaluator.description),
      ],
    };
  }
}

function ratioOf(ends: Ends | null): Maybe {
  if (ends === null) return null;
  const { largest, smallest } = ends;
  // Nothing bends: nothing bends down.
  if (largest === 0) return smallest === 0 ? 0 : null;
  return Math.abs(smallest / largest);
}
