/** The command line as users run it: bundles, a real script, a workspace whose path has spaces and an umlaut. */
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, readdir, readFile, rename, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import { createMessageConnection, IPCMessageReader, IPCMessageWriter } from 'vscode-jsonrpc/node';
import type { SwagResult, SweepResult } from '../../../src/protocol/averaging.ts';
import type {
  AverageResult,
  ContourResult,
  EnsembleResult,
  ExportResult,
  LineResult,
  ScoreResult,
  SharpnessResult,
} from '../../../src/protocol/results.ts';
import type { StabilityResult } from '../../../src/protocol/curvature.ts';
import type { FlatnessResult } from '../../../src/protocol/flatness.ts';
import type { JobResult } from '../../../src/protocol/engine.ts';
import type { CalibrationResult, MarginsResult } from '../../../src/protocol/generalisation.ts';
import type { CyclesResult } from '../../../src/protocol/cycles.ts';
import type { TrajectoryResult } from '../../../src/protocol/trajectory.ts';
import type { RunManifest } from '../../../src/protocol/run.ts';
import { RunStore } from '../../../src/runs/runStore.ts';
import { checkSnapshot } from '../../../src/runs/safetensorsFile.ts';
import { cli, CommandLine, startNode, type Finished, type Started } from '../../fixtures/commandLine.ts';
import { makeWorkspace, type Workspace } from '../../fixtures/runs.ts';
import { namedPlanes } from '../../fixtures/namedPlanes.ts';
import { sharedContour } from '../../fixtures/sharedContour.ts';
import { needs } from '../../harness/requires.ts';

const repository = fileURLToPath(new URL('../../..', import.meta.url));

interface Show {
  readonly run: RunManifest;
  readonly snapshots: readonly number[];
  readonly live: { readonly step: number; readonly lambda1: number } | null;
  readonly noise: { readonly batches: number } | null;
  readonly measuring: { readonly share: number | null } | null;
  readonly models: readonly { readonly id: string }[];
}

describe('command line', function () {
  this.timeout(180_000);
  let workspace: Workspace;
  let script: string;
  before(async function () {
    workspace = await makeWorkspace();
    needs(this, 'bundles');
    script = path.join(workspace.root, 'träin me.mjs');
    await copyFile(path.join(repository, 'test', 'fixtures', 'scripts', 'clouds.mjs'), script);
    await symlink(path.join(repository, 'node_modules'), path.join(workspace.root, 'node_modules'));
  });
  after(() => workspace.remove());

  const start = (args: readonly string[], env?: NodeJS.ProcessEnv): Started =>
    startNode(workspace.root, args, env);
  const basin = (...args: string[]): Promise<Finished> => new CommandLine(workspace.root).run(...args);
  const ask = <T>(...args: string[]): Promise<T> => new CommandLine(workspace.root).ask<T>(...args);
  async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
    while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 30));
  }

  describe('without a run', () => {
    it('exits with 2 on wrong usage', async () => {
      for (const args of [
        [],
        ['frobnicate'],
        ['contour', '--size', '10'],
        ['contour', '--plane', '1,2'],
        ['line', 'last', '--from', '0'],
        ['average', '--stride', 'x'],
        ['average', '--ema', '1'],
        ['sweep', '--decays', '0.5,2'],
        ['swag', '--draws', '0'],
        ['noise', '--batches', '3'],
        ['curvature-map', '--size', '6'],
        ['curvature-map', '--tolerance', '1'],
        ['point', 'last', '--x', '1'],
        ['point', 'last', '--x', '1', '--y', 'north'],
        ['soup', '--method', 'thick'],
        ['ensemble', '--members', '1,2', '--last', '2'],
        ['export', 'last', '0', '--to', 'x', '--format', 'onnx'],
        ['flatness', '--measures', 'sam,flat'],
        ['flatness', '--eta', '-1'],
        ['trajectory', '--snapshots', '2'],
        ['cycles', '--epoch', '1'],
        ['train', '--every', '0', '--', 'node'],
        ['train'],
      ]) {
        const { code, stdout } = await basin(...args);
        assert.equal(code, 2, args.join(' '));
        assert.equal(stdout, '', args.join(' '));
      }
    });

    it('refuses options that would do nothing, and names what they need', async () => {
      for (const [args, needed] of [
        ['spectrum --bandwidth 3', '--density'],
        ['spectrum --no-trace --trace-tolerance 0.1', '--no-trace'],
        ['stability --snapshots 3 --steps 0', '--snapshots'],
        ['flatness --measures sam,fisher-rao --eta 1', 'asam'],
        ['flatness --measures fisher-rao --repeats 3', 'average-case'],
        ['swa --low 0.1', '--cyclic'],
        ['soup --members 0,1 --method uniform --by loss', '--method greedy'],
      ] as const) {
        const { code, stdout, stderr } = await basin(...args.split(' '));
        assert.deepEqual([code, stdout], [2, ''], args);
        assert.ok(stderr.includes(needed), `${args}: ${stderr}`);
      }
      // Beside what gives them an effect they are right: what is missing is the run.
      for (const args of ['spectrum --density --bandwidth 3', 'flatness --measures asam --eta 1']) {
        const { code, stderr } = await basin(...args.split(' '));
        assert.equal(code, 1, args);
        assert.match(stderr, /no run/i, args);
      }
    });

    it('gives wrong usage as one document too, when asked for JSON', async () => {
      const { code, stdout } = await basin('contour', '--size', '10', '--json');
      assert.equal(code, 2);
      const { error } = JSON.parse(stdout) as { error: { code: string; message: string } };
      assert.equal(error.code, 'bad-input');
      assert.match(error.message, /odd/);
    });

    it('names runs, keeps a baseline, and deletes what is named, or nothing', async () => {
      const store = new RunStore(workspace.root);
      const ended = async () => {
        const run = await store.create({ command: ['node', 'a.mjs'], cwd: workspace.root });
        await run.writeManifest({ ...(await run.readRecordedManifest()), state: 'finished' });
        return run;
      };
      const [one, two] = [await ended(), await ended()];
      const renamed = await ask<{ name: string }>('rename', one.id, 'with warm-up');
      assert.equal(renamed.name, 'with warm-up');
      assert.deepEqual(await ask('baseline'), { kind: 'baseline', run: null });
      assert.deepEqual(await ask('baseline', one.id), { kind: 'baseline', run: one.id });
      assert.match((await basin('runs')).stdout, /with warm-up \(baseline\)/);
      assert.equal((await basin('baseline', one.id, '--none')).code, 1);
      assert.match((await basin('baseline', '--none')).stdout, /no baseline/);
      const busy = await store.create({ command: ['node', 'a.mjs'], cwd: workspace.root });
      for (const wrong of [busy.id, 'nope']) assert.equal((await basin('delete', one.id, wrong)).code, 1);
      const { code, stdout } = await basin('delete', '--dry-run', one.id);
      assert.equal(code, 0);
      assert.match(stdout, /would be freed/);
      assert.equal((await store.list()).length, 3, 'nothing is gone');
      await busy.writeManifest({ ...(await busy.readRecordedManifest()), state: 'finished' });
      const { deleted } = await ask<{ deleted: { freedBytes: number }[] }>('delete', one.id, two.id, busy.id);
      assert.equal(deleted.length, 3);
      assert.ok(deleted.every((d) => d.freedBytes > 0));
      assert.deepEqual(await store.list(), []);
    });

    it('says what is wrong and what mends it', async () => {
      const { code, stdout, stderr } = await basin('score', 'nope', '--json');
      assert.equal(code, 1);
      assert.match(stderr, /^error: .*\ncure: /);
      assert.equal((JSON.parse(stdout) as { error: { code: string } }).error.code, 'not-found');
      assert.deepEqual(await ask('runs'), { kind: 'runs', root: workspace.root, runs: [] });
    });

    it('tells its version and its help', async () => {
      const { version } = JSON.parse(await readFile(path.join(repository, 'package.json'), 'utf8')) as {
        version: string;
      };
      assert.equal((await basin('--version')).stdout.trim(), version);
      assert.equal((await basin('contour', '--help')).code, 0);
    });

    it('passes on the exit code of a script that fails, and fails where nothing trains', async () => {
      const failing = path.join(workspace.root, 'failing.mjs');
      await writeFile(failing, 'console.log("out"); console.error("err"); process.exit(3)');
      const failed = await basin('train', '--', process.execPath, failing);
      assert.equal(failed.code, 3);
      assert.equal(failed.stdout, 'out\n');
      assert.match(failed.stderr, /^err$/m);
      const idle = await basin('train', '--json', '--', process.execPath, '-e', 'console.log("out")');
      assert.equal(idle.code, 1);
      assert.equal((JSON.parse(idle.stdout) as { state: string }).state, 'no-training');
      assert.match(idle.stderr, /without loading TensorFlow\.js/);
      assert.match(idle.stderr, /^out$/m);
      assert.equal((await basin('train', '--', 'no-such-program')).code, 1);
    });
  });

  describe('events', () => {
    it('are warned of as they happen and stand in show: NaN with its layer, dead units', async () => {
      const planted = path.join(repository, 'test', 'fixtures', 'scripts', 'planted.mjs');
      const record = ['train', '--every-step', '--name', 'planted', '--', process.execPath, planted];
      const { code, stderr } = await start([cli, ...record], {
        TFJS_BACKEND: 'wasm',
        FAULT: 'gradient',
        AT: '137',
      }).finished;
      assert.equal(code, 0, stderr);
      const nan = 'The gradient is NaN or infinite at step 137, in layer third (third/kernel).';
      assert.equal(stderr.split(`basin: warning: ${nan}\n`).length, 2, stderr);
      assert.match(stderr, /^basin: warning: Dead units at step 7: 3 of 8 in layer second/m);
      const { events } = await ask<{ events: { kind: string; step: number }[] }>('show');
      assert.deepEqual(
        events.map(({ kind, step }) => [kind, step]),
        [
          ['dead-units', 7],
          ['non-finite', 137],
        ],
      );
      assert.match((await basin('show', 'last')).stdout, /events.*Dead units at step 7/);
    });

    it('name the layer of a loss spike that was planted in one', async () => {
      const planted = path.join(repository, 'test', 'fixtures', 'scripts', 'planted.mjs');
      const record = ['train', '--every-step', '--name', 'spiked', '--', process.execPath, planted];
      const { code, stderr } = await start([cli, ...record], {
        TFJS_BACKEND: 'wasm',
        FAULT: 'spike',
        AT: '137',
      }).finished;
      assert.equal(code, 0, stderr);
      const spike =
        /Loss spike at step 13[89]: .*It began in layer third \(third\/kernel\): its update .* at step 138\./;
      assert.match(stderr, spike);
      assert.equal(stderr.split('warning: Loss spike').length, 2, stderr);
      assert.match((await basin('show', 'last')).stdout, spike);
      assert.match((await basin('layers')).stdout, spike);
    });
  });

  describe('with a run', () => {
    const epochs = { EPOCHS: '200' };
    const steps = 1200;
    let id = '';
    before(async () => {
      const plain = await start([script], epochs).finished;
      const record = ['train', '--every', '100', '--every-step', '--live-budget', '40'];
      const recorded = await start([cli, ...record, '--', process.execPath, script], epochs).finished;
      assert.equal(recorded.code, 0, recorded.stderr);
      assert.match(plain.stdout, /weights [0-9a-f]{64}/);
      assert.equal(recorded.stdout, plain.stdout, 'the script prints the same, its weights to the last bit');
      const show = await ask<Show>('show');
      id = show.run.id;
      assert.equal(show.run.state, 'finished');
      assert.equal(show.run.recording.steps, steps);
      assert.equal(show.snapshots[0], 0);
      assert.equal(show.snapshots.at(-1), steps);
      assert.notEqual(show.live, null, 'λ₁ was measured while it trained');
      assert.ok((show.noise?.batches ?? 0) >= 4, 'the noise scale was measured while it trained');
      assert.equal(show.run.recording.liveBudget, 0.4);
      assert.ok((show.measuring?.share ?? 0) > 0);
    });

    it('lists and shows it', async () => {
      const { runs } = await ask<{ runs: { id: string; state: string; steps: number }[] }>('runs');
      assert.equal(runs[0]?.id, id);
      assert.equal(runs[0].steps, steps);
      assert.match((await basin('runs')).stdout, new RegExp(id));
      const { stdout } = await basin('show', id.slice(0, -1));
      assert.match(stdout, /finished/);
      assert.match(stdout, /exact on \d of \d steps/);
      assert.match(stdout, /batches of 32/);
      assert.match(stdout, /gradient noise scale/);
      assert.match(stdout, /λ₁ \d+ times?.*budget 40 % and 0\.5 s in advance/);
    });

    it('draws the contour of its path, whose centre is its own loss', async () => {
      const contour = await ask<ContourResult>('contour', id, '--size', '9');
      assert.equal(contour.kind, 'contour');
      assert.equal(contour.loss.length, 9);
      assert.equal(contour.loss[0]?.length, 9);
      assert.equal(contour.data.samples, 192);
      const centre = contour.loss[contour.y.indexOf(0)]?.[contour.x.indexOf(0)] ?? NaN;
      assert.ok(Math.abs(centre - (contour.centre.loss ?? NaN)) <= 1e-5 * centre);
      assert.equal(contour.provenance.evaluator, 'relaunched');
      await sharedContour((...args) => ask<ContourResult>('contour', id, ...args));
      const other = await ask<ContourResult>(
        'contour',
        id,
        '--plane',
        '0,600,1200',
        '--size',
        '5',
        '--data',
        'validation',
      );
      assert.equal(other.plane.kind, 'snapshots');
      assert.equal(other.data.samples, 96);
      for (const step of [0, 600, 1200]) {
        const point = other.trajectory.find((p) => p.step === step);
        assert.ok((point?.distance ?? 1) < 1e-3, `snapshot ${step} lies in its plane`);
      }
      assert.match(
        (await basin('contour', id, '--plane', 'random', '--size', '5')).stdout,
        /filter-normalised/,
      );
    });

    it('draws planes by directions', () =>
      namedPlanes((...args) => ask<ContourResult>('contour', id, ...args)));

    it('refuses what a plane has no use for, before a script is started', async () => {
      for (const [args, name] of [
        ['--span 2', 'span'],
        ['--seed 3', 'seed'],
        ['--normalise none', 'normalise'],
        ['--plane gradient,eigenvector1 --seed 3', 'seed'],
        ['--plane 0,first,last --span 2', 'span'],
      ] as const) {
        const { code, stderr } = await basin('contour', id, ...args.split(' '));
        assert.equal(code, 1, args);
        assert.match(stderr, new RegExp(`${name} has no meaning for .*\ncure: Leave it out`), args);
        assert.doesNotMatch(stderr, /starting the script/, args);
      }
    });

    it('draws a contour from fewer points than it shows', async () => {
      const { loss, evaluated, interpolation, trust } = await new CommandLine(
        workspace.root,
      ).ask<ContourResult>('contour', id, '--size', '33');
      assert.ok(evaluated >= 81 && evaluated < 33 ** 2, `${evaluated} points`);
      assert.ok(loss.flat().every((value) => value !== null));
      assert.equal(interpolation?.evaluated.flat().filter((one) => one === 1).length, evaluated);
      assert.ok(trust.some((sentence) => sentence.startsWith(`${evaluated} of 1089 points were evaluated`)));
    });

    it("tells its path from the run's files, though the script is gone", async () => {
      const away = `${script}.away`;
      await rename(script, away);
      try {
        const path = await ask<TrajectoryResult>('trajectory', id, '--components', '3');
        assert.equal(path.provenance.evaluator, 'none');
        assert.equal(path.data, null);
        assert.equal(path.snapshots?.measured, 13);
        assert.deepEqual(
          path.snapshots.points.map((p) => p.step),
          Array.from({ length: 13 }, (_, i) => 100 * i),
        );
        const { sketch, growth } = path;
        assert.equal(sketch?.components.length, 3);
        // All 163 weights are in the sketch, so its distances are those that the script's weights had.
        assert.equal(sketch.error, 0);
        assert.ok((sketch.measuredError ?? 1) < 1e-5, String(sketch.measuredError));
        for (const { step, fromStart } of path.snapshots.points.slice(1, -1)) {
          const at = (await new RunStore(workspace.root).open(id)).readSteps();
          const recorded = (await at).find((s) => s.step === step)?.distance;
          assert.ok(Math.abs(fromStart / Number(recorded) - 1) < 1e-5, `snapshot ${step}`);
        }
        assert.ok((growth?.straightLine ?? 0) >= (growth?.distance ?? NaN));
        const { code, stdout, stderr } = await basin('trajectory', id, '--components', '3');
        assert.equal(code, 0, stderr);
        assert.match(stdout, /component of 13 snapshots/);
        assert.match(
          stdout,
          /^The plane holds .* % of the path's variance \(a random walk of as many snapshots: 77 %\)/m,
        );
        assert.ok(stdout.includes(`kept as ${path.id} (from the run's files)`), 'the answer was kept');
        const cycles = await ask<CyclesResult>('cycles', id);
        assert.equal(cycles.epoch, 6);
        assert.match((await basin('cycles', id)).stdout, /6 \(1 epoch\)/);
      } finally {
        await rename(away, script);
      }
    });

    it('goes along lines, measures λ₁, averages, builds ensembles and scores', async () => {
      const line = await ask<LineResult>('line', id, '--from', 'first', '--to', 'last', '--points', '5');
      assert.equal(line.monotone?.downhill, 'forward');
      assert.notEqual(line.validation?.monotone?.verdict ?? 'unknown', 'unknown');
      assert.deepEqual(line.t, [0, 0.25, 0.5, 0.75, 1]);
      assert.equal(line.validation?.samples, 96);
      const sharpness = await ask<SharpnessResult>('sharpness', id, '--top', '2');
      assert.equal(sharpness.method, 'exact');
      assert.equal(sharpness.eigenvalues.length, 2);
      assert.ok(Math.abs((sharpness.stabilityBound ?? 0) - 3.8 / 0.05) < 1e-3);
      const average = await ask<AverageResult>('average', id, '--from', '800', '--stride', '2');
      assert.equal(average.members.at(-1), steps);
      assert.equal(average.provenance.refreshedStatistics, true);
      const through = `last,${average.model},0`;
      const { plane } = await ask<ContourResult>('contour', id, '--plane', through, '--size', '5');
      assert.deepEqual(
        plane.corners?.map(({ at }) => at),
        [String(steps), average.model, '0'],
      );
      assert.ok(Math.abs((plane.corners?.[1]?.evaluated ?? NaN) - (average.score.train.loss ?? NaN)) < 1e-5);
      const sweep = await ask<SweepResult>('sweep', id, '--from', '600', '--places', '3', '--decays', '0.7');
      assert.ok(sweep.windows.length >= 3);
      assert.deepEqual(sweep.last.validation, average.baseline.validation);
      const { from, to, score: swept } = sweep.windows.at(-1)!;
      const same = await ask<AverageResult>('average', id, '--from', String(from), '--to', String(to));
      assert.ok(Math.abs((same.score.validation?.loss ?? NaN) - (swept.validation?.loss ?? NaN)) < 1e-6);
      const [moving] = sweep.moving;
      const ema = await ask<AverageResult>('average', id, '--from', '600', '--ema', '0.7');
      assert.equal(ema.members.length, moving?.snapshots);
      assert.equal(ema.decay, 0.7);
      assert.ok(
        Math.abs((ema.score.validation?.loss ?? NaN) - (moving?.score.validation?.loss ?? NaN)) < 1e-6,
      );
      const latest = await ask<AverageResult>('average', id, '--last', '3');
      assert.equal(latest.members.length, 3);
      assert.equal(latest.members.at(-1), steps);
      const swag = await ask<SwagResult>('swag', id, '--from', '600', '--rank', '3', '--draws', '4');
      assert.equal(swag.rank, 3);
      assert.deepEqual(swag.baseline.validation, average.baseline.validation);
      assert.ok(swag.variance.diagonal > 0 && (swag.score.validation?.accuracy ?? 0) > 0.5);
      const ensemble = await ask<EnsembleResult>('ensemble', id, '--members', '1000,1100,1200');
      assert.equal(ensemble.memberScores.length, 3);
      const score = await ask<ScoreResult>('score', id, '--at', average.model);
      assert.deepEqual(score.score, average.score);
      const last = await ask<ScoreResult>('score', id);
      assert.deepEqual(last.score.validation, average.baseline.validation);
      const calibration = await ask<CalibrationResult>('calibration', id, '--binning', 'mass', '--bins', '5');
      assert.equal(calibration.data.split, 'validation');
      assert.ok(Math.abs(calibration.accuracy - (last.score.validation?.accuracy ?? NaN)) < 1e-6);
      assert.equal(calibration.bins.length, 5);
      const margins = await ask<MarginsResult>('margins', id);
      assert.ok(
        Math.abs((margins.validation?.accuracy.value ?? NaN) - (last.score.validation?.accuracy ?? NaN)) <
          1e-6,
      );
      assert.equal(margins.train.input?.counts.length, 30);
      assert.deepEqual(last.score.validation, ensemble.memberScores[2]?.validation);
      for (const args of [
        ['line', id, '--from', '0', '--to', average.model],
        ['sharpness'],
        ['calibration'],
        ['margins'],
        ['noise', '--top', '1'],
        ['layers'],
        ['soup', '--members', '1000,1100,last'],
        ['ensemble', '--select', '2'],
        ['average'],
        ['sweep', '--places', '4'],
        ['swag', '--draws', '2', '--keep', '1'],
        ['ensemble'],
        ['score'],
      ]) {
        const { code, stdout, stderr } = await basin(...args);
        assert.equal(code, 0, stderr);
        assert.match(stdout, /│/);
      }
    });

    it('maps the curvature of a plane, saves a point of it, and holds measures against the gap of one run', async () => {
      for (const [words, ...args] of [
        [/λmin\/λmax.*│/, 'curvature-map', id, '--size', '5', '--plane', 'random', '--tolerance', '0.1'],
        [/Nothing can be told/, 'measures'],
        [/point-1 .*│/, 'point', id, '--plane', 'random', '--x', '0.1', '--y', '-0.1'],
      ] as const) {
        const { code, stdout, stderr } = await basin(...args);
        assert.equal(code, 0, stderr);
        assert.match(stdout, words);
      }
    });

    it('goes on with a contour whose process was killed, and comes to the same', async function () {
      this.timeout(300_000);
      const question = ['contour', id, '--plane', 'random', '--seed', '9', '--size', '53', '--full'];
      const fresh = await basin(...question, '--resume', '--size', '5');
      assert.equal(fresh.code, 0);
      assert.match(fresh.stderr, /warning: There is nothing to go on from/);

      const folder = path.join((await new RunStore(workspace.root).open(id)).directory, 'unfinished');
      const left = async (): Promise<string[]> =>
        (await readdir(folder).catch(() => [])).filter((f) => f.endsWith('.json'));
      const killed = start([cli, ...question, '--json']);
      await until(async () => (await left()).length > 0);
      killed.child.kill('SIGKILL');
      assert.equal((await killed.finished).stdout, '');
      assert.equal((await left()).length, 1);

      const resumed = await ask<ContourResult>(...question, '--resume');
      assert.ok((resumed.resumed ?? 0) >= 1 && (resumed.resumed ?? 0) < 53 ** 2, `${resumed.resumed} points`);
      assert.ok(
        resumed.trust.some((s) =>
          s.startsWith(`${resumed.resumed} points are those of an interrupted contour`),
        ),
      );
      assert.deepEqual([resumed.evaluated, resumed.complete], [53 ** 2, true]);
      assert.deepEqual(await left(), []);
      // A coarser grid in one go: every second point is the same one.
      const half = await ask<ContourResult>(...question.slice(0, -2), '27', '--full');
      half.loss.forEach((row, j) =>
        row.forEach((loss, i) => {
          const same = resumed.loss[2 * j]?.[2 * i] ?? NaN;
          assert.ok(Math.abs((loss ?? NaN) - same) <= 1e-5 * same, `${loss} and ${same}`);
        }),
      );
    });

    it('exports a model that TensorFlow.js loads, with the score that it had', async () => {
      const { model } = await ask<AverageResult>('average', id, '--from', '1000');
      const to = path.join(workspace.root, 'möd el');
      const result = await ask<ExportResult>('export', id, model, '--format', 'tfjs', '--to', to);
      assert.ok(result.files.includes('model.json'));
      const { modelTopology, weightsManifest } = JSON.parse(
        await readFile(path.join(to, 'model.json'), 'utf8'),
      ) as {
        modelTopology: object;
        weightsManifest: { paths: string[]; weights: tf.io.WeightsManifestEntry[] }[];
      };
      const parts = await Promise.all(
        weightsManifest.flatMap((group) => group.paths).map((name) => readFile(path.join(to, name))),
      );
      const bytes = Buffer.concat(parts);
      await tf.setBackend('cpu');
      const loaded = await tf.loadLayersModel(
        tf.io.fromMemory({
          modelTopology,
          weightSpecs: weightsManifest.flatMap((group) => group.weights),
          weightData: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length),
        }),
      );
      assert.deepEqual(loaded.outputShape, [null, 3]);
      const probabilities = loaded.predict(tf.zeros([1, 4])) as tf.Tensor;
      assert.ok(Math.abs((probabilities.sum().arraySync() as number) - 1) < 1e-5);
      const again = await basin('export', id, model, '--format', 'tfjs', '--to', to);
      assert.equal(again.code, 0, again.stderr);
      await writeFile(path.join(to, 'model.json'), '{}');
      assert.equal((await basin('export', id, model, '--format', 'tfjs', '--to', to)).code, 1);
      const plain = await ask<ExportResult>('export', id, '1200', '--format', 'safetensors', '--to', to);
      assert.deepEqual(plain.files, [`${id}-step-1200.safetensors`]);
    });

    it('writes a report that needs nothing else', async () => {
      const to = path.join(workspace.root, 'repört.html');
      const { code, stdout } = await basin('report', id, '--to', to);
      assert.equal(code, 0);
      assert.equal(stdout.trim(), to);
      const html = await readFile(to, 'utf8');
      assert.match(html, /default-src 'none'/);
      assert.ok(!/<(?:script|link|img)[^>]+(?:src|href)=/.test(html));
      assert.ok(html.includes(id));
    });

    it('stops an analysis at Ctrl+C with exit code 130, and keeps nothing of it', async () => {
      const kept = (await readdir(path.join(workspace.store.directory, id, 'analyses'))).length;
      const { child, finished, said } = start([cli, 'contour', id, '--size', '401', '--json']);
      await until(() => /contour \d+ of/.test(said()));
      child.kill('SIGINT');
      const { code, stdout } = await finished;
      assert.equal(code, 130, stdout);
      assert.equal((JSON.parse(stdout) as { error: { code: string } }).error.code, 'cancelled');
      assert.equal((await readdir(path.join(workspace.store.directory, id, 'analyses'))).length, kept);
    });

    it('refuses a script that has changed since', async () => {
      const [source, changed] = [await readFile(script, 'utf8'), path.join(workspace.root, 'changing.mjs')];
      await writeFile(changed, source);
      const trained = await start([cli, 'train', '--', process.execPath, changed], { EPOCHS: '2' }).finished;
      assert.equal(trained.code, 0, trained.stderr);
      await writeFile(changed, source.replace('units: 16', 'units: 12'));
      const { code, stdout } = await basin('score', 'last', '--json');
      assert.equal(code, 1);
      assert.equal((JSON.parse(stdout) as { error: { code: string } }).error.code, 'not-replayable');
    });

    it('asks a held process, and lets it end', async () => {
      const training = start([cli, 'train', '--hold', '60', '--', process.execPath, script], { EPOCHS: '2' });
      await until(() => training.said().includes('basin release'));
      const score = await ask<ScoreResult>('score');
      assert.equal(score.provenance.evaluator, 'held');
      assert.equal((await ask<Show>('show')).run.state, 'held');
      assert.equal((await ask<{ released: boolean }>('release')).released, true);
      assert.equal((await training.finished).code, 0);
      assert.equal((await ask<Show>('show')).run.state, 'finished');
      assert.equal((await ask<{ released: boolean }>('release')).released, false);
    });

    it('measures flatness, and the preconditioned λ₁ as long as the process has its second moments', async () => {
      const adam = path.join(workspace.root, 'relu-adam.mjs');
      await copyFile(path.join(repository, 'test', 'fixtures', 'scripts', 'relu-adam.mjs'), adam);
      const training = start([cli, 'train', '--hold', '60', '--', process.execPath, adam]);
      await until(() => training.said().includes('basin release'));
      const held = await ask<StabilityResult>('stability', '--snapshots', '2');
      const { preconditioned: point } = held;
      assert.deepEqual([point?.step, point?.apart, point?.mode], [40, 0, 'as-trained']);
      assert.ok(Math.abs((point?.bound ?? NaN) / (38 / 0.02) - 1) < 1e-5);
      // Adam divides by less than 1 here: the preconditioned λ₁ is larger than the plain one.
      assert.ok((point?.lambda1 ?? 0) > (held.points.at(-1)?.lambda1 ?? NaN));
      assert.equal(held.withoutPreconditioned, null);
      assert.match(
        (await basin('stability', '--snapshots', '2')).stdout,
        /^preconditioned λ₁ .* at step 40/m,
      );

      const flat = await ask<FlatnessResult>('flatness', '--repeats', '6', '--eta', '0');
      assert.equal(flat.provenance.evaluator, 'held');
      assert.deepEqual(
        flat.measures.map((m) => [m.name, m.twin?.verdict]),
        [
          ['worst-case', 'changed'],
          ['sam', 'changed'],
          ['asam', 'unchanged'],
          ['average-case', 'unchanged'],
          ['fisher-rao', 'unchanged'],
        ],
      );
      assert.ok(flat.measures.every((m) => (m.value ?? 0) > 0 && m.meaning !== ''));
      const { stdout } = await basin('flatness', '--repeats', '6', '--eta', '0');
      assert.match(stdout, /changes by factor/);
      assert.ok(stdout.includes(`kept as ${flat.id}`), 'the same question has its answer already');
      assert.equal((await ask<{ released: boolean }>('release')).released, true);
      assert.equal((await training.finished).code, 0);

      const relaunched = await ask<StabilityResult>('stability', '--steps', '40');
      assert.equal(relaunched.preconditioned, null);
      assert.match(relaunched.withoutPreconditioned ?? '', /living and held runs only\.$/);
      const some = await ask<FlatnessResult>('flatness', '--measures', 'fisher-rao', '--no-twin');
      assert.equal(some.provenance.evaluator, 'relaunched');
      const before = flat.measures.find((m) => m.name === 'fisher-rao')?.value ?? NaN;
      assert.ok(Math.abs((some.measures[0]?.value ?? NaN) / before - 1) < 1e-5);
    });

    it('passes Ctrl+C on to the script, and keeps what it had', async () => {
      const training = start([cli, 'train', '--', process.execPath, script], { EPOCHS: '5000' });
      await until(async () => (await basin('runs')).stdout.includes('training'));
      await new Promise((resolve) => setTimeout(resolve, 1500));
      training.child.kill('SIGINT');
      assert.equal((await training.finished).code, 130);
      const { run } = await ask<Show>('show');
      assert.equal(run.state, 'interrupted');
      assert.match(run.stateReason ?? '', /Ctrl\+C/);
    });

    it('answers over the engine wire, and ends with its parent', async () => {
      const child = fork(path.join(repository, 'dist', 'engine.cjs'), [], {
        serialization: 'advanced',
        execArgv: [],
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      });
      const rpc = createMessageConnection(new IPCMessageReader(child), new IPCMessageWriter(child));
      const progress: unknown[] = [];
      const partial: unknown[] = [];
      rpc.onNotification('progress', (p) => progress.push(p));
      rpc.onNotification('partial', (p) => partial.push(p));
      rpc.listen();
      const job = { kind: 'contour', run: id, plane: 'pca', size: 17 } as const;
      const result = await rpc.sendRequest<JobResult>('run', { job, number: 4, root: workspace.root });
      assert.equal(result.kind, 'contour');
      assert.ok(progress.length > 0 && partial.length > 0);
      await assert.rejects(
        rpc.sendRequest('run', { job: { ...job, run: 'nope' }, number: 5, root: workspace.root }),
        (error: { data?: { code?: string } }) => error.data?.code === 'not-found',
      );
      const ended = once(child, 'exit');
      child.disconnect();
      assert.deepEqual(await ended, [0, null]);
      rpc.dispose();
    });
  });

  describe('killed', () => {
    it('opens the run of a training that was killed, at any of 20 moments', async function () {
      this.timeout(300_000);
      const folder = path.join(workspace.root, 'killed');
      await mkdir(folder);
      const store = new RunStore(folder);
      for (let i = 0; i < 20; i++) {
        const before = (await store.list()).length;
        const command = [cli, '--root', folder, 'train', '--every', '1', '--', process.execPath, script];
        const { child, finished, said } = start(command, { EPOCHS: '5000' });
        let pid: number | undefined;
        await until(async () => {
          assert.equal(child.exitCode, null, said());
          const runs = await store.list();
          const manifest = runs[0]?.manifest;
          if (runs.length > before && manifest?.state === 'training') pid = manifest.process?.pid;
          return pid !== undefined;
        });
        assert.ok(pid !== undefined && pid > 1 && pid !== process.pid);
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 700));
        process.kill(pid, 'SIGKILL');
        assert.equal((await finished).code, 137);
        const run = await store.open('last');
        assert.equal((await run.readManifest()).state, 'interrupted');
        const text = await readFile(run.path('steps.jsonl'), 'utf8').catch(() => '');
        const whole = text.split('\n').slice(0, -1);
        const steps = await run.readSteps();
        assert.equal(steps.length, whole.length, 'every whole line is a record');
        steps.forEach((s, k) => assert.equal(s.step, k));
        const { objectives } = await run.readManifest();
        const snapshots = await run.snapshots();
        // Killed within its first moments it may have none yet; what there is begins at the start and is whole.
        const [objective] = objectives;
        assert.ok(snapshots.length === 0 || (objective !== undefined && snapshots[0]?.step === 0));
        if (objective !== undefined) for (const { file } of snapshots) await checkSnapshot(file, objective);
        await run.readSketch();
      }
    });
  });
});
