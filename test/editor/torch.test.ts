/** A PyTorch script and one in TypeScript, in the real extension host; runs after the TF.js sample's suite. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import * as vscode from 'vscode';
import type { AverageResult, ContourResult, ExportResult } from '../../src/protocol/results.ts';
import type { RunManifest } from '../../src/protocol/run.ts';
import type { Run } from '../../src/runs/run.ts';
import { RunStore } from '../../src/runs/runStore.ts';
import { until } from './until.ts';

const ID = 'basin.basin';
/** Finds its neighbour only when it runs as a module of its package. */
const inPackage = `import torch
from .parts import net
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for _ in range(8):
    loss = net(torch.randn(16, 4)).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
`;

describe('other scripts', function () {
  this.timeout(240_000);
  let root: string;
  let extensionPath: string;
  const file = (name: string): vscode.Uri => vscode.Uri.file(path.join(root, name));
  const configure = (name: string, value: unknown) =>
    vscode.workspace.getConfiguration().update(name, value, vscode.ConfigurationTarget.Global);

  before(async () => {
    const folder = vscode.workspace.workspaceFolders?.[0];
    assert.ok(folder, 'no folder is open');
    root = folder.uri.fsPath;
    const extension = vscode.extensions.getExtension(ID);
    assert.ok(extension, 'the extension is not there');
    extensionPath = extension.extensionPath;
    await extension.activate();
    await configure('basin.relaunch', 'always');
    await configure('basin.contourSize', 11);
  });

  /** Trains a file of the workspace by the command, and waits for its run to end. */
  async function train(name: string, state = 'finished'): Promise<{ run: Run; manifest: RunManifest }> {
    const store = new RunStore(root);
    const before = new Set((await store.list()).map((entry) => entry.id));
    await vscode.window.showTextDocument(file(name));
    await vscode.commands.executeCommand('basin.train', file(name));
    const run = await until(
      'a run',
      60,
      async () => (await store.list()).find((e) => !before.has(e.id))?.run,
    );
    const manifest = await until('its end', 150, async () => {
      const now = await run.readManifest().catch(() => null);
      return now !== null && now.ended !== null ? now : null;
    });
    assert.equal(manifest.state, state, manifest.stateReason ?? '');
    // VS Code asks before it starts a task again that is still there.
    await until(
      'the end of its task',
      30,
      () => !vscode.tasks.taskExecutions.some((e) => e.task.definition.type === 'basin'),
    );
    return { run, manifest };
  }

  describe('in Python', () => {
    let run: Run;
    let average: AverageResult;

    before(async function () {
      const python = process.env.BASIN_TEST_PYTHON;
      if (!python || !existsSync(python)) {
        if (process.env.CI) throw new Error('This test needs a Python with torch, in BASIN_TEST_PYTHON.');
        this.skip();
      }
      await configure('basin.pythonPath', python);
      for (const name of ['train.py', 'digits.py']) {
        copyFileSync(path.join(extensionPath, 'media/samples/digits-torch', name), path.join(root, name));
      }
    });

    it('offers to train at the optimizer’s step', async () => {
      const document = await vscode.workspace.openTextDocument(file('train.py'));
      const [lens] = await until('a CodeLens', 20, async () => {
        const found = await vscode.commands.executeCommand<vscode.CodeLens[]>(
          'vscode.executeCodeLensProvider',
          document.uri,
        );
        return found.length > 0 ? found : null;
      });
      assert.match(lens?.command?.title ?? '', /Train/);
      assert.match(document.lineAt(lens?.range.start.line ?? 0).text, /optimizer\.step\(\)/);
    });

    it('trains the file with the chosen interpreter', async () => {
      const trained = await train('train.py');
      run = trained.run;
      const { manifest } = trained;
      assert.equal(manifest.framework, 'torch');
      assert.equal(manifest.command[0], process.env.BASIN_TEST_PYTHON);
      assert.ok(manifest.objectives[0]?.replay?.exact);
      assert.equal(manifest.recording.steps, 1250);
    });

    it('shows λ₁ against the bound at that step', async () => {
      const document = await vscode.workspace.openTextDocument(file('train.py'));
      const all = new vscode.Range(0, 0, document.lineCount, 0);
      const [hint] = await until('a hint', 60, async () => {
        const found = await vscode.commands.executeCommand<vscode.InlayHint[]>(
          'vscode.executeInlayHintProvider',
          document.uri,
          all,
        );
        const shown = found.filter((h) => typeof h.label === 'string' && h.label.startsWith('λ₁'));
        return shown.length > 0 ? shown : null;
      });
      const label = typeof hint?.label === 'string' ? hint.label : '';
      assert.match(label, /^λ₁ \S+ · \(2\+2β\)\/η 6\.00 · (stable|edge of stability|unstable)$/);
      assert.match(document.lineAt(hint?.position.line ?? 0).text, /optimizer\.step\(\)/);
    });

    it('draws its contour and averages its snapshots', async () => {
      const contour = await vscode.commands.executeCommand<ContourResult>('basin.showContour', run.id);
      assert.equal(contour.complete, true);
      assert.ok(contour.loss.flat().every((loss) => loss !== null && Number.isFinite(loss)));
      average = await vscode.commands.executeCommand<AverageResult>('basin.average', run.id);
      assert.ok((average.score.validation?.accuracy ?? 0) > 0.9, JSON.stringify(average.score));
    });

    it('exports the average as a state_dict', async () => {
      const to = path.join(extensionPath, 'out', 'editor-export-torch');
      rmSync(to, { recursive: true, force: true });
      const exported = await vscode.commands.executeCommand<ExportResult>(
        ...(['basin.exportModel', run.id, average.model, to] as const),
      );
      assert.deepEqual(exported.files, ['model.pt']);
      const tensors = await vscode.commands.executeCommand<ExportResult>(
        ...(['basin.exportModel', run.id, average.model, { folder: to, format: 'safetensors' }] as const),
      );
      assert.deepEqual(tensors.files, ['model.safetensors']);
      const check = 'import sys, torch; print(sum(t.numel() for t in torch.load(sys.argv[1]).values()))';
      const { stdout } = await promisify(execFile)(process.env.BASIN_TEST_PYTHON ?? '', [
        ...['-c', check, path.join(to, 'model.pt')],
      ]);
      assert.equal(Number(stdout), (await run.readManifest()).objectives[0]?.parameterCount);
    });

    it('trains a module of a package as one', async () => {
      mkdirSync(path.join(root, 'vision'), { recursive: true });
      writeFileSync(path.join(root, 'vision', '__init__.py'), '');
      writeFileSync(path.join(root, 'vision', 'parts.py'), 'import torch\nnet = torch.nn.Linear(4, 2)\n');
      writeFileSync(path.join(root, 'vision', 'fit.py'), inPackage);
      const { manifest } = await train('vision/fit.py');
      assert.deepEqual(manifest.command.slice(1), ['-m', 'vision.fit']);
      assert.equal(manifest.cwd, root);
      assert.equal(manifest.recording.steps, 8);
      assert.ok(manifest.objectives[0]?.replay?.exact);
    });

    describe('where torch is missing', () => {
      after(() => configure('basin.pythonPath', process.env.BASIN_TEST_PYTHON));

      it('says which Python lacks it, and how it gets it', async () => {
        const bare = path.join(root, 'bare');
        const make = ['-m', 'venv', '--without-pip', bare];
        await promisify(execFile)(process.env.BASIN_TEST_PYTHON ?? '', make);
        await configure('basin.pythonPath', 'bare');
        const { manifest } = await train('train.py', 'failed');
        const program = path.join(bare, 'bin', 'python');
        assert.equal(manifest.command[0], program);
        assert.ok(manifest.stateReason?.includes(`${program} (Python 3.`), manifest.stateReason ?? '');
        assert.ok(
          manifest.stateReason?.includes(`${program} -m pip install torch`),
          manifest.stateReason ?? '',
        );
      });

      it('names the interpreter that has it, and where it is chosen', async () => {
        const environment = path.join(root, '.venv');
        mkdirSync(path.join(environment, 'bin'), { recursive: true });
        mkdirSync(path.join(environment, 'lib/python3.11/site-packages/torch'), { recursive: true });
        writeFileSync(path.join(environment, 'pyvenv.cfg'), 'home = /usr/bin');
        writeFileSync(path.join(environment, 'bin', 'python'), '#!/bin/sh\n', { mode: 0o755 });
        const { manifest } = await train('train.py', 'failed').finally(() =>
          rmSync(environment, { recursive: true, force: true }),
        );
        const why = manifest.stateReason ?? '';
        assert.ok(why.includes(`${path.join(environment, 'bin', 'python')} has it`), why);
        assert.match(why, /basin\.pythonPath/);
      });

      it('starts nothing where there is no Python', async () => {
        await configure('basin.pythonPath', 'no/such/python');
        const store = new RunStore(root);
        const before = (await store.list()).length;
        assert.equal(await vscode.commands.executeCommand('basin.train', file('train.py')), undefined);
        assert.equal((await store.list()).length, before);
      });
    });
  });

  describe('in TypeScript', () => {
    it('trains the file by tsx', async () => {
      writeFileSync(
        path.join(root, 'tiny.ts'),
        `import * as tf from '@tensorflow/tfjs';
const steps: number = 12;
await tf.setBackend('cpu');
const weights = tf.variable(tf.tensor1d([1, -2]));
const optimizer = tf.train.sgd(0.1);
for (let step = 0; step < steps; step++) optimizer.minimize(() => tf.sum(tf.square(weights)) as tf.Scalar);
`,
      );
      const { manifest } = await train('tiny.ts');
      assert.equal(manifest.framework, 'tfjs');
      assert.equal(manifest.recording.steps, 12);
      assert.match(manifest.objectives[0]?.callSite?.file ?? '', /tiny\.ts$/);
    });
  });
});
