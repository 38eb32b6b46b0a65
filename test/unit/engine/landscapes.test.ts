/** Landscapes of several runs: asked one after the other, shown as they come, kept, and told of where one has no answer. */
import assert from 'node:assert/strict';
import { rename } from 'node:fs/promises';
import { Engine } from '../../../src/engine/engine.ts';
import type { LandscapesJob, LandscapesResult } from '../../../src/protocol/landscapes.ts';
import type { JobProgress } from '../../../src/protocol/engine.ts';
import { gaussians } from '../../fixtures/gaussian.ts';
import { holdRun, STEPS, type HeldRun } from '../../fixtures/heldRun.ts';
import { classifier } from '../../fixtures/problems.ts';
import { makeWorkspace, type Workspace } from '../../fixtures/runs.ts';

describe('landscapes of several runs', function () {
  this.timeout(60_000);
  let workspace: Workspace;
  let held: HeldRun[];
  let engine: Engine;
  before(async () => {
    workspace = await makeWorkspace();
    held = [];
    for (const seed of [1, 2, 3]) {
      const next = gaussians(seed);
      const samples = {
        x: Array.from({ length: 60 }, () => [next(), next(), next()]),
        labels: Array.from({ length: 60 }, (_, i) => (i * seed) % 3),
      };
      const problem = classifier({
        units: [3, 3],
        activation: 'tanh',
        bias: true,
        train: samples,
        validation: samples,
      });
      const start = Array.from({ length: 12 }, () => next());
      held.push(await holdRun(workspace.store, { problem, start }));
    }
    // A process of its own would read the others' snapshots from disk.
    for (const { reference } of held)
      for (const other of held)
        for (const [file, { values }] of other.reference.files)
          if (!reference.files.has(file)) reference.put(file, values);
    engine = new Engine({ root: workspace.root, dist: '', version: '0.0.0' });
  });
  after(async () => {
    await engine.dispose();
    for (const { server } of held) await server.stop();
    await workspace.remove();
  });

  const id = (k: number): string => held[k]!.run.id;
  const asked = (k: number): number => held[k]!.reference.calls.length;
  const job = (more: Partial<LandscapesJob> = {}): LandscapesJob => ({
    kind: 'landscapes',
    run: id(0),
    members: ['last', `${id(1)}:last`, `${id(2)}:last`],
    size: 17,
    ...more,
  });

  it('shows each coarse and then refined, run after run, and gives every process back', async () => {
    const partials: LandscapesResult[] = [];
    const progress: JobProgress[] = [];
    const result = (await engine.run(job(), {
      partial: (partial) => {
        assert.ok(partial.kind === 'landscapes');
        partials.push(partial);
      },
      progress: (p) => progress.push(p),
    })) as LandscapesResult;
    assert.deepEqual(
      result.landscapes.map((one) => [one.run, one.contour?.run, one.contour?.complete, one.error]),
      held.map(({ run }) => [run.id, run.id, true, null]),
    );
    // Told apart by their ids: all three scripts have one name.
    for (const { run, name } of result.landscapes) assert.ok(name.endsWith(`(${run})`), name);
    assert.ok(partials.length > 0 && partials.every(({ complete, id: of }) => !complete && of === result.id));
    const known = partials.map(({ landscapes }) => landscapes.map(({ contour }) => contour?.evaluated ?? 0));
    for (const [k, now] of known.entries()) {
      const before = known[k - 1] ?? [0, 0, 0];
      now.forEach((count, i) => assert.ok(count >= before[i]!, 'nothing is lost on the way'));
      // The next one begins when the one before it is whole.
      now.forEach((count, i) => {
        if (count > 0) assert.ok(partials[k]!.landscapes.slice(0, i).every((l) => l.contour!.complete));
      });
    }
    assert.ok(
      known.some(([a]) => a! > 0 && a! < 17 * 17),
      'the first is shown while it is coarse',
    );
    assert.ok(
      known.some(([a, b]) => a! > 0 && b! > 0),
      'and beside the second',
    );
    const fractions = progress.flatMap(({ fraction }) => (fraction === null ? [] : [fraction]));
    assert.ok(fractions.every((f, k) => f >= 0 && f <= 1 && f >= (fractions[k - 1] ?? 0)));
    for (const { reference } of held) assert.deepEqual(reference.held, []);
    assert.match(result.trust.join('\n'), /Each landscape is of its own run/);
  });

  it('keeps it, and each run keeps its own', async () => {
    const before = held.map((_, k) => asked(k));
    const again = (await engine.run(job())) as LandscapesResult;
    assert.deepEqual(
      held.map((_, k) => asked(k)),
      before,
      'nothing is asked again',
    );
    for (const { run, contour } of again.landscapes) {
      const own = await held.find((h) => h.run.id === run)!.run.analyses();
      assert.deepEqual(
        own.find((r) => r.id === contour!.id),
        contour,
      );
    }
    // Another run's question to the same plane has most of its answers already.
    const turned = await engine.run(job({ run: id(1), members: [`${id(0)}:last`, 'last', `${id(2)}:last`] }));
    assert.ok(turned.kind === 'landscapes');
    assert.deepEqual(
      held.map((_, k) => asked(k)),
      before,
    );
    assert.deepEqual(
      turned.landscapes.map(({ run }) => run),
      held.map(({ run }) => run.id),
    );
  });

  it('tells in place of a run that has no answer, and asks it again the next time', async () => {
    const { run } = held[1]!;
    const endpoint = run.path('endpoint.json');
    await rename(endpoint, `${endpoint}.away`);
    const wanted = job({ size: 9 });
    const result = (await engine.run(wanted)) as LandscapesResult;
    assert.deepEqual(
      result.landscapes.map(({ contour, error }) => [contour !== null, error !== null]),
      [
        [true, false],
        [false, true],
        [true, false],
      ],
    );
    assert.match(result.trust[0]!, new RegExp(`^No landscape of .*${run.id}`));
    assert.match(result.landscapes[1]!.error!.message, /^[A-Z].*\.$/);
    await rename(`${endpoint}.away`, endpoint);
    const again = (await engine.run(wanted)) as LandscapesResult;
    assert.ok(again.landscapes.every(({ contour }) => contour !== null));
  });

  it('fails as the run does where none has an answer', async () => {
    await assert.rejects(engine.run(job({ members: [0, 'last', STEPS] })), { code: 'bad-input' });
    await assert.rejects(engine.run(job({ members: [0, 'last'] })), { code: 'bad-input' });
    await assert.rejects(engine.run(job({ size: 8 })), { code: 'bad-input', message: /none in the centre/ });
    await assert.rejects(engine.run(job({ members: [0, 'last', 'nowhere:last'] })), { code: 'not-found' });
  });

  it('is cancelled in the middle: what is done is kept, the rest is not asked', async () => {
    const controller = new AbortController();
    const wanted = job({ size: 21 });
    const before = asked(2);
    const cancelled = engine.run(wanted, {
      signal: controller.signal,
      partial: (partial) => {
        if (partial.kind === 'landscapes' && (partial.landscapes[1]?.contour?.evaluated ?? 0) > 0)
          controller.abort();
      },
    });
    await assert.rejects(cancelled, { code: 'cancelled' });
    assert.equal(asked(2), before, 'the third was never asked');
    const kept = await held[0]!.run.analyses();
    assert.ok(!kept.some((r) => r.kind === 'landscapes' && r.landscapes[0]?.contour?.x.length === 21));
    assert.ok(kept.some((r) => r.kind === 'contour' && r.x.length === 21));
    const first = asked(0);
    const result = (await engine.run(wanted)) as LandscapesResult;
    assert.ok(result.complete && result.landscapes.every(({ contour }) => contour !== null));
    assert.equal(asked(0), first, 'the first had its answer already');
    for (const { reference } of held) assert.deepEqual(reference.held, []);
  });
});
