import assert from 'node:assert/strict';
import { mock } from 'node:test';
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
  beforeEach(() => {
    mock.timers.enable({ apis: ['setTimeout', 'Date'] });
    mock.method(performance, 'now', () => Date.now());
  });
  afterEach(() => {
    mock.timers.reset();
    mock.restoreAll();
  });

  it('lets a steady stream of calls through, at its own pace', () => {
    let runs = 0;
    const throttled = throttle(100, () => runs++);
    for (let ms = 0; ms < 550; ms += 10) {
      throttled();
      mock.timers.tick(10);
    }
    throttled.dispose();
    assert.equal(runs, 6, 'at once, and after each 100 ms');
  });

  it('runs once more for calls that came during the wait, and never after its end', () => {
    let runs = 0;
    const throttled = throttle(30, () => runs++);
    throttled();
    mock.timers.tick(20);
    throttled();
    throttled();
    mock.timers.tick(100);
    assert.equal(runs, 2);
    throttled();
    throttled.dispose();
    throttled();
    mock.timers.tick(60);
    assert.equal(runs, 2);
  });
});
