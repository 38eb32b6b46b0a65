/** A script under debugpy, driven through its own adapter as an editor does, and under Basin's: breakpoints of both. */
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { DebugClient } from '@vscode/debugadapter-testsupport';
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { UnderRequest } from '../../../src/debugger/debuggedRun.ts';
import { configurationOf } from '../../../src/surface/codeDebuggerConfiguration.ts';
import { debugpyPath, needs, testPython } from '../../harness/requires.ts';
import { stepLine } from './client.ts';
import { debugging } from './debugging.ts';

describe('a script under debugpy', function () {
  this.timeout(180_000);
  const on = debugging();
  let code: DebugClient;

  before(function () {
    needs(this, 'torch');
    needs(this, 'debugpy');
  });
  beforeEach(async () => {
    code = new DebugClient(testPython(), path.join(debugpyPath(), 'debugpy/adapter'), 'debugpy');
    code.defaultTimeout = 90_000;
    await code.start();
  });
  afterEach(() => code.stop());

  /** What the editor does with Basin's wish to have a script started: a launch with a breakpoint. */
  async function startUnder(request: UnderRequest, file: string, line: number): Promise<void> {
    await code.initializeRequest({ adapterID: 'debugpy', linesStartAt1: true, pathFormat: 'path' });
    const initialized = code.waitForEvent('initialized');
    const launched = code.launchRequest(
      configurationOf(request, 'Both') as DebugProtocol.LaunchRequestArguments,
    );
    await initialized;
    await code.setBreakpointsRequest({ source: { path: file }, breakpoints: [{ line }] });
    await code.configurationDoneRequest();
    await launched;
  }

  for (const how of ['script', 'module of a package'] as const)
    it(`stops at breakpoints in the code and in training (${how})`, async () => {
      const script = on.workspace.programs.torch;
      const packaged = path.join(on.workspace.root, 'packaged', 'train.py');
      mkdirSync(path.dirname(packaged), { recursive: true });
      copyFileSync(script, packaged);
      writeFileSync(path.join(packaged, '../__init__.py'), '');
      const [file, what] =
        how === 'script'
          ? [script, { program: script }]
          : [packaged, { program: undefined, module: 'packaged.train' }];
      const says = stepLine.torch + 2;
      on.client.on('basin.startUnder', ({ body }: { body: UnderRequest }) => {
        startUnder(body, file, says).catch((error: unknown) =>
          on.client.customRequest('basin.underEnded', { error: String(error) }),
        );
      });
      code.on('terminated', () => void on.client.customRequest('basin.underEnded'));
      const env = { SAY: '5', STEPS: '12' };
      const { reason, description } = await on.client.halt(
        on.client.begin('torch', {
          launch: { under: 'debugpy', env, ...what },
          source: file,
          breakpoints: [{ line: stepLine.torch, condition: 'step == 3' }],
        }),
      );
      assert.equal(reason, 'breakpoint');
      assert.match(description ?? '', /step == 3 at step 3/);

      const inCode = code.waitForEvent('stopped') as Promise<DebugProtocol.StoppedEvent>;
      await on.client.continueRequest({ threadId: 1 });
      const { body } = await inCode;
      assert.equal(body.reason, 'breakpoint');
      const thread = { threadId: body.threadId ?? 0 };
      const [frame] = (await code.stackTraceRequest(thread)).body.stackFrames;
      assert.equal(frame?.line, says);
      const { result } = (await code.evaluateRequest({ expression: 'step', frameId: frame.id })).body;
      assert.equal(result, '5');

      const ended = on.client.waitForEvent('terminated');
      await code.continueRequest(thread);
      await ended;
      assert.match(on.client.output.join(''), /finished: 12 steps/);
    });
});
