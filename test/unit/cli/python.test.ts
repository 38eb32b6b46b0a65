/** PyTorch scripts on the command line, in a workspace whose path has spaces and an umlaut. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmod, copyFile, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { CurvatureMapResult } from '../../../src/protocol/curvatureMap.ts';
import type { LayersResult } from '../../../src/protocol/layers.ts';
import type { NoiseResult } from '../../../src/protocol/noise.ts';
import type { PointResult } from '../../../src/protocol/points.ts';
import type { SoupResult } from '../../../src/protocol/soups.ts';
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
import type { CalibrationResult, MarginsResult } from '../../../src/protocol/generalisation.ts';
import type { RunManifest } from '../../../src/protocol/run.ts';
import { buildRunView } from '../../../src/runs/runView.ts';
import { RunStore } from '../../../src/runs/runStore.ts';
import { CommandLine } from '../../fixtures/commandLine.ts';
import { makeWorkspace, type Workspace } from '../../fixtures/runs.ts';
import { namedPlanes } from '../../fixtures/namedPlanes.ts';
import { sharedContour } from '../../fixtures/sharedContour.ts';
import { needs, testPython } from '../../harness/requires.ts';

const run = promisify(execFile);
const scripts = path.resolve('test/torch/scripts');

describe('command line with PyTorch', function () {
  this.timeout(180_000);
  let workspace: Workspace;
  let python: string;
  let basin: CommandLine;
  before(async function () {
    needs(this, 'bundles');
    needs(this, 'torch');
    python = testPython();
    workspace = await makeWorkspace();
    basin = new CommandLine(workspace.root, { OMP_NUM_THREADS: '1' });
    await copyFile(path.join(scripts, 'cross_entropy_module.py'), path.join(workspace.root, 'träin me.py'));
  });
  after(() => workspace?.remove());

  const write = async (name: string, ...lines: string[]): Promise<string> => {
    const file = path.join(workspace.root, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, lines.join('\n'));
    return file;
  };
  const train = (...command: string[]) => basin.run('train', '--', ...command);
  const manifest = async (): Promise<RunManifest> =>
    (await new RunStore(workspace.root).open('last')).readManifest();
  /** A few steps of a small model, with a line of the test's own after each. */
  const loop = (...inside: string[]): string[] => [
    'import os, sys, time, torch',
    'net = torch.nn.Linear(4, 2)',
    'optimizer = torch.optim.SGD(net.parameters(), lr=0.1)',
    'for step in range(12):',
    '    optimizer.zero_grad()',
    '    torch.nn.functional.cross_entropy(net(torch.randn(8, 4)), torch.randint(2, (8,))).backward()',
    '    optimizer.step()',
    ...inside.map((line) => `    ${line}`),
  ];

  /** SIGKILL for the process that trains, once as many records are on disk: those that are not there yet go with it. */
  const killOnceOnDisk = async (steps: number): Promise<void> => {
    for (;;) {
      const { state, process: training } = await manifest();
      const latest = await new RunStore(workspace.root).open('last');
      if (state === 'training' && training !== null && (await latest.readSteps()).length === steps)
        return void process.kill(training.pid, 'SIGKILL');
      await sleep(50);
    }
  };

  it('warns of NaN with its layer and of dead units, and shows them', async () => {
    const script = await write(
      'faults.py',
      'import torch',
      'torch.manual_seed(1)',
      'net = torch.nn.Sequential(torch.nn.Linear(10, 12), torch.nn.ReLU(), torch.nn.Linear(12, 3))',
      'with torch.no_grad():',
      '    net[0].bias[:3] = -1e4',
      'x, y = torch.randn(96, 10), torch.randint(3, (96,))',
      'optimizer = torch.optim.SGD(net.parameters(), lr=0.05)',
      'for step in range(60):',
      '    optimizer.zero_grad()',
      '    i = step % 3 * 32',
      '    torch.nn.functional.cross_entropy(net(x[i:i + 32]), y[i:i + 32]).backward()',
      '    if step == 41:',
      '        net[2].weight.grad[0, 0] = float("nan")',
      '    optimizer.step()',
    );
    const { code, stderr } = await basin.run('train', '--every-step', '--', python, script);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^basin: warning: Dead units at step 7: 3 of 12 in layer 0/m);
    assert.match(stderr, /^basin: warning: The gradient is NaN or infinite at step 41, in layer 2/m);
    const { stdout } = await basin.run('show', 'last');
    assert.match(stdout, /events.*Dead units at step 7/);
  });

  it('holds the curvature of the loss that is trained, batch statistics and all, against the bound', async () => {
    const script = await write(
      'normed.py',
      'import torch',
      'torch.manual_seed(2)',
      'x, y = torch.randn(48, 3), torch.randint(2, (48,))',
      'net = torch.nn.Sequential(',
      '    torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Tanh(), torch.nn.Linear(4, 2))',
      'optimizer = torch.optim.SGD(net.parameters(), lr=0.1)',
      'criterion = torch.nn.CrossEntropyLoss()',
      'for step in range(30):',
      '    optimizer.zero_grad()',
      '    criterion(net(x), y).backward()',
      '    optimizer.step()',
      'net.double()',
      'names, weights = zip(*[(n, p.detach()) for n, p in net.named_parameters()])',
      'sizes = [w.numel() for w in weights]',
      'def loss(flat):',
      '    parts = {n: v.view_as(w) for n, v, w in zip(names, flat.split(sizes), weights)}',
      '    return criterion(torch.func.functional_call(net, parts, (x.double(),)), y)',
      'hessian = torch.autograd.functional.hessian(loss, torch.cat([w.flatten() for w in weights]))',
      'print(float(torch.linalg.eigvalsh(hessian)[-1]))',
    );
    const { code, stdout, stderr } = await train(python, script);
    assert.equal(code, 0, stderr);
    const truth = Number(stdout.trim().split('\n').at(-1));
    const found = await basin.ask<SharpnessResult>('sharpness');
    assert.equal(found.provenance.mode, 'as-trained');
    const [lambda = NaN] = found.eigenvalues;
    assert.ok(Math.abs(lambda / truth - 1) < 2e-3, `${lambda} for ${truth}`);
  });

  it('names the layer of a loss spike that was planted in one', async () => {
    const planted = path.resolve('test/torch/scripts-planted/planted.py');
    const { code, stderr } = await basin.run('train', '--every-step', '--', python, planted, 'spike', '200');
    assert.equal(code, 0, stderr);
    const spike =
      /Loss spike at step 13[89]: .*It began in layer third \(third\.weight\): its gradient .* at step 137\./;
    assert.match(stderr, spike);
    assert.equal(stderr.split('warning: Loss spike').length, 2, stderr);
    assert.match((await basin.run('show', 'last')).stdout, spike);
    assert.match((await basin.run('layers')).stdout, spike);
  });

  it('records what there is where no loss is known, and warns of no NaN', async () => {
    const script = await write(
      'by hand.py',
      'import torch',
      'torch.manual_seed(1)',
      'net = torch.nn.Linear(6, 3)',
      'optimizer = torch.optim.SGD(net.parameters(), lr=0.1)',
      'for step in range(40):',
      '    x, y = torch.randn(32, 6), torch.randint(3, (32,))',
      '    loss = torch.nn.functional.cross_entropy(net(x), y)',
      '    gradients = torch.autograd.grad(loss, list(net.parameters()))',
      '    for p, g in zip(net.parameters(), gradients): p.grad = g',
      '    optimizer.step()',
    );
    const { code, stderr } = await basin.run('train', '--every-step', '--', python, script);
    assert.equal(code, 0, stderr);
    assert.doesNotMatch(stderr, /NaN|infinite/);
    const { stdout } = await basin.run('show', 'last');
    assert.match(stdout, /last loss *│ not known at step 39/);
    assert.doesNotMatch(stdout, /NaN|infinite/);
    const shown = await basin.ask<{ lastLoss: number | null; runs: { lastLoss: number | null }[] }>('runs');
    assert.equal(shown.runs.at(-1)?.lastLoss, null);
    for (const kind of ['trajectory', 'layers', 'cycles']) await basin.ask(kind, 'last');
    const refused = await basin.run('sharpness', 'last');
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /gradients did not come from backward/);
    const report = await basin.run('report', 'last', '--to', 'by-hand.html');
    assert.equal(report.code, 0, report.stderr);
  });

  describe('a run', () => {
    before(async () => {
      const { code, stderr } = await train(python, 'träin me.py');
      assert.equal(code, 0, stderr);
    });

    it('is recorded with what ran it, and replays', async () => {
      const recorded = await manifest();
      assert.equal(recorded.state, 'finished');
      assert.equal(recorded.framework, 'torch');
      assert.equal(recorded.recording.steps, 16);
      assert.match(recorded.versions.torch ?? '', /^\d+\.\d+/);
      assert.match(recorded.versions.python ?? '', /^3\.\d+/);
      const [objective] = recorded.objectives;
      assert.ok(objective?.replay?.exact);
      assert.ok(objective.replay.checked >= 1);
      assert.equal(path.basename(objective.callSite?.file ?? ''), 'träin me.py');
      assert.equal(recorded.evaluationSet?.validation?.samples, 128);
      const { stdout } = await basin.run('show');
      assert.match(stdout, /torch on cpu/);
      const checks = objective.replay.checks?.map(({ of, checked, passed }) => [of, checked, passed]);
      assert.deepEqual(checks, [
        ['loss', 4, 4],
        ['gradient', 4, 4],
        ['later-data', 3, 3],
      ]);
      assert.match(stdout, /exact on 4 of 4 steps: loss \(.+\), gradient \(.+\), later data on/);
      assert.match(stdout, new RegExp(`Python ${recorded.versions.python}`));
    });

    it('answers every question from a process that was started again', async () => {
      const scored = await basin.ask<ScoreResult>('score');
      assert.equal(scored.provenance.framework, 'torch');
      assert.equal(scored.provenance.evaluator, 'relaunched');
      assert.ok(!scored.trust.some((sentence) => /not been checked/.test(sentence)), scored.trust.join(' '));
      const contour = await basin.ask<ContourResult>('contour', '--size', '9');
      assert.equal(contour.evaluated, 81);
      await sharedContour((...args) => basin.ask<ContourResult>('contour', ...args));
      const [line, end] = [
        await basin.ask<LineResult>('line', '--from', 'first', '--to', 'last', '--points', '5'),
        scored.score.train.loss ?? NaN,
      ];
      assert.ok(Math.abs((line.loss.at(-1) ?? NaN) - end) <= 1e-5 * end);
      assert.ok((line.loss[0] ?? NaN) > end);
      assert.equal(line.monotone?.downhill, 'forward');
      assert.notEqual(line.validation?.monotone?.verdict ?? 'unknown', 'unknown');
      const random = await basin.ask<ContourResult>('contour', '--plane', 'random', '--size', '5');
      assert.ok(Math.abs((random.centre.loss ?? NaN) - end) <= 1e-5 * end);
      const sharpness = await basin.ask<SharpnessResult>('sharpness', '--top', '2');
      assert.equal(sharpness.method, 'exact');
      assert.ok(sharpness.converged);
      // Heavy ball: (2 + 2·0.9)/0.1
      assert.ok(Math.abs((sharpness.stabilityBound ?? NaN) - 38) < 1e-9);
      const calibration = await basin.ask<CalibrationResult>('calibration', '--bins', '8');
      assert.equal(calibration.data.split, 'validation');
      assert.ok(Math.abs(calibration.accuracy - (scored.score.validation?.accuracy ?? NaN)) < 1e-6);
      const margins = await basin.ask<MarginsResult>('margins');
      assert.ok(
        Math.abs((margins.validation?.accuracy.value ?? NaN) - (scored.score.validation?.accuracy ?? NaN)) <
          1e-6,
      );
      assert.ok((margins.train.input?.quantiles.length ?? 0) > 0);
      const noise = await basin.ask<NoiseResult>('noise', '--top', '1');
      assert.equal(noise.batches, 8);
      assert.equal(noise.rank.limit, 7);
      assert.ok((noise.hessian?.noise.value ?? 0) > 0);
      const map = await basin.ask<CurvatureMapResult>('curvature-map', '--size', '5', '--plane', 'random');
      assert.deepEqual([map.evaluated, map.notConverged, map.method], [25, 0, 'exact']);
      assert.ok(Math.abs((map.centre.largest ?? NaN) / (sharpness.eigenvalues[0] ?? NaN) - 1) < 0.02);
      assert.ok((map.centre.smallest ?? NaN) < 0);
      const centre = await basin.ask<PointResult>('point', '--plane', 'random', '--x', '0', '--y', '0');
      assert.deepEqual(centre.score, {
        train: centre.baseline.train,
        validation: centre.baseline.validation,
      });
      assert.equal(centre.nearest?.step, centre.baseline.step);
      const there = await basin.ask<PointResult>('point', '--plane', 'random', '--x', '0.4', '--y', '0');
      const again = await basin.ask<ScoreResult>('score', '--at', there.model);
      assert.deepEqual(again.score, there.score);
      assert.notEqual(there.score.train.loss, centre.score.train.loss);
      const layers = await basin.ask<LayersResult>('layers');
      assert.equal(layers.parameters.length, 4);
      const soup = await basin.ask<SoupResult>('soup', '--members', '8,12,last');
      assert.equal(soup.score.validation?.samples, 128);
      const average = await basin.ask<AverageResult>('average', '--from', '8');
      assert.equal(average.score.validation?.samples, 128);
      const sweep = await basin.ask<SweepResult>('sweep', '--from', '8', '--places', '2', '--decays', 'none');
      const whole = sweep.windows.find(({ from, to }) => from === 8 && to === sweep.last.step);
      assert.equal(whole?.snapshots, average.members.length);
      assert.ok(
        Math.abs((whole?.score.validation?.loss ?? NaN) - (average.score.validation?.loss ?? NaN)) < 1e-6,
      );
      const swag = await basin.ask<SwagResult>('swag', '--from', '8', '--draws', '3');
      assert.equal(swag.members.length, average.members.length);
      assert.ok(
        Math.abs((swag.average.validation?.loss ?? NaN) - (average.score.validation?.loss ?? NaN)) < 1e-6,
      );
      const ensemble = await basin.ask<EnsembleResult>('ensemble', '--last', '3');
      assert.equal(ensemble.memberScores.length, 3);
      const { code } = await basin.run('report', '--to', 'bericht ü.html');
      assert.equal(code, 0);
      assert.ok((await stat(path.join(workspace.root, 'bericht ü.html'))).size > 100_000);
    });

    it('draws planes by directions', () =>
      namedPlanes((...args) => basin.ask<ContourResult>('contour', ...args)));

    it('draws a contour from fewer points than it shows', async () => {
      const { loss, evaluated, interpolation, trust } = await basin.ask<ContourResult>(
        'contour',
        '--size',
        '33',
      );
      assert.ok(evaluated >= 81 && evaluated < 33 ** 2, `${evaluated} points`);
      assert.ok(loss.flat().every((value) => value !== null));
      assert.equal(interpolation?.evaluated.flat().filter((one) => one === 1).length, evaluated);
      assert.ok(trust.some((sentence) => sentence.startsWith(`${evaluated} of 1089 points were evaluated`)));
    });

    it('exports state_dicts that load strictly and give the score that they had', async () => {
      const { model, score } = await basin.ask<AverageResult>('average', '--from', '12');
      for (const format of ['pt', 'safetensors']) {
        const { files, directory } = await basin.ask<ExportResult>(
          ...['export', 'last', model, '--format', format, '--to', `export ${format}`],
        );
        assert.deepEqual(files, [`model.${format}`]);
        const load = await write(
          'load.py',
          'import importlib.util, json, struct, sys, torch',
          "spec = importlib.util.spec_from_file_location('script', sys.argv[1])",
          'script = importlib.util.module_from_spec(spec); spec.loader.exec_module(script)',
          'file = sys.argv[2]',
          "if file.endswith('.pt'): state = torch.load(file, weights_only=True)",
          'else:',
          "    raw = open(file, 'rb').read(); n = struct.unpack('<Q', raw[:8])[0]",
          "    heads = json.loads(raw[8:8 + n]); heads.pop('__metadata__', None)",
          '    state = {k: torch.frombuffer(bytearray(raw[8 + n + h["data_offsets"][0]:8 + n + h["data_offsets"][1]]), dtype=torch.float32).reshape(h["shape"]) for k, h in heads.items()}',
          'net = script.Net(); net.load_state_dict(state, strict=True)',
          'torch.manual_seed(0); x = torch.randn(640, 20)',
          '_, held_out = script.random_split(script.TensorDataset(x, x[:, :5].argmax(1)), [512, 128])',
          'a = torch.stack([p[0] for p in held_out]); b = torch.stack([p[1] for p in held_out])',
          'with torch.no_grad(): print(torch.nn.functional.cross_entropy(net(a), b).item())',
        );
        const { stdout } = await run(python, [
          load,
          path.join(workspace.root, 'träin me.py'),
          path.join(directory, `model.${format}`),
        ]);
        const there = score.validation?.loss ?? NaN;
        assert.ok(Math.abs(Number(stdout) - there) <= 1e-5 * there, `${stdout} ${there}`);
      }
      const { code, stderr } = await basin.run('export', 'last', 'last', '--format', 'tfjs', '--to', 'no');
      assert.equal(code, 1);
      assert.match(stderr, /cure: Use --format pt/);
    });
  });

  it('relaunches with the interpreter that a bare name meant when it trained', async () => {
    const bin = path.join(workspace.root, 'tools');
    await mkdir(bin, { recursive: true });
    await writeFile(path.join(bin, 'my-python'), `#!/bin/sh\nexec '${python}' "$@"\n`);
    await chmod(path.join(bin, 'my-python'), 0o755);
    const own = new CommandLine(workspace.root, {
      OMP_NUM_THREADS: '1',
      PATH: `${bin}${path.delimiter}${process.env.PATH ?? ''}`,
    });
    const { code, stderr } = await own.run('train', '--', 'my-python', 'träin me.py');
    assert.equal(code, 0, stderr);
    assert.equal((await basin.ask<ScoreResult>('score')).provenance.evaluator, 'relaunched');
  });

  it('records a module of a package, with its arguments', async () => {
    await write('vision/__init__.py');
    await write('vision/parts.py', 'import torch', 'def net(): return torch.nn.Linear(4, 2)');
    const [, , ...rest] = loop();
    await write(
      'vision/train.py',
      'import sys, torch',
      'from .parts import net as make',
      'net = make()',
      ...rest,
    );
    const { code, stderr } = await train(python, '-m', 'vision.train', '--rate', '0.1');
    assert.equal(code, 0, stderr);
    const { recording, objectives } = await manifest();
    assert.equal(recording.steps, 12);
    assert.match(objectives[0]?.callSite?.file ?? '', /vision.train\.py$/);
    assert.equal((await basin.ask<ScoreResult>('score')).provenance.evaluator, 'relaunched');
  });

  it('keeps what there is of scripts that end in other ways, and their exit codes', async () => {
    for (const [line, code, state] of [
      ['if step == 5: sys.exit(3)', 3, 'failed'],
      ['if step == 5: raise ValueError("no more")', 1, 'failed'],
      ['if step == 5: os._exit(4)', 4, 'failed'],
      ['if step == 5: time.sleep(120)', 137, 'interrupted'],
    ] as const) {
      const script = await write('ends.py', ...loop(line));
      const { finished } = basin.start('train', '--', python, script);
      if (state === 'interrupted') await killOnceOnDisk(6);
      const { code: left, stderr } = await finished;
      assert.equal(left, code, `${line}: ${stderr}`);
      const recorded = await manifest();
      assert.equal(recorded.state, state, line);
      assert.equal(recorded.recording.steps, 6, line);
      assert.equal((await (await new RunStore(workspace.root).open('last')).readSteps()).length, 6, line);
      if (line.includes('no more')) assert.match(recorded.stateReason ?? '', /ValueError: no more/);
      assert.equal((await basin.ask<ScoreResult>('score', '--at', 'first')).kind, 'score');
    }
  });

  it('asks about either of two objectives, by name or number', async () => {
    await copyFile(path.join(scripts, 'gan.py'), path.join(workspace.root, 'gan.py'));
    assert.equal((await train(python, 'gan.py')).code, 0);
    const { objectives } = await manifest();
    assert.deepEqual(
      objectives.map((o) => o.name),
      ['critic', 'generator'],
    );
    const first = await basin.ask<SharpnessResult>('sharpness');
    const named = await basin.ask<SharpnessResult>('sharpness', '--objective', 'generator');
    const numbered = await basin.ask<SharpnessResult>('sharpness', '--objective', '1');
    assert.equal(first.objective, 'critic');
    assert.equal(named.objective, 'generator');
    assert.deepEqual(numbered.eigenvalues, named.eigenvalues);
    assert.notDeepEqual(named.eigenvalues, first.eigenvalues);
    assert.match(named.trust.join(' '), /objective generator, over the 226 parameters .* also has critic/);
    const { code, stderr } = await basin.run('sharpness', 'last', '--objective', 'judge');
    assert.equal(code, 1);
    assert.match(stderr, /no objective "judge"[^]*0 \(critic\), 1 \(generator\)/);
    const to = path.join(workspace.root, 'generator');
    await basin.ask('export', 'last', 'last', '--objective', 'generator', '--format', 'pt', '--to', to);
    const count = 'import torch, sys; print(sum(t.numel() for t in torch.load(sys.argv[1]).values()))';
    const { stdout } = await run(python, ['-c', count, path.join(to, 'model.pt')]);
    assert.equal(stdout.trim(), '226');
  });

  it('says of kept and of new answers that the script or a module of its own has changed since', async () => {
    await write('own/__init__.py', '');
    const model = await write('own/model.py', 'import torch', 'net = torch.nn.Linear(4, 2)');
    const lines = loop();
    lines[1] = 'from own.model import net';
    const script = await write('changing.py', ...lines);
    assert.equal((await train(python, script)).code, 0);
    const before = await basin.ask<ScoreResult>('score', 'last', '--at', '3');
    assert.ok(!before.trust.some((sentence) => /changed/.test(sentence)));
    await writeFile(model, 'import torch\nnet = torch.nn.Linear(4, 2)  # as before');
    const kept = await basin.ask<ScoreResult>('score', 'last', '--at', '3');
    const sentence = `${path.join('own', 'model.py')} has changed since the run was recorded: this is about the script as it was then.`;
    assert.deepEqual([kept.id, kept.trust], [before.id, [...before.trust, sentence]]);
    await writeFile(script, [...lines, '# a word more'].join('\n'));
    const fresh = await basin.ask<ScoreResult>('score', 'last', '--at', '4');
    assert.match(fresh.trust.at(-1) ?? '', /^changing\.py and own.model\.py have changed since/);
    const { stdout } = await basin.run('score', 'last', '--at', '4');
    assert.match(stdout, /have changed since the run was recorded/);
    // What the panel and the report show; the files of the results are as old as the answers.
    const recorded = await new RunStore(workspace.root).open('last');
    const { results } = await buildRunView(recorded);
    assert.ok(results.every(({ trust }) => /have changed since/.test(trust.at(-1) ?? '')));
    assert.ok((await recorded.analyses()).every(({ trust }) => !trust.some((s) => /changed/.test(s))));
    await writeFile(script, lines.join('\n'));
    await writeFile(model, 'import torch\nnet = torch.nn.Linear(4, 2)');
    assert.deepEqual((await basin.ask<ScoreResult>('score', 'last', '--at', '3')).trust, before.trust);
  });

  it('does not train a script on that has changed since, and says so', async () => {
    const body = loop('open("taken", "a").write("x")');
    const script = await write('changes.py', 'import os', ...body);
    assert.equal((await train(python, script)).code, 0);
    const taken = path.join(workspace.root, 'taken');
    assert.equal((await readFile(taken, 'utf8')).length, 12);
    for (const other of ['cross_entropy(3 * ', 'multi_margin_loss(']) {
      await write('changes.py', 'import os', ...body.map((l) => l.replace('cross_entropy(', other)));
      const { code, stderr } = await basin.run('score', '--at', 'first');
      assert.equal(code, 1, other);
      assert.match(stderr, /the script is not what was recorded.*other calls than the recorded one/);
    }
    assert.equal((await readFile(taken, 'utf8')).length, 12, 'no step was taken');
    await write('changes.py', 'print("nothing left")');
    assert.match((await basin.run('score', '--at', 'first')).stderr, /cure: .*checkpoint of its own/);
    await write('changes.py', 'import os', ...body);
    assert.equal((await basin.ask<ScoreResult>('score', '--at', 'first')).kind, 'score');
  });

  it('passes Ctrl+C on to the script', async () => {
    const script = await write('slow.py', ...loop('time.sleep(0.05)').map((l) => l.replace('12', '100000')));
    const { child, finished, said } = basin.start('train', '--', python, script);
    while (!/recording run/.test(said())) await sleep(30);
    while (
      (await manifest()).recording.steps < 3 &&
      (await (await new RunStore(workspace.root).open('last')).readSteps()).length < 3
    )
      await sleep(50);
    child.kill('SIGINT');
    const { code } = await finished;
    assert.equal(code, 130);
    const recorded = await manifest();
    assert.equal(recorded.state, 'interrupted');
    assert.ok(recorded.recording.steps >= 3);
  });

  it('asks a process that is held at its end, and lets it go', async () => {
    const script = await write('held.py', ...loop());
    const { finished } = basin.start('train', '--hold', '60', '--', python, script);
    for (;;) {
      const recorded = await manifest();
      if (recorded.script === script && recorded.state === 'held') break;
      await sleep(50);
    }
    const scored = await basin.ask<ScoreResult>('score');
    assert.equal(scored.provenance.evaluator, 'held');
    await basin.ask('release');
    assert.equal((await finished).code, 0);
    assert.equal((await manifest()).state, 'finished');
  });

  describe('without what it needs', () => {
    /** A Python of the test environment's version that does not see its packages. */
    let bare: string;
    before(async () => {
      const folder = path.join(workspace.root, 'bare');
      await run(python, ['-m', 'venv', '--without-pip', folder]);
      bare = path.join(folder, 'bin', 'python');
    });

    it('says which Python has no torch, and how it gets it', async () => {
      const script = await write('needs.py', ...loop());
      const { code, stderr } = await train(bare, script);
      assert.equal(code, 1);
      assert.ok(stderr.includes(`${bare} -m pip install torch`), stderr);
    });

    it('names the virtual environment that has it', async () => {
      await write('other/.venv/pyvenv.cfg', 'home = /usr/bin');
      await write('other/.venv/bin/python', '#!/bin/sh');
      await chmod(path.join(workspace.root, 'other/.venv/bin/python'), 0o755);
      await write('other/.venv/lib/python3.11/site-packages/torch/__init__.py');
      const script = await write('other/needs.py', ...loop());
      const there = new CommandLine(path.dirname(script));
      const { stderr } = await there.run('train', '--root', workspace.root, '--', bare, script);
      assert.match(stderr, /other\/\.venv\/bin\/python has it/);
    });

    it('says that a torch is too old', async () => {
      const site = (
        await run(bare, ['-c', 'import sysconfig; print(sysconfig.get_path("purelib"))'])
      ).stdout.trim();
      await mkdir(path.join(site, 'torch'));
      await writeFile(path.join(site, 'torch', '__init__.py'), '__version__ = "1.10.2+cpu"\n');
      const script = await write('old.py', 'import torch');
      const { stderr } = await train(bare, script);
      assert.match(stderr, /torch 1\.13 or newer; .* with torch 1\.10\.2\+cpu/);
    });

    it('says that an isolated Python does not load the probe', async () => {
      const script = await write('isolated.py', ...loop());
      const { stderr } = await train(python, '-I', script);
      assert.match(stderr, /option -I shuts out/);
    });

    it('tells a script that trained nothing from one that loaded nothing, once', async () => {
      const { stderr } = await train(python, await write('none.py', 'import torch'));
      assert.equal(stderr.match(/without a training step/g)?.length, 1, stderr);
      assert.match(stderr, /^error: nothing was recorded\ncure: The script loaded its framework/m);
      assert.match((await train(python, await write('none.py', 'print(1)'))).stderr, /without loading/);
    });
  });

  it('leaves no run of a script that is not there, and says which and where', async () => {
    const before = (await new RunStore(workspace.root).list()).length;
    for (const command of [
      [python, 'trian.py'],
      [python, '-u', 'trian.py', '--lr', '0.1'],
      ['node', '--no-warnings', 'trian.mjs'],
    ]) {
      const { code, stderr } = await train(...command);
      assert.equal(code, 1);
      assert.match(stderr, /^error: There is no trian\.(py|mjs) in .*\ncure: Check its name/);
    }
    const module = await train(python, '-m', 'json.trian', '--lr', '0.1');
    assert.equal(module.code, 1);
    assert.match(
      module.stderr,
      /^error: Python found no module named json\.trian, .*\ncure: Check its name/m,
    );
    const unnamed = await train(python, 'trian');
    assert.match(unnamed.stderr, /^error: Python found no file .*trian, started in/m);
    const named = await train(path.basename(await write('alone.py', '')));
    assert.match(named.stderr, /cure: Name what runs it: python alone\.py/);
    assert.equal((await new RunStore(workspace.root).list()).length, before);
  });

  it("leaves torch's warnings at the line of the script that they are of", async () => {
    const lines = loop('value = float(loss)');
    lines[5] =
      '    loss = torch.nn.functional.cross_entropy(net(torch.randn(8, 4)), torch.randint(2, (8,))); loss.backward()';
    const script = await write('warned.py', ...lines);
    const plain = await run(python, [script]);
    const { stderr } = await train(python, script);
    const own = stderr.split('\n').filter((line) => !line.startsWith('basin: '));
    assert.deepEqual(own, plain.stderr.split('\n'));
  });

  it('passes on to the sitecustomize that it shadows, and keeps PYTHONPATH', async () => {
    await write('site before/sitecustomize.py', 'import builtins', 'builtins.came_before = True');
    await write('site before/mine.py', 'value = 7');
    const script = await write(
      'shadow.py',
      'import mine',
      'print("seen", came_before, mine.value)',
      'import torch',
    );
    const own = new CommandLine(workspace.root, { PYTHONPATH: path.join(workspace.root, 'site before') });
    const { stdout } = await own.run('train', '--', python, script);
    assert.match(stdout, /seen True 7/);
  });

  it('leaves no bytecode beside the probe', async () => {
    const { stdout } = await run('find', [path.resolve('dist/probe-torch'), '-name', '*.pyc']);
    assert.equal(stdout, '');
    assert.ok((await readFile(path.resolve('dist/probe-torch/basin_probe/probe.py'), 'utf8')).length > 0);
  });
});
