/** A client of the evaluator wire: a training process that stands still, as typed async calls. */
import net from 'node:net';
import {
  CancellationTokenSource,
  ConnectionError,
  createMessageConnection,
  ErrorCodes,
  ParameterStructures,
  ResponseError,
  StreamMessageReader,
  StreamMessageWriter,
  type Message,
  type MessageConnection,
} from 'vscode-jsonrpc/node';
import type { Evaluator } from '../analysis/evaluator.ts';
import { BasinError, cancelled, type ErrorData } from '../protocol/errors.ts';
import {
  BASIN_ERROR,
  EVALUATOR_PROTOCOL,
  wireMethods,
  type EvaluatorDescription,
  type WireMethod,
  type WireRequests,
} from '../protocol/evaluator.ts';
import type { Endpoint } from '../protocol/run.ts';
import { STANDING_NOTIFICATION, type Standing, type StandingRequests } from '../protocol/standing.ts';
import { wireReader, wireWriter } from '../protocol/wireJson.ts';

/** LSP's code for an answer to a cancelled request; JSON-RPC itself has none. */
const REQUEST_CANCELLED = -32800;

export interface EvaluatorConnection extends Evaluator {
  /** Settles when the connection has ended, from either side. */
  readonly closed: Promise<void>;
  /** Ends the connection; every request still open fails. */
  close(): void;
}

/** A connection that may also drive training (src/protocol/standing.ts). */
export type TrainingConnection = EvaluatorConnection & {
  [M in keyof StandingRequests]: (
    params: StandingRequests[M]['params'],
    signal?: AbortSignal,
  ) => Promise<StandingRequests[M]['result']>;
} & {
  /** Told where the process stands that has left its place without its driver's word. */
  onStanding(listener: (standing: Standing) => void): void;
};

export interface ConnectOptions {
  readonly objective: number;
  /** For the connection and the greeting, in ms. A live process answers at its next step boundary. */
  readonly timeout?: number;
  readonly signal?: AbortSignal;
  /** Why the peer may have ended, for the error's text: the tail of a log. */
  readonly lastWords?: () => string;
}

/**
 * Connects, and greets with the token.
 * @throws BasinError `process-ended`, `timeout`, `cancelled`, or what the probe answered
 */
export async function connect(endpoint: Endpoint, options: ConnectOptions): Promise<TrainingConnection> {
  const timeout = options.timeout ?? 60_000;
  const deadline = AbortSignal.timeout(timeout);
  const signal = AbortSignal.any([deadline, ...(options.signal ? [options.signal] : [])]);
  const inTime = (error: unknown): unknown =>
    deadline.aborted && options.signal?.aborted !== true
      ? new BasinError(
          'timeout',
          `The training process did not answer within ${Math.round(timeout / 1000)} s.`,
          'It may be inside a very long step; try again, or ask when the run is done.',
        )
      : error;
  try {
    const socket = await openSocket(endpoint.socket, signal);
    const peer = new Peer(socket, options.lastWords ?? (() => ''));
    try {
      const description = await peer.request(
        'hello',
        { token: endpoint.token, protocol: EVALUATOR_PROTOCOL, objective: options.objective },
        signal,
      );
      return asEvaluator(peer, description);
    } catch (error) {
      peer.close();
      throw error;
    }
  } catch (error) {
    throw inTime(error);
  }
}

function openSocket(address: string, signal: AbortSignal): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(cancelled());
    const socket = net.connect(address);
    const abort = (): void => {
      socket.destroy();
      reject(cancelled());
    };
    signal.addEventListener('abort', abort, { once: true });
    socket.once('error', (error) => {
      signal.removeEventListener('abort', abort);
      reject(
        new BasinError(
          'process-ended',
          'The training process does not answer: it has ended.',
          'Ask again: Basin then starts the script anew and freezes it before its first step.',
          { cause: error },
        ),
      );
    });
    socket.once('connect', () => {
      signal.removeEventListener('abort', abort);
      resolve(socket);
    });
  });
}

/**
 * What cannot be written any more is settled by the end of the socket, as all that is still open. The connection of
 * vscode-jsonrpc throws a failed write inside of a promise that nobody holds, which ends the whole process.
 */
class PeerWriter extends StreamMessageWriter {
  override write(message: Message): Promise<void> {
    return super.write(message).catch(() => undefined);
  }
}

class Peer {
  readonly closed: Promise<void>;
  readonly #rpc: MessageConnection;

  constructor(
    private readonly socket: net.Socket,
    private readonly lastWords: () => string,
  ) {
    const reader = new StreamMessageReader(socket, wireReader);
    // Its watch over half a message re-arms itself for ever once the peer has died inside one.
    reader.partialMessageTimeout = 0;
    const writer = new PeerWriter(socket, wireWriter);
    this.#rpc = createMessageConnection(reader, writer);
    // A peer that sends no valid messages is as good as gone: nothing it still owes will come.
    this.#rpc.onError(() => socket.destroy());
    socket.on('error', () => socket.destroy());
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        // Only disposing settles the requests that are open.
        this.#rpc.dispose();
        resolve();
      });
    });
    this.#rpc.listen();
  }

  close(): void {
    this.socket.destroy();
  }

  onNotification<T>(method: string, listener: (params: T) => void): void {
    this.#rpc.onNotification(method, listener);
  }

  request<M extends WireMethod>(
    method: M,
    params: WireRequests[M]['params'],
    signal?: AbortSignal,
  ): Promise<WireRequests[M]['result']> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(cancelled());
      if (this.socket.destroyed) return reject(this.#ended());
      const source = new CancellationTokenSource();
      // Settled at once: the evaluator stops between two batches, and its late answer is of no interest.
      const abort = (): void => {
        source.cancel();
        reject(cancelled());
      };
      signal?.addEventListener('abort', abort, { once: true });
      this.#rpc
        .sendRequest<WireRequests[M]['result']>(method, ParameterStructures.byName, params, source.token)
        .then(resolve, (error: unknown) => reject(this.#translate(error)))
        .finally(() => {
          signal?.removeEventListener('abort', abort);
          source.dispose();
        });
    });
  }

  #translate(error: unknown): Error {
    if (error instanceof ResponseError) {
      if (error.code === BASIN_ERROR) return BasinError.fromData(error.data as ErrorData);
      if (error.code === REQUEST_CANCELLED) return cancelled();
      if (error.code === ErrorCodes.PendingResponseRejected) return this.#ended();
      return new BasinError('internal', error.message, 'Please report this.', { cause: error });
    }
    if (error instanceof ConnectionError || this.socket.destroyed) return this.#ended();
    return error instanceof Error ? error : new BasinError('internal', String(error));
  }

  #ended(): BasinError {
    const lastWords = this.lastWords();
    return new BasinError(
      'process-ended',
      'The training process ended while Basin was asking it.',
      'Ask again: Basin starts the script anew. If it ends again, the script may be out of memory.',
      lastWords === '' ? undefined : { detail: lastWords },
    );
  }
}

function asEvaluator(peer: Peer, description: EvaluatorDescription): TrainingConnection {
  const calls = Object.fromEntries(
    wireMethods
      .filter((method) => method !== 'hello')
      .map((method) => [
        method,
        (params: never, signal?: AbortSignal) => peer.request(method, params, signal),
      ]),
  ) as unknown as Omit<TrainingConnection, 'description' | 'closed' | 'close' | 'onStanding'>;
  return {
    ...calls,
    description,
    closed: peer.closed,
    close: () => peer.close(),
    onStanding: (listener) => peer.onNotification<Standing>(STANDING_NOTIFICATION, listener),
  };
}
