import assert from 'node:assert/strict';
import { cells, isobands, isolines, knownLattice, nearestIndex } from '../../../webview/contourGeometry.ts';
import type { Grid, Point, Polyline } from '../../../webview/contourGeometry.ts';

const range = (from: number, to: number, count: number): number[] =>
  Array.from({ length: count }, (_, i) => from + ((to - from) * i) / (count - 1));
const grid = (
  x: readonly number[],
  y: readonly number[],
  f: (x: number, y: number) => number | null,
): Grid => ({ x, y, loss: y.map((b) => x.map((a) => f(a, b))) });
const same = (loss: number): number => loss;
const pointsOf = (line: Polyline): Point[] =>
  Array.from({ length: line.length / 2 }, (_, k) => [line[2 * k] ?? NaN, line[2 * k + 1] ?? NaN]);

describe('contour geometry', () => {
  it('puts the isoline of a linear field exactly where the field has the value: no half-cell shift', () => {
    const field = grid(range(-2, 3, 11), range(10, 20, 6), (x) => x);
    const line = isolines(isobands(field, same, [0.3]), field)[0]!;
    assert.equal(line.lines.length, 1);
    const points = pointsOf(line.lines[0]!);
    for (const [x] of points) assert.ok(Math.abs(x - 0.3) < 1e-9, `${x}`);
    const ys = points.map(([, y]) => y);
    assert.deepEqual([Math.min(...ys), Math.max(...ys)], [10, 20], 'from frame to frame');
  });

  it('finds a circle where the circle is, and only follows the frame with bands', () => {
    const field = grid(range(-2, 2, 81), range(-2, 2, 81), (x, y) => Math.hypot(x, y));
    const bands = isobands(field, same, [1]);
    const [circle] = isolines(bands, field);
    for (const [x, y] of circle?.lines.flatMap(pointsOf) ?? [])
      assert.ok(Math.abs(Math.hypot(x, y) - 1) < 2e-3);
    assert.equal(circle?.lines.length, 1);
    // The band outside of the circle: its outer ring is the frame, its hole the circle.
    assert.equal(bands[0]?.rings.length, 2);
  });

  it('keeps every ring inside the grid', () => {
    const field = grid(range(0, 1, 5), range(0, 1, 5), (x, y) => Math.sin(9 * x) * Math.cos(7 * y));
    for (const { rings } of isobands(field, same, [-0.5, 0, 0.5])) {
      for (const [x, y] of rings.flatMap(pointsOf)) assert.ok(x >= 0 && x <= 1 && y >= 0 && y <= 1);
    }
  });

  it('has one line from frame to frame, wherever its ring was begun', () => {
    // The ring of what is above a parabola is begun at its vertex, which comes first row by row.
    const field = grid(range(-2, 2, 41), range(-2, 2, 41), (x, y) => y - x * x);
    for (const { lines, value } of isolines(isobands(field, same, [-3, 0.25, 1.75]), field)) {
      assert.equal(lines.length, value < -2 ? 2 : 1, `at ${value}`);
      for (const line of lines) {
        const points = pointsOf(line);
        for (const end of [points[0]!, points.at(-1)!]) assert.ok(end.some((at) => Math.abs(at) === 2));
      }
    }
  });

  it('finds the finest sub-grid that is wholly known', () => {
    const every = (n: number) => (_: unknown, i: number, j: number) =>
      i % n === 0 && j % n === 0 ? 1 : null;
    const axis = range(0, 8, 9);
    const partial: Grid = {
      x: axis,
      y: axis,
      loss: axis.map((_, j) => axis.map((__, i) => every(4)(null, i, j))),
    };
    assert.equal(knownLattice(partial)?.stride, 4);
    assert.deepEqual(knownLattice(partial)?.grid.x, [0, 4, 8]);
    assert.equal(knownLattice({ ...partial, loss: axis.map(() => axis.map(() => null)) }), null);
  });

  it('cuts cells half-way to their neighbours and clamps them to the frame', () => {
    const field = grid([0, 1, 3], [0, 1], () => 1);
    assert.deepEqual(
      cells(field, (_, i, j) => i === 1 && j === 0),
      [{ x: [0.5, 2], y: [0, 0.5], loss: 1 }],
    );
    assert.equal(nearestIndex([0, 1, 3], 2.2), 2);
  });
});
