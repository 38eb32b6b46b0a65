/**
 * Points that adaptive refinement evaluates beside a full grid, at equal error of the drawn isolines. The error is the mean
 * distance between drawn and true isolines (those of 161 × 161 points), both ways, in cells of a 41 × 41 grid.
 */
import { compare, landscapes, SIZE } from '../fixtures/landscapes.ts';
import { report } from './measure.ts';

for (const landscape of landscapes) {
  const { points, adaptive, full, equalPoints } = compare(landscape);
  const { name } = landscape;
  report(`${name}: isoline error of ${SIZE} × ${SIZE} points`, full.mean, {});
  report(`${name}: of refinement, ${points} points`, adaptive.mean, {});
  report(`${name}: share of a full grid's points at equal error`, points / equalPoints, { atMost: 1 / 3 });
}
