import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { rm, utimes } from 'node:fs/promises';
import type { AnalysisResult } from '../../../src/protocol/analyses.ts';
import { KeptAnalyses } from '../../../src/runs/keptAnalyses.ts';
import { makeFinishedRun, makeWorkspace, type Workspace } from '../../fixtures/runs.ts';

describe('results that are kept in memory', () => {
  let workspace: Workspace;
  beforeEach(async () => (workspace = await makeWorkspace()));
  afterEach(() => workspace.remove());

  const { results } = JSON.parse(
    readFileSync(new URL('../../fixtures/engine-view.json', import.meta.url), 'utf8'),
  ) as { results: [AnalysisResult, AnalysisResult] };
  const [first, second] = results;
  const ids = (of: readonly AnalysisResult[]): string[] => of.map(({ id }) => id);

  it('are read once a change: by several at a time, after another, and after one was taken away', async () => {
    const run = await makeFinishedRun(workspace.store, 3);
    let reads = 0;
    const kept = new KeptAnalyses((of) => {
      reads++;
      return of.analyses();
    });
    /** As if the folder had changed then: no test waits for the file system's clock. */
    const changedAt = (seconds: number): Promise<void> => utimes(run.path('analyses'), seconds, seconds);

    assert.deepEqual(await kept.of(run), []);
    await run.saveAnalysis(first);
    await changedAt(1000);
    reads = 0;
    const asOne = await Promise.all([kept.of(run), kept.of(run), kept.of(run)]);
    for (const one of asOne) assert.deepEqual(ids(one), [first.id]);
    assert.deepEqual(ids(await kept.of(run)), [first.id]);
    // Another object of the same run, as each refresh of the list makes one.
    assert.deepEqual(ids(await kept.of(await workspace.store.open(run.id))), [first.id]);
    assert.equal(reads, 1);

    await run.saveAnalysis(second);
    await changedAt(2000);
    assert.deepEqual(ids(await kept.of(run)).sort(), [first.id, second.id].sort());
    assert.equal(reads, 2);

    await rm(run.path('analyses', `${first.id}.json`));
    await changedAt(3000);
    assert.deepEqual(ids(await kept.of(run)), [second.id]);
    assert.equal(reads, 3);
  });

  it('are not trusted while their folder has only just changed', async () => {
    const run = await makeFinishedRun(workspace.store, 3);
    const kept = new KeptAnalyses();
    // A clock that has not ticked between the two changes.
    const now = new Date(Date.now() + 60_000);
    for (const result of [first, second]) {
      await run.saveAnalysis(result);
      await utimes(run.path('analyses'), now, now);
      assert.ok(ids(await kept.of(run)).includes(result.id));
    }
  });

  it('are of few runs at a time, and are asked for again after a failure', async () => {
    const runs = [];
    for (let k = 0; k < 6; k++) {
      const run = await makeFinishedRun(workspace.store, 2);
      await run.saveAnalysis(first);
      await utimes(run.path('analyses'), 1000, 1000);
      runs.push(run);
    }
    const read: string[] = [];
    let fail = true;
    const kept = new KeptAnalyses((run) => {
      read.push(run.id);
      return fail ? Promise.reject(new Error('unreadable')) : run.analyses();
    });
    await assert.rejects(kept.of(runs[0]!), /unreadable/);
    fail = false;
    for (const run of runs) await kept.of(run);
    await kept.of(runs[5]!);
    await kept.of(runs[0]!);
    assert.deepEqual(read, [runs[0]!.id, ...runs.map(({ id }) => id), runs[0]!.id]);
  });
});
