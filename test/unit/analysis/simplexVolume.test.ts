/** Volumes of simplices against geometry: known ones, and the determinant of edges drawn at random. */
import assert from 'node:assert/strict';
import { determinant, Matrix } from 'ml-matrix';
import { simplexVolume } from '../../../src/analysis/simplexVolume.ts';
import { gaussianRows } from '../../fixtures/gaussian.ts';

const distances = (points: readonly (readonly number[])[]): number[][] =>
  points.map((a) => points.map((b) => Math.hypot(...a.map((v, i) => v - b[i]!))));
const near = (a: number, b: number): void =>
  assert.ok(Math.abs(a - b) <= 1e-10 * Math.max(1, b), `${a}, ${b}`);

describe('volume of a simplex', () => {
  it('is that of triangles and tetrahedra', () => {
    near(simplexVolume(distances([[0], [2.5]])), 2.5);
    // 3-4-5: the volume, not its square.
    near(
      simplexVolume(
        distances([
          [0, 0],
          [3, 0],
          [0, 4],
        ]),
      ),
      6,
    );
    near(
      simplexVolume(
        distances([
          [0, 0, 0],
          [1, 0, 0],
          [0, 1, 0],
          [0, 0, 1],
        ]),
      ),
      1 / 6,
    );
    near(simplexVolume([0, 1, 2, 3].map((i) => [0, 1, 2, 3].map((j) => (i === j ? 0 : 1)))), Math.SQRT2 / 12);
  });

  it('is the determinant of the edges over n!, at any scale', () => {
    for (const n of [2, 3, 5]) {
      const edges = gaussianRows(n, n, 10 + n);
      let factorial = 1;
      for (let k = 2; k <= n; k++) factorial *= k;
      const wanted = Math.abs(determinant(new Matrix(edges))) / factorial;
      near(simplexVolume(distances([edges[0]!.map(() => 0), ...edges])), wanted);
      const far = simplexVolume(
        distances([edges[0]!.map(() => 0), ...edges.map((e) => e.map((v) => 1e40 * v))]),
      );
      near(far / 1e40 ** n, wanted);
    }
  });

  it('is zero on a line and where corners are one, and unknown where a distance is', () => {
    assert.ok(
      simplexVolume(
        distances([
          [0, 0],
          [1, 1],
          [3, 3],
        ]),
      ) < 1e-7,
    );
    assert.equal(
      simplexVolume([
        [0, 0],
        [0, 0],
      ]),
      0,
    );
    assert.ok(
      Number.isNaN(
        simplexVolume([
          [0, NaN],
          [NaN, 0],
        ]),
      ),
    );
  });
});
