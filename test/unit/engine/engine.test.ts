import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Engine } from '../../../src/engine/engine.ts';
import type { Job } from '../../../src/protocol/engine.ts';
import { BasinError, isCancelled, type ErrorCode } from '../../../src/protocol/errors.ts';
import type {
  AverageResult,
  ContourResult,
  EnsembleResult,
  SharpnessResult,
} from '../../../src/protocol/results.ts';
import type { SoupResult } from '../../../src/protocol/soups.ts';
import type { TrajectoryResult } from '../../../src/protocol/trajectory.ts';
import { readSafetensorsHeader } from '../../../src/runs/safetensorsFile.ts';
import { holdRun, STEPS, type HeldRun } from '../../fixtures/heldRun.ts';
import { makeWorkspace, type Workspace } from '../../fixtures/runs.ts';

const hasCode = (code: ErrorCode) => (error: unknown) => error instanceof BasinError && error.code === code;
const contour = { kind: 'contour', run: 'last', plane: 'pca', size: 9 } as const;

describe('engine', () => {
  let workspace: Workspace;
  let held: HeldRun;
  let engine: Engine;
  beforeEach(async () => {
    workspace = await makeWorkspace();
    held = await holdRun(workspace.store);
    engine = new Engine({ root: workspace.root, dist: path.join(workspace.root, 'dist'), version: '0.0.0' });
  });
  afterEach(async () => {
    await engine.dispose();
    await held.server.stop();
    await workspace.remove();
  });

  it('answers with a result that says where it comes from, and keeps it as a file', async () => {
    const messages: string[] = [];
    const result = (await engine.run(contour, {
      progress: (p) => messages.push(p.message),
    })) as ContourResult;
    assert.equal(result.kind, 'contour');
    assert.equal(result.run, held.run.id);
    assert.equal(result.at, String(STEPS));
    assert.ok(result.complete);
    assert.equal(result.trajectory.length, STEPS + 1);
    assert.ok(result.trust.length > 0);
    const { provenance } = result;
    assert.equal(provenance.evaluator, 'held');
    assert.equal(provenance.basin, '0.0.0');
    assert.deepEqual(provenance.job, {
      kind: 'contour',
      run: held.run.id,
      objective: 0,
      plane: 'pca',
      size: 9,
      adaptive: true,
      split: 'train',
      at: STEPS,
    });
    assert.deepEqual(await held.run.analyses(), [result]);
    assert.ok(messages.length > 1);
    assert.deepEqual(held.reference.held, []);
  });

  it('refines a contour in place', async () => {
    const partials: ContourResult[] = [];
    const result = (await engine.run(
      { ...contour, size: 17 },
      { partial: (p) => partials.push(p as ContourResult) },
    )) as ContourResult;
    assert.ok(partials.length >= 2);
    const counts = partials.map((p) => p.evaluated);
    assert.deepEqual(
      counts,
      [...counts].sort((a, b) => a - b),
    );
    assert.ok(partials.every((p) => p.id === result.id));
    assert.equal(partials[0]?.complete, false);
  });

  it('gives the kept answer to the same question, and a new one to another or after the run has changed', async () => {
    const first = (await engine.run(contour)) as ContourResult;
    const asked = held.reference.calls.length;
    assert.deepEqual(await engine.run({ ...contour, run: held.run.id, at: 'last', split: 'train' }), first);
    assert.equal(held.reference.calls.length, asked);
    const other = (await engine.run({ ...contour, at: 3 })) as ContourResult;
    assert.notEqual(other.id, first.id);
    await new Promise((resolve) => setTimeout(resolve, 20));
    await rm(held.run.snapshotPath(1));
    const anew = (await engine.run(contour)) as ContourResult;
    assert.notEqual(anew.id, first.id);
    assert.equal(anew.trajectory.length, STEPS);
  });

  it('keeps its evaluator between jobs', async () => {
    await engine.run(contour);
    await engine.run({ kind: 'score', run: 'last' });
    assert.equal(held.server.connections, 1);
  });

  it('lets an idle evaluator go', async () => {
    await engine.dispose();
    engine = new Engine({ root: workspace.root, dist: '', version: '0.0.0', idleTime: 30 });
    await engine.run({ kind: 'score', run: 'last' });
    await new Promise((resolve) => setTimeout(resolve, 150));
    await engine.run({ kind: 'score', run: 'last', at: 0 });
    assert.equal(held.server.connections, 2);
  });

  it('leaves out a damaged snapshot and says so', async () => {
    await truncate(held.run.snapshotPath(5), 40);
    const result = (await engine.run(contour)) as ContourResult;
    assert.ok(result.trajectory.every((p) => p.step !== 5));
    assert.ok(result.trust.some((sentence) => /damaged: snapshot 5/.test(sentence)));
    await assert.rejects(engine.run({ ...contour, at: 5 }), hasCode('corrupt-run'));
  });

  it('finds λ₁ with the learning rate of its step', async () => {
    const result = (await engine.run({ kind: 'sharpness', run: 'last', top: 1 })) as SharpnessResult;
    assert.ok(result.converged);
    assert.equal(result.learningRate, 0.3);
    assert.ok(Math.abs((result.stabilityBound ?? 0) - 2 / 0.3) < 1e-9);
    assert.equal(result.verdict, 'below');
  });

  it("answers from the run's files without a process, also when the run's does not answer", async () => {
    await held.server.stop();
    const result = (await engine.run({ kind: 'trajectory', run: 'last' })) as TrajectoryResult;
    assert.equal(held.server.connections, 0);
    assert.equal(result.provenance.evaluator, 'none');
    assert.equal(result.data, null);
    assert.deepEqual(result.provenance.job, {
      kind: 'trajectory',
      run: held.run.id,
      objective: 0,
      components: 5,
      snapshots: 200,
    });
    assert.equal(result.snapshots?.measured, STEPS + 1);
    assert.equal(result.sketch, null);
    assert.deepEqual(await held.run.analyses(), [result]);
    assert.deepEqual(await engine.run({ kind: 'trajectory', run: 'last' }), result);
  });

  it('takes snapshots spread evenly, and refuses a run that has two', async () => {
    const some = (await engine.run({ kind: 'trajectory', run: 'last', snapshots: 4 })) as TrajectoryResult;
    assert.deepEqual(
      some.snapshots?.points.map((p) => p.step),
      [0, 8, 16, 24],
    );
    assert.ok(some.trust.includes('It is the plane of 4 of 25 snapshots, spread evenly.'));
    for (let k = 1; k < STEPS; k++) await rm(held.run.snapshotPath(k));
    await assert.rejects(engine.run({ kind: 'trajectory', run: 'last' }), /the run has 2 snapshots/);
    await assert.rejects(
      engine.run({ kind: 'trajectory', run: 'last', components: 1 }),
      hasCode('bad-input'),
    );
  });

  it('builds an average that other jobs can name', async () => {
    const result = (await engine.run({ kind: 'average', run: 'last', from: 12 })) as AverageResult;
    assert.equal(result.model, 'average-1');
    assert.deepEqual(result.members, [12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24]);
    assert.equal(result.baseline.step, STEPS);
    const [model] = await held.run.models();
    assert.equal(model?.analysis, result.id);
    const score = await engine.run({ kind: 'score', run: 'last', at: 'average-1' });
    assert.equal(score.kind === 'score' && score.score.train.loss, result.score.train.loss);
    const line = await engine.run({ kind: 'line', run: 'last', from: 'first', to: 'average-1', points: 5 });
    assert.equal(line.kind === 'line' && line.loss.length, 5);
    assert.equal(
      ((await engine.run({ kind: 'average', run: 'last', from: 20 })) as AverageResult).model,
      'average-2',
    );
  });

  it("averages models of several runs of one architecture, and takes another run's model as an origin", async () => {
    const other = await holdRun(workspace.store);
    try {
      // The newest is the one that is asked, and its evaluator is to see the files of both.
      for (const [file, vector] of held.reference.files) other.reference.files.set(file, vector);
      const soup = (await engine.run({
        kind: 'soup',
        run: 'last',
        members: ['last', 20, `${held.run.id}:last`, `${other.run.id}:last`],
        method: 'uniform',
      })) as SoupResult;
      assert.equal(soup.run, other.run.id);
      assert.deepEqual(soup.members, [STEPS, 20, `${held.run.id}:${STEPS}`]);
      const [model] = await other.run.models();
      assert.deepEqual(
        [model?.id, model?.members, model?.name],
        ['soup-1', soup.members, 'Soup of 3 models'],
      );
      const score = await engine.run({ kind: 'score', run: 'last', at: 'soup-1' });
      assert.equal(score.kind === 'score' && score.score.train.loss, soup.score.train.loss);
      const there = `${held.run.id}:12`;
      const elsewhere = await engine.run({ kind: 'score', run: 'last', at: there });
      const own = await engine.run({ kind: 'score', run: 'last', at: 12 });
      assert.ok(elsewhere.kind === 'score' && own.kind === 'score');
      assert.deepEqual([elsewhere.at, elsewhere.score], [there, own.score]);
    } finally {
      await other.server.stop();
    }
  });

  it('averaging incompatible models (other shapes, other names) is refused with what differs, before anything is started', async () => {
    const other = await holdRun(workspace.store);
    try {
      const manifest = await other.run.readRecordedManifest();
      const [objective] = manifest.objectives;
      const [kernel, bias] = objective!.parameters;
      const changed = {
        ...objective!,
        parameters: [
          { ...kernel!, shape: [3, 4] },
          { ...bias!, name: 'b' },
        ],
      };
      await other.run.writeManifest({ ...manifest, objectives: [changed] });
      const members = [STEPS, `${other.run.id}:last`];
      await assert.rejects(
        engine.run({ kind: 'soup', run: held.run.id, members }),
        (error: unknown) =>
          error instanceof BasinError &&
          error.code === 'bad-input' &&
          error.message.includes(`"${kernel!.name}" has shape [3, 4] there and [3, 3] here`) &&
          error.message.includes(`it lacks parameter "${bias!.name}"`) &&
          error.message.includes('it has parameter "b" besides'),
      );
      const half = objective!.parameters.map((p) => ({ ...p, dtype: 'bfloat16' }));
      await other.run.writeManifest({ ...manifest, objectives: [{ ...objective!, parameters: half }] });
      await assert.rejects(
        engine.run({ kind: 'ensemble', run: held.run.id, members }),
        (error: unknown) =>
          error instanceof BasinError &&
          error.code === 'bad-input' &&
          error.message.includes(`parameter "${kernel!.name}" is bfloat16 there and float32 here`),
      );
      assert.equal(held.server.connections, 0);
    } finally {
      await other.server.stop();
    }
  });

  it('saves the draws of SWAG that are asked for, as models of the run', async () => {
    const result = await engine.run({ kind: 'swag', run: 'last', from: 12, draws: 3, keep: 2 });
    assert.ok(result.kind === 'swag');
    const models = await held.run.models();
    assert.deepEqual(
      models.map((m) => [m.id, m.kind, m.analysis]),
      [
        ['draw-1', 'draw', result.id],
        ['draw-2', 'draw', result.id],
      ],
    );
    const score = await engine.run({ kind: 'score', run: 'last', at: 'draw-2' });
    assert.equal(score.kind === 'score' && score.at, 'draw-2');
    await assert.rejects(
      engine.run({ kind: 'swag', run: 'last', from: 12, draws: 3, keep: 4 }),
      hasCode('bad-input'),
    );
    held.reference.before = (method) => {
      if (method === 'score') throw new BasinError('internal', 'no more');
    };
    await assert.rejects(engine.run({ kind: 'swag', run: 'last', from: 10, draws: 2, keep: 2 }), /no more/);
    assert.equal((await held.run.models()).length, 2);
  });

  it('builds an ensemble, which has no weights of its own', async () => {
    const result = (await engine.run({ kind: 'ensemble', run: 'last', last: 3 })) as EnsembleResult;
    assert.deepEqual(result.members, [22, 23, 24]);
    assert.equal(result.memberScores.length, 3);
    for (const job of [
      { kind: 'sharpness', run: 'last', at: result.model, top: 1 },
      { kind: 'line', run: 'last', from: 'last', to: result.model, points: 5 },
      { kind: 'contour', run: 'last', plane: 'random', size: 5, at: result.model },
      { kind: 'swa', run: 'last', at: result.model, train: 4 },
      { kind: 'soup', run: 'last', members: [result.model, 'last'] },
    ] as const) {
      await assert.rejects(engine.run(job), (error) => {
        assert.ok(error instanceof BasinError && error.code === 'bad-input', job.kind);
        assert.match(error.message, /ensemble-1 is an ensemble of 3 models and has no weights of its own/);
        assert.match(error.cure ?? '', /members \(22, 23, 24\).*--members 22,23,24/);
        return true;
      });
    }
  });

  for (const combine of ['probability', 'logit'] as const) {
    it(`scores an ensemble that was built by ${combine}, and finds its calibration and margins, as of one model`, async () => {
      const job = { kind: 'ensemble', run: 'last', members: [2, 12, 24], combine } as const;
      const { model, score } = (await engine.run(job)) as EnsembleResult;
      const scored = await engine.run({ kind: 'score', run: 'last', at: model });
      assert.ok(scored.kind === 'score');
      assert.deepEqual(scored.score, score);
      assert.equal(scored.at, model);
      assert.match(
        scored.trust.join(' '),
        new RegExp(`3 models.*mean of their ${combine === 'logit' ? 'logits' : 'probabilities'}`),
      );
      const calibration = await engine.run({
        kind: 'calibration',
        run: 'last',
        at: model,
        split: 'validation',
      });
      assert.ok(calibration.kind === 'calibration');
      assert.ok(Math.abs(calibration.accuracy - score.validation!.accuracy!) < 1e-12);
      const margins = await engine.run({ kind: 'margins', run: 'last', at: model });
      assert.ok(margins.kind === 'margins' && margins.validation !== null);
      assert.ok(Math.abs(margins.validation.loss.value! - score.validation!.loss!) < 1e-12);
      assert.ok(Math.abs(1 - margins.validation.output.notRight - score.validation!.accuracy!) < 1e-12);
    });
  }

  it('leaves no model behind when building it fails', async () => {
    held.reference.before = (method) => {
      if (method === 'save') throw new BasinError('internal', 'disk full');
    };
    await assert.rejects(engine.run({ kind: 'average', run: 'last' }), /disk full/);
    assert.deepEqual(await readdir(held.run.path('models')), []);
    assert.deepEqual(await held.run.analyses(), []);
  });

  const wrong: readonly [string, Job, ErrorCode][] = [
    ['a step that was not kept', { kind: 'score', run: 'last', at: 999 }, 'not-found'],
    ['a model that is not there', { kind: 'score', run: 'last', at: 'average-9' }, 'not-found'],
    ['a run that is not there', { kind: 'score', run: 'nope' }, 'not-found'],
    ['an even grid', { ...contour, size: 10 }, 'bad-input'],
    ['a huge grid', { ...contour, size: 4001 }, 'bad-input'],
    ['an objective that is not there', { ...contour, objective: 4 }, 'bad-input'],
    ['a mode that the run lacks', { ...contour, mode: 'as-trained' }, 'unsupported'],
    ['three steps of which one is missing', { ...contour, plane: [0, 12, 999] }, 'not-found'],
  ];
  for (const [what, job, code] of wrong) {
    it(`refuses ${what}`, () => assert.rejects(engine.run(job), hasCode(code)));
  }

  it('cancels a job that runs and one that waits, and goes on with the next', async () => {
    const running = new AbortController();
    const waiting = new AbortController();
    held.reference.before = (method, count) => {
      if (method === 'loss' && count > 3) running.abort();
    };
    const first = engine.run({ ...contour, size: 41 }, { signal: running.signal });
    const second = engine.run({ ...contour, size: 21 }, { signal: waiting.signal });
    const third = engine.run({ kind: 'score', run: 'last' });
    setTimeout(() => waiting.abort(), 1);
    await assert.rejects(second, isCancelled);
    await assert.rejects(first, isCancelled);
    assert.equal((await third).kind, 'score');
    assert.deepEqual(
      (await held.run.analyses()).map((a) => a.kind),
      ['score'],
    );
  });

  it('settles when the process dies while it answers', async () => {
    held.reference.before = (method) => {
      if (method === 'loss') held.server.drop();
    };
    await assert.rejects(engine.run(contour), hasCode('process-ended'));
  });

  it('keeps nothing of a run that is deleted while it is asked, and says so', async () => {
    const { directory } = held.run;
    held.reference.before = (method, count) => {
      if (method === 'loss' && count > 3) rmSync(directory, { recursive: true, force: true });
    };
    await assert.rejects(engine.run({ ...contour, size: 21 }), hasCode('not-found'));
    await assert.rejects(stat(directory), 'no part of it is made anew');
  });

  it('releases a held run, and says when nobody waits', async () => {
    assert.equal(await engine.release('last'), true);
    assert.ok(held.reference.calls.some((c) => c.method === 'resume'));
    await rm(held.run.path('endpoint.json'));
    assert.equal(await engine.release('last'), false);
  });

  it('refuses a run whose recorded loss does not come out again, with the reason', async () => {
    const manifest = await held.run.readRecordedManifest();
    const [objective] = manifest.objectives;
    assert.ok(objective);
    const replay = {
      exact: false,
      checked: 4,
      passed: 1,
      worstRelativeError: 0.3,
      reason: 'It reads the clock.',
      cure: 'Do not.',
    };
    await held.run.writeManifest({ ...manifest, objectives: [{ ...objective, replay }] });
    await assert.rejects(engine.run(contour), (error: unknown) => {
      assert.ok(hasCode('not-replayable')(error));
      assert.equal((error as BasinError).message, 'It reads the clock.');
      assert.equal((error as BasinError).cure, 'Do not.');
      return true;
    });
  });

  describe('export', () => {
    const job = (to: string) =>
      ({ kind: 'export', run: 'last', model: 7, format: 'safetensors', to }) as const;

    it('copies a snapshot with its origin as metadata', async () => {
      const to = path.join(workspace.root, 'öut put');
      const result = await engine.run(job(to));
      assert.ok(result.kind === 'export');
      assert.deepEqual(result.files, [`${held.run.id}-step-7.safetensors`]);
      const file = path.join(to, result.files[0] ?? '');
      const header = await readSafetensorsHeader(file);
      assert.equal(header.metadata['basin.run'], held.run.id);
      const source = await readSafetensorsHeader(held.run.snapshotPath(7));
      const data = async (name: string, begin: number) => (await readFile(name)).subarray(begin);
      assert.deepEqual(
        await data(file, header.tensors[0]?.begin ?? 0),
        await data(held.run.snapshotPath(7), source.tensors[0]?.begin ?? 0),
      );
    });

    it('writes over its own export, and over nothing else', async () => {
      const to = path.join(workspace.root, 'out');
      const file = path.join(to, `${held.run.id}-step-7.safetensors`);
      await engine.run(job(to));
      await engine.run(job(to));
      await writeFile(file, 'changed by hand');
      await assert.rejects(engine.run(job(to)), hasCode('bad-input'));
      assert.equal(await readFile(file, 'utf8'), 'changed by hand');
      const other = path.join(workspace.root, 'other');
      await mkdir(other);
      await writeFile(path.join(other, 'notes.txt'), 'mine');
      await engine.run(job(other));
      await writeFile(path.join(other, 'model.json'), '{}');
      await assert.rejects(engine.run({ ...job(other), format: 'tfjs' }), hasCode('bad-input'));
    });
  });
});
