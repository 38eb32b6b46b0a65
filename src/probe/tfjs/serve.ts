/**
 * Answering the evaluator wire on the training thread: between two steps, from the event loop while the script waits
 * for something, and all the time while the process is frozen or held.
 */
import { BasinError, toErrorData } from '../../protocol/errors.ts';
import type { EvaluatorRequests } from '../../protocol/evaluator.ts';
import type { StandingRequests } from '../../protocol/standing.ts';
import { CANCEL_FLAGS, Control, type ToMain } from './channel.ts';
import type { Debuggee } from './debuggee.ts';
import { DatasetWanted } from './fitDataset.ts';
import type { AnsweredMethod, EvaluatorSession, RequestContext } from './handlers.ts';
import type { WorkerLink } from './workerLink.ts';

export class Dispatcher {
  private readonly sessions = new Map</* connection */ number, EvaluatorSession>();
  private answering = 0;
  private readonly spent = new Map</* connection */ number, /* ms */ number>();
  private busy = false;
  private debuggee: Debuggee | null = null;
  /** Requests that cannot be answered before a data set has been gone through. */
  private waiting: ToMain[] = [];
  private wanted: DatasetWanted | null = null;

  /**
   * @param open makes a connection's session for an objective
   * @throws (open) BasinError when there is no such objective
   */
  constructor(
    private readonly link: WorkerLink,
    private readonly open: (objective: number) => EvaluatorSession,
  ) {
    link.onMessage((message) => {
      this.handle(message);
    });
  }

  /** Lets connections drive training; without, they may only ask. */
  setDebuggee(debuggee: Debuggee): void {
    this.debuggee = debuggee;
  }

  /** Seconds of this thread spent on answers. */
  get answeringSeconds(): number {
    return this.answering / 1000;
  }

  /** True while an answer is being worked out: what the engine then does is not the script's. */
  get isAnswering(): boolean {
    return this.busy;
  }

  /** Answers what is waiting. Costs one read of shared memory when nothing is. */
  poll(): void {
    if (!this.link.hasMessages || this.busy) return;
    this.link.acknowledge();
    for (let message = this.link.receive(); message !== null; message = this.link.receive())
      this.handle(message);
  }

  /**
   * Does nothing but answer until told to stop.
   * @param deadline on performance.now()'s clock
   * @throws DatasetWanted for whoever can go through a data set; {@link answerWaiting} when that is done
   */
  serveUntil(done: () => boolean, deadline = Infinity): void {
    while (!done() && !this.link.shouldQuit) {
      if (this.wanted !== null) throw this.wanted;
      const left = deadline - performance.now();
      if (left <= 0) return;
      this.link.waitForMessages(Math.min(left, 1000));
      this.poll();
    }
  }

  /** The data set that requests wait for has been gone through. */
  answerWaiting(): void {
    const { waiting } = this;
    this.waiting = [];
    this.wanted = null;
    for (const message of waiting) this.handle(message);
  }

  private handle(message: ToMain): void {
    if (message.type === 'closed') {
      this.sessions.get(message.connection)?.dispose();
      this.sessions.delete(message.connection);
      this.spent.delete(message.connection);
      this.debuggee?.closed(message.connection);
      return;
    }
    const { request, connection } = message;
    const started = performance.now();
    this.busy = true;
    try {
      if (!this.drive(message)) this.link.post({ type: 'answer', request, result: this.answer(message) });
    } catch (error) {
      if (error instanceof DatasetWanted) {
        this.waiting.push(message);
        this.wanted = error;
      } else this.link.post({ type: 'failure', request, error: toErrorData(error) });
    } finally {
      this.busy = false;
      const spent = performance.now() - started;
      this.answering += spent;
      this.spent.set(connection, (this.spent.get(connection) ?? 0) + spent);
    }
  }

  private answer({ request, connection, method, params }: Extract<ToMain, { type: 'request' }>): unknown {
    const flag = Control.cancel + (request % CANCEL_FLAGS);
    const context: RequestContext = {
      cancelled: () => Atomics.load(this.link.control, flag) === 1,
      connectionSeconds: () => (this.spent.get(connection) ?? 0) / 1000,
    };
    if (context.cancelled()) throw new BasinError('cancelled', 'Cancelled.');
    if (method === 'hello') {
      this.sessions.get(connection)?.dispose();
      this.sessions.set(connection, this.open((params as EvaluatorRequests['hello']['params']).objective));
    }
    return call(this.sessionOf(connection), method as AnsweredMethod, params, context);
  }

  /** @returns whether it was a word to the debuggee, which answers in its own time */
  private drive({ request, connection, method, params }: Extract<ToMain, { type: 'request' }>): boolean {
    if (method !== 'pause' && method !== 'proceed' && method !== 'detach') return false;
    const { objective } = this.sessionOf(connection);
    if (this.debuggee === null) {
      throw new BasinError(
        'unsupported',
        'This process was started again for questions: it stands before its first step, and takes none.',
        'Start the script under the debugger to train.',
      );
    }
    if (method === 'detach') {
      this.debuggee.detach(connection);
      this.link.post({ type: 'answer', request, result: {} });
    } else if (method === 'pause') {
      this.debuggee.pause(request, connection, objective, params as StandingRequests['pause']['params']);
    } else {
      this.debuggee.proceed(request, connection, objective, params as StandingRequests['proceed']['params']);
    }
    return true;
  }

  private sessionOf(connection: number): EvaluatorSession {
    const session = this.sessions.get(connection);
    if (session === undefined) throw new BasinError('not-allowed', 'Say hello first.');
    return session;
  }
}

function call<M extends AnsweredMethod>(
  session: EvaluatorSession,
  method: M,
  params: unknown,
  context: RequestContext,
): ReturnType<EvaluatorSession['handlers'][M]> {
  return (
    session.handlers[method] as (p: unknown, c: RequestContext) => ReturnType<EvaluatorSession['handlers'][M]>
  )(params, context);
}
