/** Training under VS Code's own debugger, in the real extension host; runs after the other suites. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import * as vscode from 'vscode';
import { until } from './until.ts';

const SCRIPT = `import torch

torch.manual_seed(0)
x = torch.randn(128, 6)
y = x[:, :3].argmax(1)
net = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3))
optimizer = torch.optim.SGD(net.parameters(), lr=0.2, momentum=0.9)
for _ in range(40):
    optimizer.zero_grad()
    loss = torch.nn.functional.cross_entropy(net(x), y)
    loss.backward()
    optimizer.step()
`;

describe('the debugger', function () {
  this.timeout(180_000);
  let folder: vscode.WorkspaceFolder;
  let file: vscode.Uri;
  const stops: { reason: string; description?: string }[] = [];
  const subscriptions: vscode.Disposable[] = [];

  before(async function () {
    const python = process.env.BASIN_TEST_PYTHON;
    if (!python || !existsSync(python)) {
      if (process.env.CI) throw new Error('This test needs a Python with torch, in BASIN_TEST_PYTHON.');
      this.skip();
    }
    const [first] = vscode.workspace.workspaceFolders ?? [];
    assert.ok(first);
    folder = first;
    file = vscode.Uri.file(path.join(folder.uri.fsPath, 'debugged.py'));
    writeFileSync(file.fsPath, SCRIPT);
    await vscode.workspace
      .getConfiguration()
      .update('basin.pythonPath', python, vscode.ConfigurationTarget.Global);
    await vscode.extensions.getExtension('basin.basin')?.activate();
    subscriptions.push(
      vscode.debug.registerDebugAdapterTrackerFactory('basin', {
        createDebugAdapterTracker: () => ({
          onDidSendMessage: (message: { event?: string; body: { reason: string; description?: string } }) => {
            if (message.event === 'stopped') stops.push(message.body);
          },
        }),
      }),
    );
  });
  after(async () => {
    await vscode.debug.stopDebugging();
    vscode.debug.removeBreakpoints(vscode.debug.breakpoints);
    for (const one of subscriptions) one.dispose();
  });

  const stop = (n: number) => until(`stop ${n}`, 90, () => Promise.resolve(stops[n - 1] ?? null));
  const ask = (command: string, args: object): Thenable<unknown> => {
    const session = vscode.debug.activeDebugSession;
    assert.ok(session, 'there is no debug session');
    return session.customRequest(command, args);
  };
  const evaluate = async (expression: string): Promise<string> =>
    ((await ask('evaluate', { expression, context: 'repl' })) as { result: string }).result;

  it('starts by its command, stops at a condition, steps, goes back, continues to the end', async () => {
    const line = SCRIPT.split('\n').findIndex((text) => text.includes('optimizer.step()'));
    vscode.debug.addBreakpoints([
      new vscode.SourceBreakpoint(new vscode.Location(file, new vscode.Position(line, 0)), true, 'step == 7'),
    ]);
    await vscode.window.showTextDocument(file);
    await vscode.commands.executeCommand('basin.debug', file);
    assert.equal((await stop(1)).reason, 'entry');
    await vscode.commands.executeCommand('workbench.action.debug.continue');
    assert.equal((await stop(2)).reason, 'breakpoint');
    assert.equal(await evaluate('step'), '7');
    assert.match(await evaluate('sharpness()'), /^λ₁ [\d.]+, bound 19$/);
    await vscode.commands.executeCommand('workbench.action.debug.stepOver');
    await stop(3);
    assert.equal(await evaluate('step'), '7');
    await vscode.commands.executeCommand('workbench.action.debug.stepInto');
    await stop(4);
    assert.equal(await evaluate('step'), '8');
    await vscode.commands.executeCommand('workbench.action.debug.stepOver');
    await stop(5);
    // The checkpoint of the last stop between two steps.
    await vscode.commands.executeCommand('workbench.action.debug.stepBack');
    assert.match((await stop(6)).description ?? '', /Back at the weights of step 8.*random stream of torch/);

    const session = vscode.debug.activeDebugSession;
    const ended = new Promise<void>((resolve) => {
      subscriptions.push(vscode.debug.onDidTerminateDebugSession((s) => s === session && resolve()));
    });
    await vscode.commands.executeCommand('workbench.action.debug.continue');
    await ended;
    const runs = path.join(folder.uri.fsPath, '.basin/runs');
    const manifest = await until('its run', 30, async () => {
      const { RunStore } = await import('../../src/runs/runStore.ts');
      const found = (await new RunStore(folder.uri.fsPath).list()).find(
        (e) => e.manifest?.script === file.fsPath,
      );
      return found?.manifest?.state === 'finished' ? found.manifest : null;
    });
    assert.equal(manifest.recording.steps, 40);
    assert.match(
      readFileSync(path.join(runs, manifest.id, 'run.json'), 'utf8'),
      /were put back to those of step/,
    );
  });
});
