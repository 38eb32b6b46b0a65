/** A client of the debug adapter, as an editor is one, in a workspace with a training script in either framework. */
import { cpSync, existsSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { DebugClient } from '@vscode/debugadapter-testsupport';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { installedProbes } from '../../../src/evaluators/probes.ts';
import { launchTraining, type Training } from '../../../src/evaluators/training.ts';
import { makeWorkspace, type Workspace } from '../../fixtures/runs.ts';
import { testPython } from '../../harness/requires.ts';

const repository = fileURLToPath(new URL('../../..', import.meta.url));
export const adapterFile = path.join(repository, 'dist/debugAdapter.cjs');

const PYTHON = `import os
import sys
import torch


def leave():
    raise SystemExit(3)


torch.manual_seed(0)
x = torch.randn(96, 6)
y = x[:, :3].argmax(1)
net = torch.nn.Sequential(torch.nn.Linear(6, 12), torch.nn.Tanh(), torch.nn.Linear(12, 12), torch.nn.Tanh(), torch.nn.Linear(12, 3))
optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
for step in range(int(os.environ.get("STEPS", 40))):
    optimizer.zero_grad()
    torch.nn.functional.cross_entropy(net(x), y).backward()
    if step == int(os.environ.get("PLANT_NAN", -1)):
        net[4].weight.grad[0, 0] = float("nan")
    optimizer.step()
    if step == int(os.environ.get("SAY", -1)):
        print("here")
    if step == int(os.environ.get("FAIL", -1)):
        how = os.environ["HOW"]
        if how == "throw":
            raise ValueError("the data ran out")
        if how == "memory":
            bytearray(2**62)
        if how == "hard exit":
            os._exit(3)
        if how == "builtin exit":
            exit(3)
        if how == "raised exit":
            raise SystemExit(3)
        if how == "deep exit":
            leave()
        if how == "caught exit":
            try:
                sys.exit(3)
            except SystemExit:
                continue
        sys.exit(3)
print("trained")
`;

export type Framework = 'tfjs' | 'torch';

/** The line that takes the step, by framework. */
export const stepLine = {
  tfjs: 23,
  torch: 1 + PYTHON.split('\n').findIndex((line) => line.includes('optimizer.step()')),
} as const;

/** The parameter of the third layer, in whose gradient PLANT_NAN=k plants a NaN. */
export const third = { tfjs: 'third', torch: '4.weight' } as const;

export interface DebuggedWorkspace extends Workspace {
  readonly programs: Readonly<Record<Framework, string>>;
}

export async function makeDebuggedWorkspace(): Promise<DebuggedWorkspace> {
  const workspace = await makeWorkspace();
  const programs = {
    tfjs: path.join(workspace.root, 'train mé.mjs'),
    torch: path.join(workspace.root, 'train mé.py'),
  };
  cpSync(path.join(repository, 'test/fixtures/scripts/debugged.mjs'), programs.tfjs);
  writeFileSync(programs.torch, PYTHON);
  if (!existsSync(path.join(workspace.root, 'node_modules')))
    symlinkSync(path.join(repository, 'node_modules'), path.join(workspace.root, 'node_modules'));
  return { ...workspace, programs };
}

const SLOW = {
  tfjs: `import { existsSync } from 'node:fs';
while (!existsSync(process.env.GO)) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
await import(process.env.THEN);
`,
  torch: `import os
import runpy
import time

while not os.path.exists(os.environ["GO"]):
    time.sleep(0.02)
runpy.run_path(os.environ["THEN"], run_name="__main__")
`,
};

/** A script that trains, as the workspace's own does, once there is a file: its program, and the environment that it needs. */
export function slowly(
  workspace: DebuggedWorkspace,
  framework: Framework,
  go: string,
): { readonly program: string; readonly env: Readonly<Record<string, string>> } {
  const program = path.join(workspace.root, framework === 'tfjs' ? 'slow.mjs' : 'slow.py');
  writeFileSync(program, SLOW[framework]);
  return { program, env: { GO: go, THEN: workspace.programs[framework] } };
}

/** The same as a run that no debugger has started. */
export function startSlowly(
  workspace: DebuggedWorkspace,
  framework: Framework,
  go: string,
): Promise<Training> {
  const { program, env } = slowly(workspace, framework, go);
  return launchTraining({
    store: workspace.store,
    command: [framework === 'tfjs' ? process.execPath : testPython(), program],
    cwd: workspace.root,
    environment: { ...process.env, ...env, STEPS: '100000' },
    probes: installedProbes(path.dirname(adapterFile)),
    version: '0.0.0',
    stdio: 'ignore',
  });
}

export interface Settings {
  readonly launch?: object;
  readonly breakpoints?: DebugProtocol.SourceBreakpoint[];
  /** The file that these are in; the workspace's own script by default. */
  readonly source?: string;
  readonly filters?: string[];
}

const thread = { threadId: 1 };
type Variables = ReadonlyMap<string, DebugProtocol.Variable>;

export class Client extends DebugClient {
  readonly output: string[] = [];
  private abandoned = false;

  private constructor(
    private readonly workspace: DebuggedWorkspace,
    file: string,
  ) {
    super(process.execPath, file, 'basin');
    this.defaultTimeout = 90_000;
    this.on('output', (event: DebugProtocol.OutputEvent) => this.output.push(event.body.output));
  }

  /** @param file the adapter, or what starts it */
  static async open(workspace: DebuggedWorkspace, file = adapterFile): Promise<Client> {
    const client = new Client(workspace, file);
    await client.start();
    await client.initializeRequest({ adapterID: 'basin', linesStartAt1: true, pathFormat: 'path' });
    return client;
  }

  /** Of an adapter that has been killed, which answers no good-bye. */
  abandon(): void {
    this.abandoned = true;
  }

  override async stop(): Promise<void> {
    if (!this.abandoned) await super.stop();
  }

  /** To the end of the configuration; the script runs from then on. */
  async begin(
    framework: Framework,
    { launch = {}, breakpoints = [], source, filters = [] }: Settings = {},
  ): Promise<void> {
    const program = this.workspace.programs[framework];
    const launched = this.launchRequest({
      program,
      root: this.workspace.root,
      runtime: framework === 'tfjs' ? process.execPath : testPython(),
      ...launch,
    } as DebugProtocol.LaunchRequestArguments);
    await this.setBreakpointsRequest({ source: { path: source ?? program }, breakpoints });
    await this.setExceptionBreakpointsRequest({ filters });
    await launched;
    await this.configurationDoneRequest();
  }

  async join(configuration: object): Promise<void> {
    await this.attachRequest({
      root: this.workspace.root,
      ...configuration,
    } as DebugProtocol.AttachRequestArguments);
    await this.configurationDoneRequest();
  }

  /** The next stop that what is done leads to. */
  async halt(does: Promise<unknown> | (() => Promise<unknown>)): Promise<DebugProtocol.StoppedEvent['body']> {
    const stopped = this.waitForEvent('stopped');
    await Promise.all([typeof does === 'function' ? does() : does, stopped]);
    return ((await stopped) as DebugProtocol.StoppedEvent).body;
  }

  over = (): Promise<DebugProtocol.StoppedEvent['body']> => this.halt(() => this.nextRequest(thread));
  into = (): Promise<DebugProtocol.StoppedEvent['body']> => this.halt(() => this.stepInRequest(thread));
  back = (): Promise<DebugProtocol.StoppedEvent['body']> => this.halt(() => this.stepBackRequest(thread));
  go = (): Promise<DebugProtocol.StoppedEvent['body']> => this.halt(() => this.continueRequest(thread));

  /** Rejects with the next thing that the adapter complains of. */
  async trouble(): Promise<never> {
    const said = (text: DebugProtocol.OutputEvent): boolean => text.body.category === 'important';
    return new Promise((_, reject) =>
      this.on('output', (event: DebugProtocol.OutputEvent) => {
        if (said(event)) reject(new Error(event.body.output));
      }),
    );
  }

  /** Continues until the session is over. */
  async finish(): Promise<void> {
    const ended = this.waitForEvent('terminated');
    await this.continueRequest(thread);
    await ended;
  }

  async evaluate(expression: string, context = 'repl'): Promise<string> {
    const { stackFrames } = (await this.stackTraceRequest(thread)).body;
    const frameId = stackFrames[0]?.id;
    return (
      await this.evaluateRequest({ expression, context, ...(frameId === undefined ? {} : { frameId }) })
    ).body.result;
  }

  async unfold(variablesReference: number): Promise<Variables> {
    const { variables } = (await this.variablesRequest({ variablesReference })).body;
    return new Map(variables.map((v) => [v.name, v]));
  }

  async variables(scope: string): Promise<Variables> {
    const { stackFrames } = (await this.stackTraceRequest(thread)).body;
    const { scopes } = (await this.scopesRequest({ frameId: stackFrames[0]?.id ?? 0 })).body;
    const found = scopes.find(({ name }) => name === scope);
    return found === undefined ? new Map() : this.unfold(found.variablesReference);
  }

  /** Of a parameter, by name. */
  async numbers(parameter: string): Promise<Variables> {
    for (const layer of (await this.variables('Parameters')).values()) {
      const found = (await this.unfold(layer.variablesReference)).get(parameter);
      if (found !== undefined) return this.unfold(found.variablesReference);
    }
    throw new Error(`There is no parameter ${parameter}.`);
  }

  /** The run that is debugged. */
  async runId(): Promise<string> {
    return (await this.variables('Run')).get('id')?.value ?? '';
  }
}
