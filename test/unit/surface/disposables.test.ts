import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { DisposableStore } from '../../../src/surface/disposables.ts';
import { throttle } from '../../../src/surface/throttle.ts';

describe('DisposableStore', () => {
  it('disposes in the opposite order, and late additions at once', () => {
    const seen: number[] = [];
    const store = new DisposableStore();
    for (const n of [1, 2, 3]) store.add({ dispose: () => seen.push(n) });
    store.dispose();
    assert.deepEqual(seen, [3, 2, 1]);
    store.add({ dispose: () => seen.push(4) });
    assert.deepEqual(seen, [3, 2, 1, 4]);
    store.dispose();
    assert.deepEqual(seen, [3, 2, 1, 4]);
  });

  it('disposes the others when one throws', () => {
    const seen: number[] = [];
    const store = new DisposableStore();
    store.add({ dispose: () => seen.push(1) });
    store.add({
      dispose: () => {
        throw new Error('broken');
      },
    });
    assert.throws(() => store.dispose(), /broken/);
    assert.deepEqual(seen, [1]);
  });
});

describe('throttle', () => {
  it('lets a steady stream of calls through, at its own pace', async () => {
    let runs = 0;
    const throttled = throttle(100, () => runs++);
    const end = performance.now() + 550;
    while (performance.now() < end) {
      throttled();
      await sleep(10);
    }
    throttled.dispose();
    assert.ok(runs >= 3 && runs <= 7, `${runs} runs in 550 ms`);
  });

  it('runs once more for calls that came during the wait, and never after its end', async () => {
    let runs = 0;
    const throttled = throttle(30, () => runs++);
    throttled();
    await sleep(20);
    throttled();
    throttled();
    await sleep(100);
    assert.equal(runs, 2);
    throttled();
    throttled.dispose();
    throttled();
    await sleep(60);
    assert.equal(runs, 2);
  });
});
