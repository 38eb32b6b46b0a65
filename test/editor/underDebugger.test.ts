/** Training under VS Code's own debugger, in the real extension host, in both frameworks; runs after the other suites. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import * as vscode from 'vscode';
import type { RunManifest } from '../../src/protocol/run.ts';
import { RunStore } from '../../src/runs/runStore.ts';
import { until } from './until.ts';

const TORCH = `import torch

torch.manual_seed(0)
x = torch.randn(128, 6)
y = x[:, :3].argmax(1)
net = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3))
optimizer = torch.optim.SGD(net.parameters(), lr=0.2, momentum=0.9)
for step in range(40):
    optimizer.zero_grad()
    loss = torch.nn.functional.cross_entropy(net(x), y)
    loss.backward()
    if step == 20:
        net[2].weight.grad[0, 0] = float("nan")
    optimizer.step()
`;
const TFJS = `import * as tf from '@tensorflow/tfjs';

await tf.setBackend('cpu');
const x = tf.randomNormal([128, 6], 0, 1, 'float32', 1);
const y = tf.oneHot(tf.argMax(x.slice([0, 0], [128, 3]), 1), 3);
const first = tf.variable(tf.randomNormal([6, 8], 0, 0.4, 'float32', 2), true, 'first');
const last = tf.variable(tf.randomNormal([8, 3], 0, 0.4, 'float32', 3), true, 'last');
const poison = tf.customGrad((w) => ({ value: tf.zerosLike(w).sum(), gradFunc: () => tf.fill(w.shape, NaN) }));
const optimizer = tf.train.momentum(0.2, 0.9);
let step = 0;
for (; step < 40; step++) {
  if (step === 5) globalThis.half = 'way';
  optimizer.minimize(() => {
    const loss = tf.losses.softmaxCrossEntropy(y, tf.tanh(x.matMul(first)).matMul(last));
    return step === 20 ? loss.add(poison(last)) : loss;
  });
}
`;

/** Says who it is and takes no step. */
const EARLY = `import { renameSync, writeFileSync } from 'node:fs';
const { NOTED } = process.env;
writeFileSync(NOTED + '~', String(process.pid));
renameSync(NOTED + '~', NOTED);
setTimeout(() => undefined, 600_000);
`;

const FIT = `import * as tf from '@tensorflow/tfjs';

await tf.setBackend('cpu');
const x = tf.randomNormal([96, 6], 0, 1, 'float32', 1);
const y = tf.oneHot(tf.argMax(x.slice([0, 0], [96, 3]), 1), 3);
const model = tf.sequential();
model.add(tf.layers.dense({ units: 8, activation: 'tanh', inputShape: [6] }));
model.add(tf.layers.dense({ units: 3, activation: 'softmax' }));
model.compile({ optimizer: tf.train.momentum(0.2, 0.9), loss: 'categoricalCrossentropy' });
await model.fit(x, y, { epochs: 6, batchSize: 24, validationSplit: 0.25, verbose: 0 });
console.log('trained');
`;
const MODULE = `from .parts import make

net, optimizer, loss_of = make()
for step in range(18):
    optimizer.zero_grad()
    loss_of(net).backward()
    optimizer.step()
print("trained")
`;
const PARTS = `import torch


def make():
    torch.manual_seed(0)
    x = torch.randn(96, 6)
    y = x[:, :3].argmax(1)
    net = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.2, momentum=0.9)
    return net, optimizer, lambda net: torch.nn.functional.cross_entropy(net(x), y)
`;
const WORKERS = `import torch
from torch.utils.data import DataLoader, TensorDataset


def main():
    torch.manual_seed(0)
    x = torch.randn(96, 6)
    loader = DataLoader(TensorDataset(x, x[:, :3].argmax(1)), batch_size=32, shuffle=True, num_workers=2)
    net = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.2, momentum=0.9)
    for _ in range(6):
        for a, b in loader:
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(net(a), b).backward()
            optimizer.step()
    print("trained")


if __name__ == "__main__":
    main()
`;

interface Kind {
  readonly file: string;
  readonly source: string;
  readonly stepLine: string;
  readonly poisoned: string;
  readonly restored: RegExp;
}
const kinds: Readonly<Record<'tfjs' | 'torch', Kind>> = {
  tfjs: {
    file: 'debugged.mjs',
    source: TFJS,
    stepLine: 'optimizer.minimize',
    poisoned: 'last',
    restored: /Back at the weights of step 8: weights, the optimizer's state\. Not put back/,
  },
  torch: {
    file: 'debugged.py',
    source: TORCH,
    stepLine: 'optimizer.step()',
    poisoned: '2.weight',
    restored: /Back at the weights of step 8.*random stream of torch/,
  },
};

/** Scripts that take their steps otherwise, 18 of them. */
interface Other {
  readonly files: Readonly<Record<string, string>>;
  /** Of those, the one with the line of the step. */
  readonly file: string;
  readonly stepLine: string;
  readonly python: boolean;
  /** In the launch configuration, in place of the file. */
  readonly module?: string;
  readonly epoch: string;
}
const others: Readonly<Record<string, Other>> = {
  'an asynchronous fit': {
    files: { 'fitted.mjs': FIT },
    file: 'fitted.mjs',
    stepLine: 'model.fit(',
    python: false,
    epoch: '2',
  },
  'a module of a package': {
    files: {
      'debugged_package/__init__.py': '',
      'debugged_package/parts.py': PARTS,
      'debugged_package/train.py': MODULE,
    },
    file: 'debugged_package/train.py',
    stepLine: 'optimizer.step()',
    python: true,
    module: 'debugged_package.train',
    epoch: 'not known',
  },
  'a loader with worker processes': {
    files: { 'workers.py': WORKERS },
    file: 'workers.py',
    stepLine: 'optimizer.step()',
    python: true,
    epoch: '2',
  },
};

interface Stopped {
  readonly session: vscode.DebugSession;
  readonly reason: string;
  readonly description?: string;
  readonly threadId?: number;
}

describe('the debugger', function () {
  this.timeout(180_000);
  let folder: vscode.WorkspaceFolder;
  let stops: Stopped[] = [];
  const subscriptions: vscode.Disposable[] = [];

  before(async () => {
    const [first] = vscode.workspace.workspaceFolders ?? [];
    assert.ok(first);
    folder = first;
    const python = process.env.BASIN_TEST_PYTHON;
    if (python)
      await vscode.workspace
        .getConfiguration()
        .update('basin.pythonPath', python, vscode.ConfigurationTarget.Global);
    await vscode.extensions.getExtension('basin.basin')?.activate();
    for (const type of ['basin', 'pwa-node'])
      subscriptions.push(
        vscode.debug.registerDebugAdapterTrackerFactory(type, {
          createDebugAdapterTracker: (session) => ({
            onDidSendMessage: (message: { event?: string; body: Omit<Stopped, 'session'> }) => {
              if (message.event === 'stopped') stops.push({ ...message.body, session });
            },
          }),
        }),
      );
  });
  beforeEach(() => {
    stops = [];
  });
  afterEach(async () => {
    await vscode.debug.stopDebugging();
    vscode.debug.removeBreakpoints(vscode.debug.breakpoints);
  });
  after(() => {
    for (const one of subscriptions) one.dispose();
  });

  function place({ file, source, stepLine }: Kind): { uri: vscode.Uri; line: number } {
    const uri = vscode.Uri.file(path.join(folder.uri.fsPath, file));
    writeFileSync(uri.fsPath, source);
    return { uri, line: source.split('\n').findIndex((text) => text.includes(stepLine)) };
  }
  function breakAt(uri: vscode.Uri, line: number, condition?: string): void {
    const location = new vscode.Location(uri, new vscode.Position(line, 0));
    vscode.debug.addBreakpoints([new vscode.SourceBreakpoint(location, true, condition)]);
  }
  /** The n-th stop of Basin's session. */
  const stop = (n: number): Promise<Stopped> =>
    until(`stop ${n}`, 90, () =>
      Promise.resolve(stops.filter(({ session }) => session.type === 'basin')[n - 1] ?? null),
    );
  async function does(command: string, n: number): Promise<Stopped> {
    await vscode.commands.executeCommand(`workbench.action.debug.${command}`);
    return stop(n);
  }
  const ask = <T>(command: string, args: object): Promise<T> => {
    const session = stops.find((one) => one.session.type === 'basin')?.session;
    assert.ok(session, 'there is no debug session');
    return Promise.resolve(session.customRequest(command, args) as Thenable<T>);
  };
  const evaluate = async (expression: string, context = 'repl'): Promise<string> =>
    (await ask<{ result: string }>('evaluate', { expression, context, frameId: 1 })).result;
  async function scope(name: string): Promise<Map<string, string>> {
    type Named = { name: string; value: string; variablesReference: number };
    const { scopes } = await ask<{ scopes: Named[] }>('scopes', { frameId: 1 });
    const { variablesReference = 0 } = scopes.find((one) => one.name === name) ?? {};
    const { variables } = await ask<{ variables: Named[] }>('variables', { variablesReference });
    return new Map(variables.map((one) => [one.name, one.value]));
  }
  const endOf = (session: vscode.DebugSession): Promise<void> =>
    new Promise((resolve) => {
      subscriptions.push(vscode.debug.onDidTerminateDebugSession((s) => s.id === session.id && resolve()));
    });
  const runOf = (uri: vscode.Uri, accepts: (manifest: RunManifest) => boolean): Promise<RunManifest> =>
    until('its run', 30, async () => {
      const [newest] = (await new RunStore(folder.uri.fsPath).list()).filter(
        ({ manifest }) => manifest?.script === uri.fsPath,
      );
      const manifest = newest?.manifest ?? null;
      return manifest !== null && accepts(manifest) ? manifest : null;
    });

  for (const [framework, kind] of Object.entries(kinds)) {
    it(`stops at a condition and at a NaN, is looked at, steps, goes back, and is ended (${framework})`, async function () {
      if (framework === 'torch' && !hasTorch()) this.skip();
      const { uri, line } = place(kind);
      breakAt(uri, line, 'step == 7');
      const document = await vscode.workspace.openTextDocument(uri);
      await vscode.window.showTextDocument(document);
      // By its command, as the code lens has it, or as launch.json would with variables in it.
      if (framework === 'torch') await vscode.commands.executeCommand('basin.debug', uri);
      else
        assert.ok(
          await vscode.debug.startDebugging(folder, {
            type: 'basin',
            request: 'launch',
            name: 'Debug Training',
            program: '${file}',
            cwd: '${workspaceFolder}',
            stopOnEntry: true,
          }),
        );
      const { session, reason } = await stop(1);
      assert.equal(reason, 'entry');
      assert.equal((await does('continue', 2)).reason, 'breakpoint');
      assert.equal(await evaluate('step'), '7');
      assert.match(await evaluate('sharpness()'), /^λ₁ [\d.]+, bound 19$/);

      // Variables, what a hover shows, and the values behind the line.
      const step = await scope('Step');
      assert.equal(step.get('lr'), '0.2');
      assert.ok(Number(step.get('loss')) > 0);
      assert.match((await scope('Optimizer')).get('name') ?? '', /^(SGD|Momentum)$/);
      assert.ok((await scope('Parameters')).size > 0);
      assert.equal(await evaluate('lr', 'hover'), '0.2');
      assert.equal(await evaluate('loss', 'hover'), step.get('loss'));
      assert.match(await evaluate('model', 'hover'), /numbers in \d parameters, norm/);
      const inline = await vscode.commands.executeCommand<vscode.InlineValue[]>(
        'vscode.executeInlineValueProvider',
        uri,
        new vscode.Range(0, 0, document.lineCount, 0),
        { frameId: 1, stoppedLocation: new vscode.Range(line, 0, line, 0) },
      );
      assert.deepEqual(
        inline.map((one) => [
          one.range.start.line,
          (one as vscode.InlineValueEvaluatableExpression).expression,
        ]),
        ['step', 'loss', 'lr'].map((name) => [line, name]),
      );

      await does('stepOver', 3);
      assert.equal(await evaluate('step'), '7');
      await does('stepInto', 4);
      assert.equal(await evaluate('step'), '8');
      await does('stepOver', 5);
      // The checkpoint of the last stop between two steps.
      assert.match((await does('stepBack', 6)).description ?? '', kind.restored);
      const event = await does('continue', 7);
      assert.equal(event.reason, 'exception');
      assert.match(
        event.description ?? '',
        new RegExp(`gradient of ${kind.poisoned}.* is NaN or infinite.*Step 20 `),
      );
      assert.ok(Number(await evaluate(`norm("${kind.poisoned}")`)) > 0);

      const ended = endOf(session);
      await vscode.commands.executeCommand('workbench.action.debug.stop');
      await ended;
      const manifest = await runOf(uri, ({ state }) => state === 'interrupted');
      // Ended by a signal, the manifest may count less than the log has.
      const steps = await (await new RunStore(folder.uri.fsPath).open(manifest.id)).readSteps();
      assert.equal(steps.length, 20);
      assert.match(manifest.recording.notes.join(), /were put back to those of step/);
    });
  }

  for (const [what, { files, file, stepLine, python, module, epoch }] of Object.entries(others)) {
    it(`debugs ${what} from a breakpoint to its end`, async function () {
      if (python && !hasTorch()) this.skip();
      for (const [name, source] of Object.entries(files)) {
        const target = path.join(folder.uri.fsPath, name);
        mkdirSync(path.dirname(target), { recursive: true });
        writeFileSync(target, source);
      }
      const uri = vscode.Uri.file(path.join(folder.uri.fsPath, file));
      const lines = (files[file] ?? '').split('\n');
      breakAt(
        uri,
        lines.findIndex((text) => text.includes(stepLine)),
        'step == 7',
      );
      assert.ok(
        await vscode.debug.startDebugging(folder, {
          type: 'basin',
          request: 'launch',
          name: what,
          ...(module === undefined ? { program: uri.fsPath } : { module }),
        }),
      );
      const { session, reason } = await stop(1);
      assert.equal(reason, 'breakpoint');
      const step = await scope('Step');
      assert.equal(step.get('step'), '7');
      assert.equal(step.get('lr'), '0.2');
      assert.equal(step.get('epoch'), epoch);
      assert.equal((await scope('Optimizer')).get('momentum'), '0.9');
      assert.match(await evaluate('sharpness()'), /^λ₁ [\d.]+, bound 19$/);
      assert.match(await evaluate('loss("train")'), /on \d+ train samples/);
      await does('stepOver', 2);
      assert.equal(await evaluate('step'), '7');
      await does('stepInto', 3);
      assert.equal(await evaluate('step'), '8');

      const ended = endOf(session);
      await vscode.commands.executeCommand('workbench.action.debug.continue');
      await ended;
      const manifest = await runOf(uri, ({ state }) => state === 'finished');
      assert.equal(manifest.recording.steps, 18);
    });
  }

  it('starts without a launch.json, trains on in a new run by its command, and restarts', async () => {
    const { uri } = place(kinds.tfjs);
    await vscode.window.showTextDocument(uri);
    // What VS Code gives where there is no configuration.
    assert.ok(
      await vscode.debug.startDebugging(folder, { type: 'basin' } as unknown as vscode.DebugConfiguration),
    );
    await stop(1);
    await does('stepOver', 2);
    const parent = await runOf(uri, () => true);
    await vscode.commands.executeCommand('basin.trainOn');
    assert.match((await stop(3)).description ?? '', /begins here, at step 1 of run/);
    const child = await runOf(uri, ({ id }) => id !== parent.id);
    assert.deepEqual(child.parent, { run: parent.id, step: 1 });

    stops = [];
    await vscode.commands.executeCommand('workbench.action.debug.restart');
    assert.equal((await stop(1)).reason, 'entry');
    await runOf(uri, ({ id }) => id !== parent.id && id !== child.id);
  });

  it('lives beside the JavaScript debugger: breakpoints in the code and in training', async function () {
    // test/unit/debugger/nodeInspector.test.ts has what is said there instead.
    if (Number.parseInt(process.versions.node) < 22 && /[^ -~]/.test(folder.uri.fsPath)) this.skip();
    const { uri, line } = place(kinds.tfjs);
    const code = TFJS.split('\n').findIndex((text) => text.includes('globalThis.half'));
    breakAt(uri, code, 'step === 5');
    // No name that the script has, so that only one of the two debuggers understands it.
    breakAt(uri, line, 'gradientNorm > 0 && lr > 0 && step == 7');
    assert.ok(
      await vscode.debug.startDebugging(folder, {
        type: 'basin',
        request: 'launch',
        name: 'Both',
        program: uri.fsPath,
        under: 'node',
      }),
    );
    const inCode = await until('a stop in the code', 90, () =>
      Promise.resolve(stops.find(({ session }) => session.type === 'pwa-node') ?? null),
    );
    const { session, threadId = 0 } = inCode;
    const { stackFrames } = (await session.customRequest('stackTrace', { threadId })) as {
      stackFrames: { line: number; source?: { path?: string } }[];
    };
    // A path, or what VS Code has made of it: its address.
    const stoppedIn = stackFrames[0]?.source?.path ?? '';
    assert.ok(
      [stoppedIn, vscode.Uri.parse(stoppedIn).path].some((file) => file.endsWith(uri.fsPath)),
      stoppedIn,
    );
    assert.equal(stackFrames[0]?.line, code + 1);
    await session.customRequest('continue', { threadId });
    assert.equal((await stop(1)).reason, 'breakpoint');
    assert.equal(await evaluate('step'), '7');
    const manifest = await runOf(uri, ({ state }) => state === 'paused' || state === 'training');
    const basin = stops.find((one) => one.session.type === 'basin')?.session;
    assert.ok(basin);
    const ended = endOf(basin);
    await vscode.debug.stopDebugging(basin);
    await ended;
    await until('the end of the process', 30, () => Promise.resolve(isGone(manifest.process?.pid ?? 0)));

    // Left before its first step the script is known to its code debugger alone.
    const early = vscode.Uri.file(path.join(folder.uri.fsPath, 'early.mjs'));
    const noted = path.join(folder.uri.fsPath, 'early.pid');
    writeFileSync(early.fsPath, EARLY);
    let left: vscode.DebugSession | null = null;
    subscriptions.push(
      vscode.debug.onDidReceiveDebugSessionCustomEvent(({ session, event }) => {
        if (event === 'basin.startUnder') left = session;
      }),
    );
    const configuration = { type: 'basin', request: 'launch', name: 'Early', program: early.fsPath };
    void vscode.debug.startDebugging(folder, { ...configuration, under: 'node', env: { NOTED: noted } });
    const pid = await until('the script', 60, () =>
      Promise.resolve(existsSync(noted) ? Number(readFileSync(noted, 'utf8')) : null),
    );
    await vscode.debug.stopDebugging(left ?? undefined);
    await until('the end of a script that never trained', 30, () => Promise.resolve(isGone(pid)));
  });

  it('says what is missing for Python’s code debugger', async () => {
    if (
      vscode.extensions.getExtension('ms-python.debugpy') ??
      vscode.extensions.getExtension('ms-python.python')
    )
      return;
    const { uri } = place(kinds.torch);
    const refused: string[] = [];
    subscriptions.push(
      vscode.debug.registerDebugAdapterTrackerFactory('basin', {
        createDebugAdapterTracker: () => ({
          onDidSendMessage: (message: { command?: string; success?: boolean; body?: unknown }) => {
            if (message.command === 'launch' && message.success === false)
              refused.push(JSON.stringify(message.body));
          },
        }),
      }),
    );
    void vscode.debug.startDebugging(folder, {
      type: 'basin',
      request: 'launch',
      name: 'Both',
      program: uri.fsPath,
      under: 'debugpy',
    });
    const why = await until('the refusal', 60, () => Promise.resolve(refused[0] ?? null));
    assert.match(why, /Install the extension Python Debugger \(ms-python\.debugpy\)/);
  });
});

/** @throws Error on CI, where it has to */
function hasTorch(): boolean {
  const python = process.env.BASIN_TEST_PYTHON;
  if (python && existsSync(python)) return true;
  if (process.env.CI) throw new Error('This test needs a Python with torch, in BASIN_TEST_PYTHON.');
  return false;
}

function isGone(pid: number): true | null {
  try {
    process.kill(pid, 0);
    return null;
  } catch {
    return true;
  }
}
