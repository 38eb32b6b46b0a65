/** The debug adapter as a client of the protocol sees it, over real training processes of TensorFlow.js. */
import assert from 'node:assert/strict';
import { cpSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { DebugClient } from '@vscode/debugadapter-testsupport';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { makeWorkspace, type Workspace } from '../../fixtures/runs.ts';
import { needs } from '../../harness/requires.ts';

const repository = fileURLToPath(new URL('../../..', import.meta.url));
const adapter = path.join(repository, 'dist/debugAdapter.cjs');

describe('the debug adapter', function () {
  this.timeout(120_000);
  let workspace: Workspace;
  let client: DebugClient;
  let program = '';

  before(async function () {
    needs(this, 'bundles');
    workspace = await makeWorkspace();
    program = path.join(workspace.root, 'train mé.mjs');
    cpSync(path.join(repository, 'test/fixtures/scripts/debugged.mjs'), program);
    symlinkSync(path.join(repository, 'node_modules'), path.join(workspace.root, 'node_modules'));
  });
  after(() => workspace.remove());
  beforeEach(async () => {
    client = new DebugClient(process.execPath, adapter, 'basin');
    client.defaultTimeout = 60_000;
    await client.start();
  });
  afterEach(() => client.stop());

  /** The line that takes the step. */
  const STEP_LINE = 23;

  interface Settings {
    readonly launch?: object;
    readonly breakpoints?: DebugProtocol.SourceBreakpoint[];
    readonly filters?: string[];
  }

  async function launch({ launch: more = {}, breakpoints = [], filters = [] }: Settings = {}): Promise<void> {
    await client.initializeRequest({ adapterID: 'basin', linesStartAt1: true, pathFormat: 'path' });
    const launched = client.launchRequest({
      program,
      root: workspace.root,
      runtime: process.execPath,
      ...more,
    } as DebugProtocol.LaunchRequestArguments);
    await client.setBreakpointsRequest({ source: { path: program }, breakpoints });
    await client.setExceptionBreakpointsRequest({ filters });
    await launched;
    await client.configurationDoneRequest();
  }

  const stopped = () => client.waitForEvent('stopped') as Promise<DebugProtocol.StoppedEvent>;
  const thread = { threadId: 1 };

  async function variables(scope: string): Promise<Map<string, DebugProtocol.Variable>> {
    const { stackFrames } = (await client.stackTraceRequest(thread)).body;
    const { scopes } = (await client.scopesRequest({ frameId: stackFrames[0]!.id })).body;
    const { variablesReference } = scopes.find(({ name }) => name === scope)!;
    return unfold(variablesReference);
  }
  async function unfold(variablesReference: number): Promise<Map<string, DebugProtocol.Variable>> {
    const { variables: list } = (await client.variablesRequest({ variablesReference })).body;
    return new Map(list.map((v) => [v.name, v]));
  }
  const evaluate = async (expression: string): Promise<string> =>
    (await client.evaluateRequest({ expression, context: 'repl' })).body.result;

  it('stops on entry, steps, steps into a step, out of an epoch, and ends with the script', async () => {
    const entry = stopped();
    await launch({ launch: { stopOnEntry: true } });
    assert.equal((await entry).body.reason, 'entry');
    const { stackFrames } = (await client.stackTraceRequest(thread)).body;
    assert.match(stackFrames[0]!.name, /^step 0 · loss .* gradient not applied$/);
    assert.equal(stackFrames[0]!.source?.path, program);
    assert.equal(stackFrames[0]!.line, STEP_LINE);
    assert.match(stackFrames.at(-1)!.name, /^run /);
    assert.equal((await variables('Step')).get('lr')!.value, '0.1', 'before the first update');
    assert.equal((await variables('Optimizer')).get('name')!.value, 'Momentum');

    // A key that is held down repeats.
    const stops: DebugProtocol.StoppedEvent['body'][] = [];
    client.on('stopped', ({ body }: DebugProtocol.StoppedEvent) => stops.push(body));
    let next = stopped();
    await Promise.all([1, 2, 3].map(() => client.nextRequest(thread)));
    await next;
    assert.deepEqual(
      stops.map(({ description }) => description),
      ['After 1 steps.'],
    );
    const step = await variables('Step');
    assert.equal(step.get('step')!.value, '0');
    assert.equal(step.get('lr')!.value, '0.1');

    next = stopped();
    await client.stepInRequest(thread);
    await next;
    assert.equal((await variables('Step')).get('step')!.value, '1');
    const layers = await variables('Parameters');
    const [layer] = [...layers.values()];
    const parameters = await unfold(layer!.variablesReference);
    const [kernel] = [...parameters.values()];
    const statistics = await unfold(kernel!.variablesReference);
    assert.ok(Number(statistics.get('gradient norm')!.value) > 0);
    assert.equal(
      await evaluate(statistics.get('gradient norm')!.evaluateName!),
      statistics.get('gradient norm')!.value,
    );
    assert.equal(await evaluate(`norm("${kernel!.name}")`), statistics.get('norm')!.value);
    assert.equal((await variables('Optimizer')).get('name')!.value, 'Momentum');

    next = stopped();
    await client.stepInRequest(thread);
    await next;
    assert.match(
      (await client.stackTraceRequest(thread)).body.stackFrames[0]!.name,
      /^step 1 · loss [\d.]+$/,
    );

    const ended = client.waitForEvent('terminated');
    const exited = client.waitForEvent('exited') as Promise<DebugProtocol.ExitedEvent>;
    // To go on while a step is on its way is to go on behind it.
    stops.length = 0;
    await Promise.all([client.nextRequest(thread), client.continueRequest(thread)]);
    await ended;
    assert.equal((await exited).body.exitCode, 0);
    assert.deepEqual(stops, []);
  });

  it('stops where a condition holds, says logpoints, and counts hits', async () => {
    const outputs: string[] = [];
    client.on('output', (event: DebugProtocol.OutputEvent) => outputs.push(event.body.output));
    const first = stopped();
    await launch({
      breakpoints: [
        { line: STEP_LINE, condition: 'step == 12 && loss < 100' },
        { line: STEP_LINE, hitCondition: '% 10', logMessage: 'step {step}, twice the loss {2 * loss}' },
      ],
    });
    const { body } = await first;
    assert.equal(body.reason, 'breakpoint');
    assert.equal((await variables('Step')).get('step')!.value, '12');
    assert.match(outputs.join(''), /^step 9, twice the loss [\d.]+$/m);
    assert.match(await evaluate('sharpness()'), /^λ₁ [\d.]+, bound 38$/);
    assert.match(await evaluate('loss("train")'), /^[\d.]+ on 96 train samples$/);
    assert.equal(await evaluate('lr * 2'), '0.2');
    assert.match(await evaluate('line(0, "last")'), /barrier/);
    await assert.rejects(
      client.evaluateRequest({ expression: 'process.exit(1)' }),
      /there is no such function/,
    );
    await assert.rejects(
      client.evaluateRequest({ expression: 'los', context: 'repl' }),
      /no value los.*There are step/,
    );

    // A breakpoint that is set while training stands.
    const { breakpoints } = (
      await client.setBreakpointsRequest({
        source: { path: program },
        breakpoints: [
          { line: STEP_LINE, condition: 'step >= 20' },
          { line: 3 },
          { line: STEP_LINE, condition: 'loss >' },
        ],
      })
    ).body;
    assert.deepEqual(
      breakpoints.map((b) => b.verified),
      [true, false, false],
    );
    assert.match(breakpoints[1]!.message!, new RegExp(`line ${STEP_LINE}`));
    assert.match(breakpoints[2]!.message!, /not an expression/);
    const second = stopped();
    await client.continueRequest(thread);
    await second;
    assert.equal((await variables('Step')).get('step')!.value, '20');
    const ended = client.waitForEvent('terminated');
    await client.terminateRequest({});
    await ended;
  });

  it('stops before the update that would spread a NaN, and names the parameter', async () => {
    const stop = stopped();
    await launch({ launch: { env: { PLANT_NAN: '17' } }, filters: ['non-finite'] });
    const { body } = await stop;
    assert.equal(body.reason, 'exception');
    const info = (await client.exceptionInfoRequest(thread)).body;
    assert.match(info.description!, /third.*is NaN or infinite\. Step 17 has not been applied/);
    assert.equal((await variables('Step')).get('step')!.value, '17');
    const layers = await variables('Parameters');
    for (const layer of layers.values())
      for (const parameter of (await unfold(layer.variablesReference)).values())
        assert.ok(Number.isFinite(Number((await unfold(parameter.variablesReference)).get('norm')!.value)));
    await client.disconnectRequest({ terminateDebuggee: true });
  });

  it('stops at a loss spike when it is more than one batch', async () => {
    const stop = stopped();
    await launch({ launch: { env: { SPIKE: '30' } }, filters: ['loss-spike'] });
    assert.equal((await stop).body.reason, 'exception');
    const { description } = (await client.exceptionInfoRequest(thread)).body;
    assert.match(description!, /^Loss spike at step 30: up to /);
    assert.equal((await variables('Step')).get('step')!.value, '32');
    await client.disconnectRequest({ terminateDebuggee: true });
  });

  it('steps back, with what it could put back and what not', async () => {
    const first = stopped();
    await launch({ breakpoints: [{ line: STEP_LINE, condition: 'step == 6' }] });
    await first;
    let next = stopped();
    await client.nextRequest(thread);
    await next;
    next = stopped();
    await client.nextRequest(thread);
    await next;
    const there = await evaluate('norm("third")');
    next = stopped();
    await client.stepBackRequest(thread);
    const { body } = await next;
    assert.match(
      body.description!,
      /Back at the weights of step 7: weights, the optimizer's state\. Not put back: .*position in the data/,
    );
    const back = await evaluate('norm("third")');
    assert.notEqual(back, there);
    assert.equal((await variables('Step')).get('weights')!.value, 'those of step 7');
    await client.disconnectRequest({ terminateDebuggee: true });
  });

  it('watches the norm of a parameter', async () => {
    const first = stopped();
    await launch({ launch: { stopOnEntry: true } });
    await first;
    const info = (await client.dataBreakpointInfoRequest({ name: 'third' })).body;
    assert.equal(info.dataId, 'third');
    const norm = Number(await evaluate('norm("third")'));
    const { breakpoints } = (
      await client.setDataBreakpointsRequest({
        breakpoints: [{ dataId: 'third', condition: `${norm - 1e-3}..${norm + 1e-3}` }],
      })
    ).body;
    assert.ok(breakpoints[0]!.verified);
    const next = stopped();
    await client.continueRequest(thread);
    const { body } = await next;
    assert.equal(body.reason, 'data breakpoint');
    assert.match(body.description!, /The norm of third is/);
    await client.disconnectRequest({ terminateDebuggee: true });
  });

  it('pauses, detaches and leaves training alone; attaches to a run that lives', async () => {
    await launch({ launch: { env: { STEPS: '100000' }, whenGone: 'continue' } });
    const stop = stopped();
    await client.pauseRequest(thread);
    assert.equal((await stop).body.reason, 'pause');
    const at = Number((await variables('Step')).get('step')!.value);
    const run = (await variables('Run')).get('id')!.value;
    await client.disconnectRequest({ terminateDebuggee: false });
    await client.stop();

    client = new DebugClient(process.execPath, adapter, 'basin');
    client.defaultTimeout = 60_000;
    await client.start();
    await client.initializeRequest();
    const attachedStop = stopped();
    await client.attachRequest({ run, root: workspace.root } as DebugProtocol.AttachRequestArguments);
    await client.configurationDoneRequest();
    await attachedStop;
    assert.ok(Number((await variables('Step')).get('step')!.value) >= at);
    // Attached, a client that leaves leaves the process alone; this one ends it for good.
    const { pid } = JSON.parse(await evaluatePid(workspace.root, run)) as { pid: number };
    process.kill(pid, 'SIGKILL');
    await client.waitForEvent('terminated');
  });

  it('says why a script that never trains cannot be debugged, and what a launch lacks', async () => {
    await client.initializeRequest();
    await assert.rejects(client.launchRequest({ noDebug: false }), /names no program/);
    await client.stop();
    client = new DebugClient(process.execPath, adapter, 'basin');
    client.defaultTimeout = 60_000;
    await client.start();
    await client.initializeRequest();
    const settings = {
      program: path.join(workspace.root, 'nothing.mjs'),
      root: workspace.root,
      runtime: process.execPath,
    };
    await assert.rejects(
      client.launchRequest(settings as DebugProtocol.LaunchRequestArguments),
      /There is no .*nothing\.mjs.*Check its name/,
    );
  });

  it('answers requests that come in a wrong order or are unknown with an error', async () => {
    await client.initializeRequest();
    await assert.rejects(client.nextRequest(thread), /Launch or attach first/);
    await assert.rejects(client.evaluateRequest({ expression: '1' }), /Launch or attach first/);
    await assert.rejects(client.customRequest('frobnicate'), /no request "frobnicate"/);
    assert.deepEqual((await client.stackTraceRequest(thread)).body.stackFrames, []);
    await assert.rejects(client.pauseRequest(thread), /Launch or attach first/);
    await assert.rejects(client.stepBackRequest(thread), /Launch or attach first/);
    await assert.rejects(client.send('nonsense', {}), /no request "nonsense"/);
    assert.deepEqual((await client.scopesRequest({ frameId: 7 })).body.scopes, []);
    assert.deepEqual((await client.variablesRequest({ variablesReference: 99 })).body.variables, []);
  });

  it('answers arguments that are wrong with what they should be, and goes on', async () => {
    await client.initializeRequest();
    const malformed: readonly [string, object | undefined, RegExp][] = [
      ['evaluate', undefined, /evaluate needs "expression", a text/],
      ['evaluate', { expression: 3 }, /needs "expression"/],
      ['variables', { variablesReference: 'x' }, /needs "variablesReference", a number/],
      ['setBreakpoints', {}, /needs "source", an object/],
      [
        'setBreakpoints',
        { source: { path: program }, breakpoints: [null] },
        /needs "breakpoints", a list of objects/,
      ],
      ['setExceptionBreakpoints', { filters: 'all' }, /needs "filters", a list of texts/],
      ['setDataBreakpoints', {}, /needs "breakpoints", a list/],
      ['launch', { program, under: 'gdb' }, /"under" cannot be "gdb"/],
    ];
    for (const [command, given, expected] of malformed)
      await assert.rejects(client.send(command, given), expected, `${command} ${JSON.stringify(given)}`);
    await client.stop();
    client = new DebugClient(process.execPath, adapter, 'basin');
    client.defaultTimeout = 60_000;
    await client.start();
    const first = stopped();
    await launch({ launch: { stopOnEntry: true } });
    await first;
    await assert.rejects(
      client.launchRequest({ program } as DebugProtocol.LaunchRequestArguments),
      /has its training already/,
    );
    assert.equal(await evaluate('step'), '0', 'the session is none the worse for it');
    await client.disconnectRequest({ terminateDebuggee: true });
  });

  it('shows the model, the loss and the learning rate to a hover, and starts no analysis for one', async () => {
    const first = stopped();
    await launch({ launch: { stopOnEntry: true } });
    await first;
    const hover = async (expression: string): Promise<string> =>
      (await client.evaluateRequest({ expression, context: 'hover' })).body.result;
    assert.match(await hover('model'), /^loss: 252 numbers in 3 parameters, norm [\d.]+, 0 from start$/);
    assert.match(await hover('loss'), /^[\d.]+$/);
    assert.equal(await hover('learning_rate'), await hover('lr'));
    await assert.rejects(hover('contour()'), /no such function/);
    // What is watched is asked for again at every stop: it changes nothing.
    const watch = async (expression: string): Promise<string> =>
      (await client.evaluateRequest({ expression, context: 'watch' })).body.result;
    assert.equal(await watch('norm("third")'), await evaluate('norm("third")'));
    const opened: string[] = [];
    client.on('basin.result', ({ body }: DebugProtocol.Event) =>
      opened.push((body as { kind: string }).kind),
    );
    assert.match(await watch('line(0)'), /^There is no barrier/);
    assert.deepEqual(opened, [], 'no lens is opened by what is watched');
    await evaluate('line(0)');
    assert.deepEqual(opened, ['line']);
    const run = (await variables('Run')).get('id')!.value;
    for (const changing of ['trainOn()', '1 + snapshot()'])
      await assert.rejects(watch(changing), /changes something.*Call it in the debug console/);
    assert.equal((await variables('Run')).get('id')!.value, run);
    await client.disconnectRequest({ terminateDebuggee: true });
  });
});

async function evaluatePid(root: string, run: string): Promise<string> {
  const { readFile } = await import('node:fs/promises');
  const manifest = JSON.parse(await readFile(path.join(root, '.basin/runs', run, 'run.json'), 'utf8')) as {
    process: object;
  };
  return JSON.stringify(manifest.process);
}
