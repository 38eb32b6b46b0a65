/** The Debug Adapter Protocol over a {@link TrainingSession}: turns requests into its calls, and its stops into events. */
import {
  BreakpointEvent,
  DebugSession,
  ExitedEvent,
  InitializedEvent,
  OutputEvent,
  Response,
  Scope as ProtocolScope,
  Source,
  StoppedEvent,
  TerminatedEvent,
  Thread,
  Handles,
} from '@vscode/debugadapter';
import type { DebugProtocol } from '@vscode/debugprotocol';
import path from 'node:path';
import { BasinError, isCancelled, isCancelledOrEnded, sentenceOf } from '../protocol/errors.ts';
import type { Run } from '../runs/run.ts';
import { shown } from './breakpoints.ts';
import { consoleFunctions, evaluateInConsole, type Laboratory } from './console.ts';
import type { AttachConfiguration, LaunchConfiguration, SharedConfiguration } from './configuration.ts';
import { CONFIGURED, configuredStops } from './configuredStops.ts';
import {
  attachTo,
  launch,
  type Installed,
  type Client,
  type Frozen,
  type OwnProcess,
  type Training,
} from './debuggedRun.ts';
import { eventFilters, type TrainingEvent } from './events.ts';
import { valueNames } from './stepValues.ts';
import { complaint } from './requests.ts';
import { Placing } from './placing.ts';
import { SnapshotWalk } from './snapshotWalk.ts';
import type { DebugTarget, Helpers, SessionListener, Stop } from './target.ts';
import { TrainingSession } from './trainingSession.ts';
import { scopes, type ScopeOf, type Variable } from './variables.ts';

/** Training is one thing that goes on: DAP wants it to be a thread. */
const THREAD = 1;

const stopWords: Readonly<Record<Stop['reason'], string>> = {
  entry: 'entry',
  pause: 'pause',
  step: 'step',
  epoch: 'step',
  breakpoint: 'breakpoint',
  data: 'data breakpoint',
  event: 'exception',
  back: 'step',
  branch: 'step',
  ended: 'step',
  failed: 'exception',
};

interface Beginning {
  readonly kind: 'launch' | 'attach';
  readonly cancel: () => void;
  /** Settles when it has succeeded, or has failed and left no process behind; never rejects. */
  readonly over: Promise<unknown>;
}

/** Requests about training, which there is none of any more when the session is over. */
const aboutTraining: ReadonlySet<string> = new Set([
  ...['continue', 'next', 'stepIn', 'stepOut', 'stepBack', 'reverseContinue', 'pause', 'basin.trainOn'],
  ...['stackTrace', 'scopes', 'variables', 'evaluate', 'exceptionInfo', 'basin.snapshot'],
  ...['dataBreakpointInfo', 'setDataBreakpoints'],
]);

/** Requests that this adapter does not know how to do, where the base class would say that it had done them. */
const refusals: Readonly<Record<string, string>> = {
  restart: 'Training is restarted by ending this session and launching the script again.',
  restartFrame: 'A step that is done is not taken again: step back, and train on from there.',
  goto: 'Training goes from step to step: step back, or set a breakpoint with a condition such as step == 500.',
  gotoTargets: 'Training goes from step to step: there is no other place to go to.',
  setVariable: 'The values of a step are looked at and not changed: looking never changes training.',
  setExpression: 'The values of a step are looked at and not changed: looking never changes training.',
  setFunctionBreakpoints:
    'Training is stopped at the line that takes the step; functions are the code debugger’s.',
  setInstructionBreakpoints: 'Training is stopped at the line that takes the step; instructions are not.',
  stepInTargets: 'A step has one inside: its gradient before it is applied.',
  terminateThreads: 'Training is one thread: end the session to end it.',
  loadedSources: 'Sources are the code debugger’s.',
  source: 'Sources are the code debugger’s.',
  readMemory: 'Memory is the code debugger’s.',
  writeMemory: 'Memory is the code debugger’s.',
  disassemble: 'Instructions are the code debugger’s.',
  breakpointLocations: 'Training is stopped at the line that takes the step.',
  cancel: 'Requests of this debugger cannot be cancelled.',
};

export class TrainingDebugAdapter extends DebugSession {
  #session: DebugTarget | null = null;
  #own: OwnProcess | null = null;
  /** Launch and attach come once; a second try after one that has failed is welcome. */
  #begun = false;
  /** A launch or attach that is under way. */
  #beginning: Beginning | null = null;
  #root = '';
  #clientName = '';
  #stopOnEntry = false;
  /** Whether the session drives its process: it waits for the end of the configuration. */
  #started = false;
  #configured: () => void = () => undefined;
  readonly #configuration = new Promise<void>((resolve) => (this.#configured = resolve));
  #lastStop: Stop | null = null;
  #ended = false;
  /** A step that was asked for is on its way: it stops by itself. */
  #stepping = false;
  /** Training is to go on from where that step ends. */
  #goesOn = false;
  readonly #placing = new Placing((one) => this.sendEvent(new BreakpointEvent('changed', one)));
  readonly #variables = new Handles<() => Promise<Variable[]>>();
  #scopes: readonly ScopeOf[] = [];
  #leaving = false;
  /** Settles the wait for the client's code debugger. */
  #under: { readonly ended: () => void; readonly failed: (error: Error) => void } | null = null;

  constructor(
    private readonly installed: Installed,
    private readonly laboratory: Laboratory,
  ) {
    super();
    this.setDebuggerLinesStartAt1(true);
    this.setDebuggerColumnsStartAt1(true);
  }

  protected override dispatchRequest(request: DebugProtocol.Request): void {
    const refusal = Object.hasOwn(refusals, request.command) ? refusals[request.command] : undefined;
    const wrong = refusal ?? complaint(request) ?? this.#overFor(request);
    if (wrong === null) {
      super.dispatchRequest({ ...request, arguments: (request.arguments as object | undefined) ?? {} });
      return;
    }
    this.sendErrorResponse(new Response(request), { id: 2, format: wrong, showUser: false });
  }

  #overFor({ command }: DebugProtocol.Request): string | null {
    return this.#ended && aboutTraining.has(command)
      ? 'The session is over: its training process has ended, or was let go. Start it again, or attach to its run.'
      : null;
  }

  // ---- what the client and this adapter can do ---------------------------------------------------------------------
  protected override initializeRequest(
    response: DebugProtocol.InitializeResponse,
    { clientName }: DebugProtocol.InitializeRequestArguments,
  ): void {
    this.#clientName = clientName ?? 'a debug client';
    response.body = {
      supportsConfigurationDoneRequest: true,
      supportsConditionalBreakpoints: true,
      supportsHitConditionalBreakpoints: true,
      supportsLogPoints: true,
      supportsDataBreakpoints: true,
      supportsStepBack: true,
      supportsEvaluateForHovers: true,
      supportsClipboardContext: true,
      supportsExceptionInfoRequest: true,
      supportsTerminateRequest: true,
      supportTerminateDebuggee: true,
      supportsCompletionsRequest: true,
      supportsSingleThreadExecutionRequests: false,
      exceptionBreakpointFilters: eventFilters.map(({ id, label, description, default: on }) => ({
        filter: id,
        label,
        description,
        default: on,
      })),
    };
    this.sendResponse(response);
    this.sendEvent(new InitializedEvent());
  }

  protected override launchRequest(
    response: DebugProtocol.LaunchResponse,
    args: DebugProtocol.LaunchRequestArguments & LaunchConfiguration,
  ): void {
    void this.#answer(response, () =>
      this.#beginOnce('launch', async (signal) => {
        const training = await launch(args, this.installed, this.#client, signal);
        const debugs = args.noDebug !== true;
        this.#stopOnEntry = debugs && (args.stopOnEntry ?? false);
        this.#placing.configure({
          program: args.program === undefined ? '' : path.resolve(training.root, args.program),
          stops: debugs ? configuredStops(args.breakpoints ?? []) : null,
        });
        this.#train(training, args);
      }),
    );
  }

  protected override attachRequest(
    response: DebugProtocol.AttachResponse,
    args: DebugProtocol.AttachRequestArguments & AttachConfiguration,
  ): void {
    void this.#answer(response, () =>
      this.#beginOnce('attach', async (signal) => {
        const found = await attachTo(args, this.installed, this.#client, signal);
        this.#stopOnEntry = true;
        this.#placing.configure({ program: '', stops: configuredStops(args.breakpoints ?? []) });
        if (found.kind === 'frozen') this.#walk(found);
        else this.#train(found, args);
      }),
    );
  }

  protected override configurationDoneRequest(response: DebugProtocol.ConfigurationDoneResponse): void {
    this.sendResponse(response);
    this.#configured();
  }

  protected override disconnectRequest(
    response: DebugProtocol.DisconnectResponse,
    args: DebugProtocol.DisconnectArguments,
  ): void {
    // Once let go it is nobody's any more: a client that says good-bye twice must not end it.
    const isOwn = this.#own !== null || this.#beginning?.kind === 'launch';
    const kill = args.terminateDebuggee ?? (isOwn && !this.#leaving);
    void this.#answer(response, () => (kill ? this.#kill('SIGKILL') : this.#letGo()));
  }

  protected override terminateRequest(response: DebugProtocol.TerminateResponse): void {
    void this.#answer(response, () => this.#kill('SIGTERM'));
  }

  // ---- breakpoints -------------------------------------------------------------------------------------------------
  protected override setBreakPointsRequest(
    response: DebugProtocol.SetBreakpointsResponse,
    { source, breakpoints = [] }: DebugProtocol.SetBreakpointsArguments,
  ): void {
    response.body = { breakpoints: this.#placing.ofFile(source.path ?? '', breakpoints) };
    this.sendResponse(response);
  }

  protected override setExceptionBreakPointsRequest(
    response: DebugProtocol.SetExceptionBreakpointsResponse,
    { filters }: DebugProtocol.SetExceptionBreakpointsArguments,
  ): void {
    response.body = { breakpoints: this.#placing.ofEvents(filters) };
    this.sendResponse(response);
  }

  protected override dataBreakpointInfoRequest(
    response: DebugProtocol.DataBreakpointInfoResponse,
    { name, variablesReference }: DebugProtocol.DataBreakpointInfoArguments,
  ): void {
    void this.#answer(response, async () => {
      const list =
        variablesReference === undefined ? [] : await this.#variables.get(variablesReference, none)();
      const parameter = list.find((v) => v.name === name)?.parameter ?? this.#parameterNamed(name);
      response.body =
        parameter === undefined
          ? { dataId: null, description: 'Only norms of parameters can be watched.' }
          : {
              dataId: parameter,
              description: `norm of ${parameter}`,
              accessTypes: ['write'],
              canPersist: true,
            };
    });
  }

  protected override setDataBreakpointsRequest(
    response: DebugProtocol.SetDataBreakpointsResponse,
    { breakpoints }: DebugProtocol.SetDataBreakpointsArguments,
  ): void {
    void this.#answer(response, async () => {
      response.body = { breakpoints: await this.#placing.ofNorms(breakpoints) };
    });
  }

  protected override exceptionInfoRequest(response: DebugProtocol.ExceptionInfoResponse): void {
    const stop = this.#lastStop;
    const event: TrainingEvent | null = stop?.event ?? null;
    const failed = stop?.reason === 'failed';
    response.body = {
      exceptionId: failed
        ? 'The script has failed'
        : (eventFilters.find((f) => f.id === event?.id)?.label ?? 'none'),
      description: event?.text ?? (failed ? stop.text : 'No training event is why it stopped.'),
      breakMode: failed ? 'unhandled' : 'always',
    };
    this.sendResponse(response);
  }

  // ---- going on ----------------------------------------------------------------------------------------------------
  protected override continueRequest(response: DebugProtocol.ContinueResponse): void {
    response.body = { allThreadsContinued: true };
    if (this.#stepping) {
      this.#goesOn = true;
      this.sendResponse(response);
      return;
    }
    this.#go(response, (session) =>
      session.standing?.reason === 'ended' ? this.#release(session) : session.continue(),
    );
  }
  protected override nextRequest(response: DebugProtocol.NextResponse): void {
    this.#step(response, (session) => session.step());
  }
  protected override stepInRequest(response: DebugProtocol.StepInResponse): void {
    this.#step(response, (session) => session.stepInto());
  }
  protected override stepOutRequest(response: DebugProtocol.StepOutResponse): void {
    this.#step(response, (session) => session.stepOut());
  }
  protected override stepBackRequest(response: DebugProtocol.StepBackResponse): void {
    this.#step(response, (session) => session.stepBack());
  }
  protected override reverseContinueRequest(response: DebugProtocol.ReverseContinueResponse): void {
    this.#step(response, (session) => session.backToStart());
  }
  protected override pauseRequest(response: DebugProtocol.PauseResponse): void {
    void this.#answer(response, () => this.#required().pause());
  }

  // ---- looking -----------------------------------------------------------------------------------------------------
  protected override threadsRequest(response: DebugProtocol.ThreadsResponse): void {
    response.body = {
      threads: [new Thread(THREAD, this.#session?.connection.description.objective.name ?? 'training')],
    };
    this.sendResponse(response);
  }

  protected override stackTraceRequest(response: DebugProtocol.StackTraceResponse): void {
    void this.#answer(response, async () => {
      const session = this.#session;
      if (session !== null) await this.#placing.learnObjectives();
      const stackFrames = this.#frames();
      response.body = { stackFrames, totalFrames: stackFrames.length };
    });
  }

  #frames(): DebugProtocol.StackFrame[] {
    const session = this.#session;
    const standing = session?.standing ?? null;
    const frames: DebugProtocol.StackFrame[] = [];
    if (session !== null && standing !== null) {
      const { site } = this.#placing;
      const place =
        site === null
          ? { line: 0, column: 0 }
          : {
              source: new Source(path.basename(site.file), this.#placing.asNamed(site.file)),
              line: site.line,
              column: site.column,
            };
      const { values } = standing;
      const loss = session.values.loss ?? null;
      const names = [
        ...(this.#lastStop?.event?.parameter === undefined ? [] : [this.#lastStop.event.parameter]),
        `step ${values?.step ?? standing.step}${this.#placing.isOneOfSeveral ? ` of ${this.#placing.objectiveName}` : ''}${loss === null ? '' : ` · loss ${shown(loss)}`}${standing.place === 'gradient' ? ' · gradient not applied' : ''}`,
        ...(values?.epoch == null ? [] : [`epoch ${values.epoch}`]),
        `run ${session.run.id}`,
      ];
      frames.push(
        ...names.map((name, i) => ({
          id: i + 1,
          name,
          ...(i < names.length - 1 ? place : { line: 0, column: 0 }),
        })),
      );
    }
    return frames;
  }

  protected override scopesRequest(response: DebugProtocol.ScopesResponse): void {
    response.body = {
      scopes: this.#scopes.map(
        ({ name, variables, expensive }) =>
          new ProtocolScope(name, this.#variables.create(variables), expensive),
      ),
    };
    this.sendResponse(response);
  }

  protected override variablesRequest(
    response: DebugProtocol.VariablesResponse,
    { variablesReference }: DebugProtocol.VariablesArguments,
  ): void {
    void this.#answer(response, async () => {
      const list = await this.#variables.get(variablesReference, none)();
      response.body = {
        variables: list.map(({ name, value, type, expression, children }) => ({
          name,
          value,
          ...(type === undefined ? {} : { type }),
          ...(expression === undefined ? {} : { evaluateName: expression }),
          variablesReference: children === undefined ? 0 : this.#variables.create(children),
        })),
      };
    });
  }

  protected override evaluateRequest(
    response: DebugProtocol.EvaluateResponse,
    { expression, context }: DebugProtocol.EvaluateArguments,
  ): void {
    void this.#answer(response, async () => {
      const { text, opened } = await evaluateInConsole(expression, {
        session: this.#required(),
        root: this.#root,
        laboratory: this.laboratory,
        asked: context === 'repl' || context === 'hover' ? context : 'elsewhere',
      });
      response.body = { result: text, variablesReference: 0 };
      // What the client makes of it is its own affair; the editor opens the lens. A watch expression would open one at every stop.
      if (opened !== null && context === 'repl')
        this.sendEvent({ seq: 0, type: 'event', event: 'basin.result', body: opened });
    });
  }

  protected override completionsRequest(
    response: DebugProtocol.CompletionsResponse,
    { text, column }: DebugProtocol.CompletionsArguments,
  ): void {
    const word = /[A-Za-z_0-9]*$/.exec(text.slice(0, column - 1))?.[0] ?? '';
    response.body = {
      targets: [
        ...valueNames.map((label) => ({ label, type: 'variable' as const })),
        ...consoleFunctions.map(({ name, signature }) => ({
          label: signature,
          text: `${name}(`,
          type: 'function' as const,
        })),
      ]
        .filter(({ label }) => label.startsWith(word))
        .map((target) => ({ ...target, start: column - 1 - word.length, length: word.length })),
    };
    this.sendResponse(response);
  }

  /**
   * Requests of Basin's own. basin.snapshot: the standing weights as a snapshot that every lens can name. basin.trainOn:
   * a run of its own from here on. basin.underEnded: the code debugger that the client started has ended, or why it
   * could not be started.
   */
  protected override customRequest(
    command: string,
    response: DebugProtocol.Response,
    args: { readonly error?: unknown } | undefined,
  ): void {
    switch (command) {
      case 'basin.snapshot':
        void this.#answer(response, async () => {
          const session = this.#required();
          response.body = { directory: session.run.directory, step: await session.snapshot() };
        });
        return;
      case 'basin.trainOn':
        void this.#answer(response, async () => {
          if (this.#stepping) throw onItsWay();
          const run = await this.#required().trainOn();
          response.body = { directory: run.directory, run: run.id };
        });
        return;
      case 'basin.underEnded':
        if (typeof args?.error === 'string') this.#under?.failed(new BasinError('unsupported', args.error));
        else this.#under?.ended();
        this.sendResponse(response);
        return;
      default:
        this.sendErrorResponse(response, 1014, `Basin's debugger has no request "${command}".`);
    }
  }

  // ---- beneath -----------------------------------------------------------------------------------------------------
  get #client(): Client {
    return {
      output: (stream, text) => this.#say(text, stream),
      say: (text) => this.#say(text, 'console'),
      warn: (text) => this.#say(text, 'important'),
      startUnder: (request) =>
        new Promise((ended, failed) => {
          this.#under = { ended, failed };
          this.sendEvent({ seq: 0, type: 'event', event: 'basin.startUnder', body: request });
        }),
      endUnder: () => this.sendEvent({ seq: 0, type: 'event', event: 'basin.endUnder' }),
    };
  }

  async #beginOnce(kind: Beginning['kind'], begin: (signal: AbortSignal) => Promise<void>): Promise<void> {
    if (this.#begun)
      throw new BasinError('bad-input', 'This session has its training already.', 'Start another session.');
    this.#begun = true;
    const controller = new AbortController();
    const begun = begin(controller.signal);
    const over = begun.catch(() => undefined);
    this.#beginning = { kind, cancel: () => controller.abort(), over };
    try {
      await begun;
    } catch (error) {
      this.#begun = false;
      throw error;
    } finally {
      this.#beginning = null;
    }
  }

  /** Ends a launch or attach that is under way, and what it has started. */
  protected async endBeginning(): Promise<void> {
    const beginning = this.#beginning;
    if (beginning === null) return;
    beginning.cancel();
    await beginning.over;
    if (this.#session === null) this.sendEvent(new TerminatedEvent());
  }

  get #helpers(): Helpers {
    return {
      sharpness: (connection) => this.laboratory.sharpness(connection),
      loss: (connection, split) => this.laboratory.loss(connection, split),
      limitCycle: (run, objective) => this.laboratory.limitCycle(run, objective),
    };
  }

  get #listener(): SessionListener {
    return {
      stopped: (stop) => this.#stopped(stop),
      said: (text) => this.#say(`${text}\n`, 'console'),
      drives: () => this.#own?.taken(),
      lost: () => void this.#lost(),
      branched: (run) => {
        this.#tellRun(run);
        this.laboratory.unfollow();
        this.laboratory.follow(run);
      },
    };
  }

  #train(
    { run, connection, own, root }: Training,
    { name, whenGone = 'continue' }: SharedConfiguration & { readonly name?: unknown },
  ): void {
    this.#own = own;
    this.laboratory.follow(run);
    this.#say(`${own === null ? 'Attached to run' : 'Recording run'} ${run.id}.\n`, 'console');
    this.#begin(
      new TrainingSession({
        run,
        connection,
        whenGone,
        name: `${typeof name === 'string' ? `the session "${name}"` : 'a session'} of ${this.#clientName} (process ${process.pid})`,
        helpers: this.#helpers,
        listener: this.#listener,
      }),
      root,
    );
  }

  #walk({ run, connection, at, close, root }: Frozen): void {
    this.#begin(
      new SnapshotWalk({ run, connection, at, close, helpers: this.#helpers, listener: this.#listener }),
      root,
    );
  }

  #begin(session: DebugTarget, root: string): void {
    this.#root = root;
    this.#session = session;
    this.#tellRun(session.run);
    this.#placing.met(session);
    void this.#configuration
      .then(async () => {
        if (this.#leaving) return;
        this.#started = true;
        await this.#placing.started();
        await session.start(this.#stopOnEntry);
      })
      .catch(async (error: unknown) => {
        this.#trouble(error);
        // Nothing stands that could be looked at, and a process of its own would train unseen.
        if (session.standing === null) await (this.#own === null ? session.detach() : this.#kill('SIGKILL'));
      });
  }

  /** The editor finds the session of a run by it. */
  #tellRun({ id, directory }: Run): void {
    this.sendEvent({ seq: 0, type: 'event', event: 'basin.run', body: { run: id, directory } });
  }

  #stopped(stop: Stop): void {
    const session = this.#session;
    if (session === null) return;
    const goesOn = this.#goesOn && (stop.reason === 'step' || stop.reason === 'epoch');
    this.#stepping = this.#goesOn = false;
    if (goesOn) {
      session.continue().catch((error: unknown) => this.#trouble(error));
      return;
    }
    this.#lastStop = stop;
    this.#variables.reset();
    this.#scopes = scopes(session);
    void this.#placing.learnObjectives();
    const event: DebugProtocol.StoppedEvent = new StoppedEvent(stopWords[stop.reason], THREAD);
    event.body = {
      ...event.body,
      description: stop.text,
      text: stop.text,
      allThreadsStopped: true,
      hitBreakpointIds: stop.breakpoints.filter((id) => id !== CONFIGURED),
    };
    if (['event', 'back', 'branch', 'data', 'ended', 'failed'].includes(stop.reason))
      this.#say(`${stop.text}\n`, 'console');
    this.sendEvent(event);
    // What was placed while training was on its way can be hit no more.
    if (session.isOver) this.#placing.tell();
  }

  /** The process is gone: why is what its run says. */
  async #lost(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    const own = this.#own;
    const ended = await own?.ended.catch(() => null);
    const manifest = ended?.manifest ?? (await this.#session?.run.readManifest().catch(() => null));
    if (manifest != null && (own !== null || !this.#leaving)) {
      const why = manifest.stateReason === null ? '' : ` ${manifest.stateReason}`;
      const { steps, snapshots } = manifest.recording;
      this.#say(
        `Run ${manifest.id} ${manifest.state}: ${steps} steps, ${snapshots} snapshots.${why}\n`,
        'console',
      );
      if (ended != null) this.sendEvent(new ExitedEvent(ended.exitCode));
    }
    this.laboratory.unfollow();
    this.sendEvent(new TerminatedEvent());
  }

  async #kill(signal: NodeJS.Signals): Promise<void> {
    this.#leaving = true;
    await this.endBeginning();
    if (this.#own === null) return this.#letGo();
    await this.#own.kill(signal);
    if (signal === 'SIGKILL') await this.#own.ended.catch(() => undefined);
  }

  async #letGo(): Promise<void> {
    this.#leaving = true;
    // A launched script that is to go on is let go when it stands; its first step may be far away.
    if (this.#beginning?.kind === 'launch') void this.#beginning.over.then(() => this.#detach());
    else await this.endBeginning();
    await this.#detach();
  }

  async #detach(): Promise<void> {
    const session = this.#session;
    if (session === null) return;
    // A process of its own that has not been met by a debugger yet would wait for one.
    if (this.#own !== null && !this.#started)
      await session.connection.pause({ whenGone: 'continue' }).catch(() => undefined);
    await session.detach();
    this.#own?.taken();
  }

  /** The script is done and its process held: it ends. */
  async #release(session: DebugTarget): Promise<void> {
    await session.connection.resume({}).catch(() => undefined);
  }

  #parameterNamed(name: string): string | undefined {
    return this.#session?.connection.description.objective.parameters.find((p) => p.name === name)?.name;
  }

  #required(): DebugTarget {
    if (this.#session !== null) return this.#session;
    throw new BasinError('not-found', 'There is no training yet.', 'Launch or attach first.');
  }

  /** Keys repeat: what is asked for while a step is on its way is answered by the stop which that one leads to. */
  #step(response: DebugProtocol.Response, move: (session: DebugTarget) => Promise<void>): void {
    if (this.#stepping) {
      this.sendResponse(response);
      return;
    }
    this.#go(response, (session) => {
      this.#stepping = true;
      return move(session).finally(() => (this.#stepping = this.#goesOn = false));
    });
  }

  /** Requests that have training go on are answered at once; what comes of them is a stop. */
  #go(response: DebugProtocol.Response, move: (session: DebugTarget) => Promise<void>): void {
    const session = this.#session;
    if (session === null || session.standing === null) {
      void this.#answer(response, () => {
        this.#required();
        throw onItsWay();
      });
      return;
    }
    this.sendResponse(response);
    void move(session).catch((error: unknown) => {
      this.#trouble(error);
      // The client takes training for being on its way: it stands where it stood.
      if (session.standing !== null && this.#lastStop !== null)
        this.sendEvent(new StoppedEvent('step', THREAD));
    });
  }

  async #answer(response: DebugProtocol.Response, work: () => Promise<void> | void): Promise<void> {
    try {
      await work();
      this.sendResponse(response);
    } catch (error) {
      this.sendErrorResponse(response, {
        id: 1,
        format: sentenceOf(error),
        showUser: !isCancelled(error),
      });
    }
  }

  #trouble(error: unknown): void {
    // Its end is told by what becomes of the run.
    if (isCancelledOrEnded(error)) return;
    this.#say(`${sentenceOf(error)}\n`, 'important');
  }

  #say(text: string, category: 'stdout' | 'stderr' | 'console' | 'important'): void {
    this.sendEvent(new OutputEvent(text, category));
  }
}

const onItsWay = (): BasinError => new BasinError('busy', 'Training is on its way.', 'Pause it first.');
const none = (): Promise<Variable[]> => Promise.resolve([]);
