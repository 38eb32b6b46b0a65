import assert from 'node:assert/strict';
import { LiveContourBudget } from '../../../src/surface/liveContour.ts';

/** A run of so many seconds with a snapshot every `every` seconds, and what its contours took in all. */
function simulate(seconds: number, every: number, cost: number): { asked: number; spent: number } {
  const budget = new LiveContourBudget();
  let asked = 0;
  for (let t = 0; t < seconds; t += every) {
    const snapshots = 1 + Math.floor(t / every);
    if (!budget.due({ snapshots, seconds: t, sharpness: true })) continue;
    budget.asked(snapshots);
    budget.spent(cost);
    asked++;
  }
  return { asked, spent: asked * cost };
}

describe('the budget of live contours', () => {
  it('waits for a few snapshots', () => {
    const budget = new LiveContourBudget();
    assert.equal(budget.due({ snapshots: 3, seconds: 100, sharpness: true }), false);
    assert.equal(budget.due({ snapshots: 4, seconds: 1, sharpness: true }), true);
  });

  it('lets the first λ₁ go before it, but does not wait for ever', () => {
    const budget = new LiveContourBudget();
    assert.equal(budget.due({ snapshots: 10, seconds: 2, sharpness: false }), false);
    assert.equal(budget.due({ snapshots: 10, seconds: 21, sharpness: false }), true);
  });

  it('asks about once per doubling', () => {
    const { asked } = simulate(1000, 1, 0.1);
    assert.ok(asked >= 7 && asked <= 9, `${asked} contours for 1000 snapshots`);
  });

  it('stays within its share of the training time after the first, whatever a contour costs', () => {
    for (const cost of [0.01, 0.3, 1, 5]) {
      const { spent } = simulate(500, 0.5, cost);
      assert.ok(spent <= Math.max(cost, 0.025 * 500), `${spent} s for contours of ${cost} s`);
    }
  });
});
