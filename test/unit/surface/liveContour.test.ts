import assert from 'node:assert/strict';
import { LiveContourBudget } from '../../../src/surface/liveContour.ts';

/** A run of so many seconds with a snapshot every `every` seconds, and what its contours took in all. */
function simulate(seconds: number, every: number, cost: number): { asked: number; spent: number } {
  const budget = new LiveContourBudget();
  let asked = 0;
  for (let t = 0; t < seconds; t += every) {
    const snapshots = 1 + Math.floor(t / every);
    if (!budget.due({ snapshots, seconds: t })) continue;
    budget.asked(snapshots);
    budget.spent(cost);
    asked++;
  }
  return { asked, spent: asked * cost };
}

describe('the budget of live contours', () => {
  it('waits for a few snapshots', () => {
    const budget = new LiveContourBudget();
    assert.equal(budget.due({ snapshots: 3, seconds: 100 }), false);
    assert.equal(budget.due({ snapshots: 4, seconds: 1 }), true);
  });

  it('asks about once per doubling', () => {
    const { asked } = simulate(1000, 1, 0.1);
    assert.ok(asked >= 7 && asked <= 9, `${asked} contours for 1000 snapshots`);
  });

  it('stays within 5 % of the training time after the first, whatever a contour costs', () => {
    for (const cost of [0.01, 0.3, 1, 5]) {
      const { spent } = simulate(500, 0.5, cost);
      assert.ok(spent <= Math.max(cost, 0.05 * 500), `${spent} s for contours of ${cost} s`);
    }
  });
});
