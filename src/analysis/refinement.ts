/**
 * Which points of a grid have to be evaluated, and what the others are: interpolating refinement of a dyadic lattice.
 *
 * Each level halves the spacing. A new point is predicted from the level before by interpolation of the fifth order, of the
 * third near edges (Deslauriers & Dubuc 1989): of the loss, its root or its logarithm, whichever predicts best what has been
 * evaluated. Errors are those of the logarithm where all losses are positive, since that is what isolines are drawn in.
 * Where a point is evaluated, its surplus over the prediction tells how far interpolation may be trusted around it (Donoho
 * 1992; Holmström 1999): the points of the next level are evaluated only where the surplus expected there would move an
 * isoline by more than a share of what drawing straight lines between grid points moves it by anyway. All others keep
 * their prediction.
 */
import type { Maybe } from '../protocol/result.ts';

export type GridPoint = readonly [row: number, column: number];

/** A surplus is expected to be this share of those at twice the spacing: 1/64 where the loss is smooth, more at kinks. */
const DECAY = 0.08;
/** Share of the drawing's own error that interpolation may add. */
const TOLERATED = 0.4;
/** Cells by which an isoline may always be off. */
const NEGLIGIBLE = 0.01;

/** What is interpolated: whichever predicts the evaluated points best. */
const UNITS = {
  loss: { forth: (loss: number) => loss, back: (u: number) => u },
  'log loss': { forth: Math.log, back: Math.exp },
  'root of the loss': { forth: Math.sqrt, back: (u: number) => (u > 0 ? u * u : NaN) },
} as const;
export type InterpolatedUnit = keyof typeof UNITS;

/**
 * Midpoint weights (Deslauriers & Dubuc 1989): of six points (one half of them), of four, and of four beside an edge, where
 * one point lies on the one side and three on the other.
 */
const INSIDE = [-1 / 16, 9 / 16, 9 / 16, -1 / 16] as const;
const FAR_INSIDE = [3 / 256, -25 / 256, 150 / 256] as const;
const AT_EDGE = [5 / 16, 15 / 16, -5 / 16, 1 / 16] as const;

/** The coarsest spacing: a power of two that divides the grid and leaves at least four intervals, at most 8. */
export function coarsestStride(size: number): number {
  let stride = 1;
  while (stride < 8 && (size - 1) % (2 * stride) === 0 && (size - 1) / (2 * stride) >= 4) stride *= 2;
  return stride;
}

export class Refinement {
  /** Evaluated losses; NaN where one is not finite, undefined where none is known. */
  private readonly known = new Map</* row·size + column */ number, number>();
  /** Transformed values of the levels so far, evaluated or predicted. */
  private values: Float64Array;
  /** |surplus|, measured where a point was evaluated and expected elsewhere, at each point's own level. */
  private readonly errors: Float64Array;
  private interpolated: InterpolatedUnit = 'loss';
  /** Errors are of the logarithm. */
  private logarithmic = true;
  private stride: number;

  constructor(readonly size: number) {
    this.values = new Float64Array(size * size).fill(NaN);
    this.errors = new Float64Array(size * size);
    this.stride = coarsestStride(size);
  }

  /** What interpolation works on. */
  get unit(): InterpolatedUnit {
    return this.interpolated;
  }

  get evaluated(): number {
    return this.known.size;
  }

  isEvaluated(row: number, column: number): boolean {
    return this.known.has(row * this.size + column);
  }

  /** @param loss null where it is not finite */
  set([row, column]: GridPoint, loss: Maybe): void {
    this.known.set(row * this.size + column, loss ?? NaN);
  }

  /**
   * The levels from coarse to fine, each as the points that have to be evaluated (with `set`) before the next is asked
   * for. Points that are known already are left out.
   */
  *levels(): Generator<readonly GridPoint[]> {
    const { size } = this;
    const coarsest = coarsestStride(size);
    yield this.unknown(lattice(size, coarsest));
    this.stride = coarsest;
    for (let stride = coarsest / 2; stride >= 1; stride /= 2) {
      this.predict(2 * stride);
      const fresh = newPoints(size, stride);
      // One level is evaluated whole: it is what surpluses are first known from.
      const wanted = stride === coarsest / 2 ? fresh : fresh.filter((p) => this.isNeeded(p, stride));
      yield this.unknown(wanted);
      this.stride = stride;
    }
    this.predict(1);
  }

  /** The loss at every point, evaluated or interpolated; null where it is not finite or cannot be interpolated yet. */
  filled(): Maybe[][] {
    const { size, stride } = this;
    this.predict(stride);
    for (let finer = stride / 2; finer >= 1; finer /= 2) this.refine(finer);
    return Array.from({ length: size }, (_, row) =>
      Array.from({ length: size }, (_, column) => {
        const k = row * size + column;
        const value = this.known.get(k) ?? this.back(this.values[k] ?? NaN);
        return Number.isFinite(value) ? value : null;
      }),
    );
  }

  /** Root mean square of the expected errors of interpolated points, of log loss (of the loss where that has no logarithm); null where none is interpolated. */
  interpolationError(): number | null {
    let [sum, count] = [0, 0];
    for (let k = 0; k < this.errors.length; k++) {
      if (this.known.has(k)) continue;
      sum += (this.errors[k] ?? 0) ** 2;
      count++;
    }
    return count === 0 ? null : Math.sqrt(sum / count);
  }

  private unknown(points: readonly GridPoint[]): GridPoint[] {
    return points.filter(([row, column]) => !this.isEvaluated(row, column));
  }

  private forth(loss: number): number {
    return UNITS[this.interpolated].forth(loss);
  }

  private back(value: number): number {
    return UNITS[this.interpolated].back(value);
  }

  /** A value as isolines are drawn of it. */
  private drawn(value: number): number {
    const loss = this.back(value);
    if (!this.logarithmic) return loss;
    return loss > 0 ? Math.log(loss) : NaN;
  }

  /** Values, surpluses and expected errors of every level down to a spacing, from what is known, in the best unit. */
  private predict(finest: number): void {
    this.logarithmic = [...this.known.values()].every((loss) => !(loss <= 0));
    let best: InterpolatedUnit = 'loss';
    if (this.logarithmic) {
      let least = Infinity;
      for (const unit of Object.keys(UNITS) as InterpolatedUnit[]) {
        const missed = this.predictIn(unit, finest);
        if (missed < least) [least, best] = [missed, unit];
      }
    }
    this.predictIn(best, finest);
  }

  /** @returns by how much known points were missed: the sum of the surpluses, of which none counts for more than 1 */
  private predictIn(unit: InterpolatedUnit, finest: number): number {
    const { size } = this;
    const coarsest = coarsestStride(size);
    this.interpolated = unit;
    this.values.fill(NaN);
    this.errors.fill(0);
    for (const [row, column] of lattice(size, coarsest)) {
      const k = row * size + column;
      this.values[k] = this.forth(this.known.get(k) ?? NaN);
    }
    for (let stride = coarsest / 2; stride >= finest; stride /= 2) this.refine(stride);
    let missed = 0;
    for (const k of this.known.keys()) missed += Math.min(1, this.errors[k] ?? 0);
    return missed;
  }

  /** One level: predictions, replaced by what is known; a surplus where it is. */
  private refine(stride: number): void {
    const { size, values, errors, known } = this;
    const settle = (k: number, predicted: number, expected: number): void => {
      const loss = known.get(k);
      if (loss === undefined) {
        values[k] = predicted;
        errors[k] = expected;
        return;
      }
      values[k] = this.forth(loss);
      const surplus = Math.abs(this.drawn(values[k]) - this.drawn(predicted));
      errors[k] = Number.isFinite(surplus) ? surplus : Infinity;
    };
    const along = (k: number, step: number, place: number): number => {
      // place: index along the line, in units of the doubled spacing, of the point before; the line has `last` + 1 of them.
      const last = (size - 1) / (2 * stride);
      const at = (i: number): number => values[k + (2 * (i - place) - 1) * step] ?? NaN;
      if (place === 0) return weigh(AT_EDGE, at(0), at(1), at(2), at(3));
      if (place === last - 1) return weigh(AT_EDGE, at(last), at(last - 1), at(last - 2), at(last - 3));
      if (place >= 2 && place <= last - 3) {
        const [f, e, d] = FAR_INSIDE;
        return (
          f * (at(place - 2) + at(place + 3)) +
          e * (at(place - 1) + at(place + 2)) +
          d * (at(place) + at(place + 1))
        );
      }
      return weigh(INSIDE, at(place - 1), at(place), at(place + 1), at(place + 2));
    };
    const centres: number[] = [];
    for (const [row, column] of newPoints(size, stride)) {
      const k = row * size + column;
      const [oddRow, oddColumn] = [(row / stride) % 2 === 1, (column / stride) % 2 === 1];
      if (oddRow && oddColumn) {
        centres.push(k);
        continue;
      }
      const predicted = oddColumn
        ? along(k, stride, (column / stride - 1) / 2)
        : along(k, stride * size, (row / stride - 1) / 2);
      settle(k, predicted, DECAY * this.nearbyError(row, column, stride));
    }
    for (const k of centres) {
      const [row, column] = [Math.floor(k / size), k % size];
      const x = along(k, stride, (column / stride - 1) / 2);
      const y = along(k, stride * size, (row / stride - 1) / 2);
      settle(k, (x + y) / 2, DECAY * this.nearbyError(row, column, stride));
    }
  }

  /** The largest surplus, measured or expected, of the level before within one of its spacings. */
  private nearbyError(row: number, column: number, stride: number): number {
    const { size, errors } = this;
    const coarse = 2 * stride;
    let largest = 0;
    for (let r = ceilTo(row - coarse, coarse); r <= row + coarse; r += coarse) {
      for (let c = ceilTo(column - coarse, coarse); c <= column + coarse; c += coarse) {
        if (r < 0 || c < 0 || r >= size || c >= size) continue;
        // Points of coarser levels have surpluses of coarser spacings.
        if ((r / coarse) % 2 === 0 && (c / coarse) % 2 === 0) continue;
        largest = Math.max(largest, errors[r * size + c] ?? 0);
      }
    }
    return largest;
  }

  /** Whether leaving the point to interpolation would be seen. */
  private isNeeded([row, column]: GridPoint, stride: number): boolean {
    const { size, values } = this;
    const expected = DECAY * this.nearbyError(row, column, stride);
    if (expected === 0) return false;
    if (!Number.isFinite(expected)) return true;
    const coarse = 2 * stride;
    // First and second differences on the level before, at the nearest of its points inside of the grid.
    const near = (i: number): number =>
      Math.min(Math.max(coarse, Math.round(i / coarse) * coarse), size - 1 - coarse);
    const [r, c] = [near(row), near(column)];
    const at = (i: number, j: number): number => this.drawn(values[i * size + j] ?? NaN);
    const [left, here, right] = [at(r, c - coarse), at(r, c), at(r, c + coarse)];
    const [below, above] = [at(r - coarse, c), at(r + coarse, c)];
    const slope = Math.hypot(right - left, above - below) / (2 * coarse);
    const bend =
      Math.max(Math.abs(left - 2 * here + right), Math.abs(below - 2 * here + above)) / coarse ** 2;
    if (!Number.isFinite(slope + bend)) return true;
    return expected > Math.max((TOLERATED * bend) / 8, NEGLIGIBLE * slope);
  }
}

function weigh(
  [a, b, c, d]: readonly [number, number, number, number],
  p: number,
  q: number,
  r: number,
  s: number,
): number {
  return a * p + b * q + c * r + d * s;
}

const ceilTo = (value: number, step: number): number => Math.ceil(value / step) * step;

function lattice(size: number, stride: number): GridPoint[] {
  const along = Array.from({ length: (size - 1) / stride + 1 }, (_, i) => i * stride);
  return along.flatMap((row) => along.map((column): GridPoint => [row, column]));
}

/** What a spacing adds to twice that spacing. */
function newPoints(size: number, stride: number): GridPoint[] {
  return lattice(size, stride).filter(
    ([row, column]) => (row / stride) % 2 === 1 || (column / stride) % 2 === 1,
  );
}
