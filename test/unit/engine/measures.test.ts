/** Measures over the runs of a workspace: read from kept results, computed where they are missing, told where they cannot be. */
import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { Engine } from '../../../src/engine/engine.ts';
import type { MeasuresJob, MeasuresResult } from '../../../src/protocol/measures.ts';
import type { SharpnessResult, ScoreResult } from '../../../src/protocol/results.ts';
import { gaussians } from '../../fixtures/gaussian.ts';
import { holdRun, STEPS, type HeldRun } from '../../fixtures/heldRun.ts';
import { makeWorkspace, type Workspace } from '../../fixtures/runs.ts';

const RUNS = 4;

describe('measures over the runs of a workspace', function () {
  this.timeout(60_000);
  let workspace: Workspace;
  let held: HeldRun[];
  let engine: Engine;
  before(async () => {
    workspace = await makeWorkspace();
    held = [];
    for (let seed = 1; seed <= RUNS; seed++) {
      const next = gaussians(seed);
      const start = Array.from({ length: 12 }, () => 2 * next());
      held.push(await holdRun(workspace.store, { start, batchSize: 10 }));
    }
    engine = new Engine({ root: workspace.root, dist: '', version: '0.0.0' });
  });
  after(async () => {
    await engine.dispose();
    for (const { server } of held) await server.stop();
    await workspace.remove();
  });
  const ask = async (more: Partial<MeasuresJob> = {}): Promise<MeasuresResult> =>
    (await engine.run({ kind: 'measures', run: 'last', ...more })) as MeasuresResult;
  const asked = (): number => held.reduce((n, { reference }) => n + reference.calls.length, 0);

  it('knows only what the files tell before anything was asked, and starts nothing', async () => {
    const result = await ask();
    assert.equal(result.runs.length, RUNS);
    assert.deepEqual(
      result.measures.map((m) => m.name),
      ['weight-norm', 'distance'],
    );
    assert.equal(result.known, 0);
    assert.match(result.trust[0]!, /^Nothing can be told: no run has a known gap/);
    assert.equal(asked(), 0);
    const [one] = result.runs;
    const vector = held[0]!.reference.files.get(held[0]!.run.snapshotPath(STEPS))!.values;
    assert.ok(Math.abs(one!.values[0]!.value! - Math.hypot(...Array.from(vector))) < 1e-6);
    assert.deepEqual([one!.at, result.data, result.provenance.evaluator], [STEPS, null, 'none']);
  });

  it('reads what is kept', async () => {
    const [first] = held;
    const run = first!.run.id;
    const sharp = (await engine.run({ kind: 'sharpness', run, top: 1 })) as SharpnessResult;
    const score = (await engine.run({ kind: 'score', run })) as ScoreResult;
    const { runs, measures } = await ask();
    const at = measures.findIndex((m) => m.name === 'lambda1');
    const own = runs.find((r) => r.run === run)!;
    assert.deepEqual(own.values[at], {
      value: sharp.eigenvalues[0],
      standardError: sharp.standardError,
      from: sharp.id,
    });
    assert.equal(own.gap!.from, score.id);
    assert.equal(own.gap!.value, score.score.validation!.loss! - score.score.train.loss!);
    // Results at other models are of no use here.
    await engine.run({ kind: 'sharpness', run: held[1]!.run.id, top: 1, at: 3 });
    const again = await ask();
    assert.equal(again.measures.find((m) => m.name === 'lambda1')!.runs, 1);
  });

  it('computes what is missing, once', async () => {
    const result = await ask({ compute: true });
    assert.equal(result.known, RUNS);
    for (const { name, runs } of result.measures) assert.equal(runs, RUNS, name);
    assert.equal(result.measures.length, 15);
    assert.deepEqual(
      result.runs.flatMap((r) => r.notes),
      [],
    );
    // Four runs cannot tell anything, and it says so, though each of them is known.
    assert.match(result.trust[0]!, /^With 4 runs nothing can be told: .* once in 12 times\.$/);
    assert.ok(result.measures.every((m) => m.verdict === 'unknown' && m.spearman!.p >= 1 / 12 - 1e-12));
    for (const { reference } of held) assert.deepEqual(reference.held, []);
    const before = asked();
    const again = await ask({ compute: true });
    assert.equal(asked(), before, 'everything is kept');
    assert.deepEqual(again.measures, result.measures);
  });

  it('takes the accuracy, and only the runs named', async () => {
    const named = held.slice(0, 3).map(({ run }) => run.id);
    const result = await ask({ run: named[0]!, runs: named, gap: 'accuracy' });
    assert.equal(result.run, named[0]);
    assert.deepEqual(
      result.runs.map((r) => r.run),
      named,
    );
    assert.match(result.trust[0]!, /^With 3 runs nothing can be told/);
    await assert.rejects(ask({ runs: ['nowhere'] }), { code: 'not-found' });
  });

  it('goes on where a run has no answer, and says why', async () => {
    const other = await holdRun(workspace.store, {});
    await other.server.stop();
    await rm(other.run.path('endpoint.json'));
    const result = await ask({ compute: true });
    const own = result.runs.find((r) => r.run === other.run.id)!;
    assert.equal(own.gap, null);
    assert.ok(own.notes.length > 0 && own.notes.every((n) => n.startsWith(`Run ${other.run.id}, `)));
    assert.equal(result.known, RUNS);
    assert.ok(result.trust.some((s) => s.startsWith('1 run of 5 has no gap')));
    await rm(other.run.directory, { recursive: true });
  });

  it('is cancelled between questions', async () => {
    const other = await holdRun(workspace.store, {});
    const controller = new AbortController();
    const asking = engine.run(
      { kind: 'measures', run: 'last', compute: true },
      { signal: controller.signal, progress: () => controller.abort() },
    );
    await assert.rejects(asking, { code: 'cancelled' });
    await other.server.stop();
    await rm(other.run.directory, { recursive: true });
  });
});
