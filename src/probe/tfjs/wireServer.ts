/**
 * The evaluator wire's listening end, on the worker thread: a socket in a private folder, a token, JSON-RPC. Requests
 * are handed to the training thread, which answers them between two steps.
 */
import { timingSafeEqual } from 'node:crypto';
import { mkdirSync, rmSync, rmdirSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import {
  ResponseError,
  StreamMessageReader,
  StreamMessageWriter,
  createMessageConnection,
  type CancellationToken,
  type MessageConnection,
} from 'vscode-jsonrpc/node';
import { BasinError, toErrorData, type ErrorData } from '../../protocol/errors.ts';
import {
  BASIN_ERROR,
  EVALUATOR_PROTOCOL,
  wireMethods,
  type EvaluatorRequests,
  type WireMethod,
} from '../../protocol/evaluator.ts';
import type { ProbeOptions } from '../../protocol/launch.ts';
import type { Endpoint } from '../../protocol/run.ts';
import { wireReader, wireWriter } from '../../protocol/wireJson.ts';
import { CANCEL_FLAGS, Control, type ToMain } from './channel.ts';
import { replaceFile } from './writing.ts';

interface Waiting {
  readonly connection: number;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

export class WireServer {
  private readonly server: Server;
  private readonly socketPath: string;
  private endpointFile: string;
  private readonly waiting = new Map</* request */ number, Waiting>();
  private readonly sockets = new Set<Socket>();
  private requests = 0;
  private connections = 0;
  private clients = 0;

  /**
   * @param send hands a message to the training thread
   * @param left called when the last client that had said hello is gone
   */
  constructor(
    private readonly options: ProbeOptions,
    private readonly role: Endpoint['role'],
    private readonly pid: number,
    private readonly control: Int32Array,
    private readonly send: (message: ToMain) => void,
    private readonly left: () => void,
  ) {
    this.socketPath =
      process.platform === 'win32'
        ? `\\\\.\\pipe\\basin-${pid}-${Date.now().toString(36)}`
        : join(options.socketDirectory, `${pid}.sock`);
    this.endpointFile = options.endpointFile;
    this.server = createServer((socket) => this.accept(socket));
  }

  /** Number of connections that have said hello. */
  get clientCount(): number {
    return this.clients;
  }

  /** Listens, then writes the endpoint file. */
  listen(failed: (error: Error) => void): void {
    if (process.platform !== 'win32') {
      mkdirSync(this.options.socketDirectory, { recursive: true, mode: 0o700 });
      rmSync(this.socketPath, { force: true });
    }
    this.server.on('error', failed);
    this.server.listen(this.socketPath, () => {
      try {
        this.writeEndpoint();
      } catch (error) {
        failed(error as Error);
      }
    });
  }

  /** The endpoint is another run's from here on. */
  move(file: string): void {
    rmSync(this.endpointFile, { force: true });
    this.endpointFile = file;
    this.writeEndpoint();
  }

  private writeEndpoint(): void {
    const { socketPath: socket, pid, role } = this;
    const endpoint: Endpoint = { socket, token: this.options.token, pid, role };
    replaceFile(this.endpointFile, JSON.stringify(endpoint), 0o600);
  }

  /** The training thread's answer to a request. */
  answer(request: number, result: unknown): void {
    this.waiting.get(request)?.resolve(result);
    this.waiting.delete(request);
  }

  failure(request: number, error: ErrorData): void {
    this.waiting.get(request)?.reject(new ResponseError(BASIN_ERROR, error.message, error));
    this.waiting.delete(request);
  }

  /** Takes the endpoint down; whoever still waits is told that the process has ended. */
  close(): void {
    for (const request of [...this.waiting.keys()]) {
      this.failure(request, {
        code: 'process-ended',
        message: 'The training process has ended.',
        cure: 'Ask again: Basin starts the script again for questions.',
      });
    }
    this.server.close();
    for (const socket of this.sockets) socket.destroySoon();
    rmSync(this.endpointFile, { force: true });
    if (process.platform === 'win32') return;
    rmSync(this.socketPath, { force: true });
    try {
      // Whoever made it for this process may be gone.
      rmdirSync(this.options.socketDirectory);
    } catch {
      // Not empty.
    }
  }

  private accept(socket: Socket): void {
    const number = ++this.connections;
    let welcome = false;
    this.sockets.add(socket);
    const reader = new StreamMessageReader(socket, wireReader);
    // Its watch over half a message re-arms itself for ever once the client has died inside one.
    reader.partialMessageTimeout = 0;
    const connection: MessageConnection = createMessageConnection(
      reader,
      new StreamMessageWriter(socket, wireWriter),
    );
    const forward = (method: WireMethod, params: unknown, token: CancellationToken): Promise<unknown> =>
      new Promise((resolve, reject) => {
        const request = ++this.requests;
        const flag = Control.cancel + (request % CANCEL_FLAGS);
        Atomics.store(this.control, flag, 0);
        token.onCancellationRequested(() => Atomics.store(this.control, flag, 1));
        this.waiting.set(request, { connection: number, resolve, reject });
        this.send({ type: 'request', request, connection: number, method, params });
      });

    for (const method of wireMethods) {
      connection.onRequest(method, async (params: unknown, token: CancellationToken) => {
        if (method === 'hello') {
          this.check(params as EvaluatorRequests['hello']['params']);
          const description = await forward(method, params, token);
          if (!welcome) this.clients++;
          welcome = true;
          return description;
        }
        if (!welcome) throw rejected(new BasinError('not-allowed', 'Say hello first.'));
        return forward(method, params, token);
      });
    }
    const ended = (): void => {
      if (!this.sockets.delete(socket)) return;
      connection.dispose();
      for (const [request, { connection: owner }] of this.waiting) {
        if (owner !== number) continue;
        // Nobody waits for it any more: end it at the next batch.
        Atomics.store(this.control, Control.cancel + (request % CANCEL_FLAGS), 1);
        this.waiting.delete(request);
      }
      this.send({ type: 'closed', connection: number });
      if (welcome && --this.clients === 0) this.left();
    };
    socket.on('close', ended);
    socket.on('error', ended);
    connection.onError(() => socket.destroy());
    connection.listen();
  }

  private check({ token, protocol }: EvaluatorRequests['hello']['params']): void {
    const given = Buffer.from(String(token));
    const wanted = Buffer.from(this.options.token);
    if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) {
      throw rejected(new BasinError('not-allowed', 'The token is not that of this process.'));
    }
    if (protocol !== EVALUATOR_PROTOCOL) {
      throw rejected(
        new BasinError(
          'not-allowed',
          `This process speaks version ${EVALUATOR_PROTOCOL} of the evaluator protocol, not ${protocol}.`,
          'Train again with the Basin that you have now.',
        ),
      );
    }
  }
}

function rejected(error: BasinError): ResponseError<ErrorData> {
  const data = toErrorData(error);
  return new ResponseError(BASIN_ERROR, data.message, data);
}
