import assert from 'node:assert/strict';
import { rename, writeFile } from 'node:fs/promises';
import { followRun, followRuns, type Followed, type RunChange } from '../../../src/runs/follow.ts';
import type { Run } from '../../../src/runs/run.ts';
import {
  appendSteps,
  makeFinishedRun,
  makeWorkspace,
  snapshotBytes,
  step,
  writeSnapshot,
  type Workspace,
} from '../../fixtures/runs.ts';

async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!condition()) {
    if (Date.now() > deadline) assert.fail(`in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

describe('following', () => {
  let workspace: Workspace;
  let run: Run;
  const followed: Followed[] = [];
  beforeEach(async () => {
    workspace = await makeWorkspace();
    run = await makeFinishedRun(workspace.store, 3);
  });
  afterEach(async () => {
    for (const f of followed.splice(0)) f.dispose();
    await workspace.remove();
  });

  // Each with the other way out of reach: events alone (no look for a minute), and looks alone (a throttle that never ends).
  for (const [how, options] of [
    ['events', { throttle: 20, poll: 60_000 }],
    ['polling', { throttle: 60_000, poll: 30 }],
  ] as const) {
    it(`tells the whole of a run, then each addition once, by ${how}`, async () => {
      const changes: RunChange[] = [];
      followed.push(followRun(run, (change) => changes.push(change), options));
      await until(() => changes.length === 1, 'the first');
      assert.ok(changes[0]?.fresh);
      assert.equal(changes[0].steps.length, 3);
      for (let i = 3; i < 8; i++) {
        await appendSteps(run, [step(i)]);
        await new Promise((resolve) => setTimeout(resolve, 15));
      }
      const told = (): number[] => changes.flatMap((c) => c.steps.map((s) => s.step));
      await until(() => told().length >= 8, 'all steps');
      assert.deepEqual(told(), [0, 1, 2, 3, 4, 5, 6, 7]);
      assert.ok(changes.slice(1).every((c) => !c.fresh));
      const before = changes.length;
      await writeSnapshot(run, 8, snapshotBytes([1, 2, 3, 4, 5, 6]));
      await until(() => changes.length > before, 'the snapshot');
      assert.ok(changes.at(-1)?.contents);
    });
  }

  it('throttles', async () => {
    let calls = 0;
    followed.push(followRun(run, () => calls++, { throttle: 150, poll: 60_000 }));
    await until(() => calls === 1, 'the first');
    const started = Date.now();
    let next = 3;
    while (Date.now() - started < 500) {
      await appendSteps(run, [step(next++)]);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.ok(calls >= 2 && calls <= 6, `${calls} calls`);
  });

  it('tells a replaced file as fresh', async () => {
    const changes: RunChange[] = [];
    followed.push(followRun(run, (change) => changes.push(change), { throttle: 20, poll: 40 }));
    await until(() => changes.length === 1, 'the first');
    await writeFile(run.path('beside'), `${JSON.stringify(step(2))}\n`);
    await rename(run.path('beside'), run.path('steps.jsonl'));
    await until(() => changes.some((c, i) => i > 0 && c.fresh), 'the fresh one');
    assert.deepEqual(
      changes.find((c, i) => i > 0 && c.fresh)?.steps.map((s) => s.step),
      [2],
    );
  });

  it('sees runs come, change and go, and is silent otherwise', async () => {
    let calls = 0;
    followed.push(followRuns(workspace.store, () => calls++, { throttle: 20, poll: 30 }));
    await until(() => calls === 1, 'the first');
    await new Promise((resolve) => setTimeout(resolve, 200));
    assert.equal(calls, 1);
    const second = await makeFinishedRun(workspace.store, 1);
    await until(() => calls >= 2, 'a new run');
    await new Promise((resolve) => setTimeout(resolve, 150));
    const settled = calls;
    await second.delete();
    await until(() => calls > settled, 'its end');
  });

  it('is silent once disposed', async () => {
    let calls = 0;
    const following = followRun(run, () => calls++, { throttle: 10, poll: 20 });
    await until(() => calls === 1, 'the first');
    following.dispose();
    await appendSteps(run, [step(3)]);
    await new Promise((resolve) => setTimeout(resolve, 150));
    assert.equal(calls, 1);
  });
});
