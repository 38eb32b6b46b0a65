/** The host's end of the page wire: vscode-jsonrpc over a webview's postMessage, typed by src/protocol/page.ts. */
import {
  AbstractMessageReader,
  AbstractMessageWriter,
  createMessageConnection,
  Message,
  type CancellationToken,
  type DataCallback,
  type MessageConnection,
  type MessageReader,
  type MessageWriter,
} from 'vscode-jsonrpc/node.js';
import type { PageNotifications, PageRequests } from '../protocol/page.ts';
import type { Disposable } from './disposables.ts';
import { toResponseError } from './wireErrors.ts';

/** The part of `vscode.Webview` that the wire needs. */
export interface PostTarget {
  postMessage(message: unknown): PromiseLike<boolean>;
  onDidReceiveMessage(listener: (message: unknown) => void): Disposable;
}

class WebviewReader extends AbstractMessageReader implements MessageReader {
  constructor(private readonly target: PostTarget) {
    super();
  }

  listen(callback: DataCallback): Disposable & { dispose(): void } {
    const subscription = this.target.onDidReceiveMessage((received) => {
      const message = received as Message;
      // Whatever else a page posts is not of this wire.
      if (Message.isRequest(message) || Message.isNotification(message) || Message.isResponse(message))
        callback(message);
    });
    return { dispose: () => void subscription.dispose() };
  }
}

class WebviewWriter extends AbstractMessageWriter implements MessageWriter {
  constructor(private readonly target: PostTarget) {
    super();
  }

  async write(message: Message): Promise<void> {
    // A hidden page drops messages: it is sent a whole snapshot when it shows again, so that is no failure.
    await this.target.postMessage(message);
  }

  end(): void {
    // A webview cannot be closed for writing.
  }
}

export type PageHandlers = {
  [M in keyof PageRequests]: (
    params: PageRequests[M]['params'],
    signal: AbortSignal,
  ) => PageRequests[M]['result'] | Promise<PageRequests[M]['result']>;
};

/** Answers a page's requests and notifies it, until it is disposed. */
export class PageWire implements Disposable {
  readonly #connection: MessageConnection;
  #disposed = false;

  constructor(target: PostTarget, handlers: PageHandlers) {
    this.#connection = createMessageConnection(new WebviewReader(target), new WebviewWriter(target));
    this.#answer('ready', handlers);
    this.#answer('runJob', handlers);
    this.#answer('cancelJob', handlers);
    this.#answer('saveFile', handlers);
    this.#answer('readSteps', handlers);
    this.#answer('chooseObjective', handlers);
    this.#answer('runCommand', handlers);
    this.#connection.listen();
  }

  #answer<M extends keyof PageRequests>(method: M, handlers: PageHandlers): void {
    this.#connection.onRequest(
      method,
      async (params: PageRequests[M]['params'], token: CancellationToken) => {
        const controller = new AbortController();
        const subscription = token.onCancellationRequested(() => controller.abort());
        try {
          return await handlers[method](params, controller.signal);
        } catch (error) {
          return toResponseError(error);
        } finally {
          subscription.dispose();
        }
      },
    );
  }

  notify<N extends keyof PageNotifications>(method: N, params: PageNotifications[N]): void {
    // A page that has just been closed cannot be told anything more.
    if (!this.#disposed) this.#connection.sendNotification(method, params).catch(() => undefined);
  }

  dispose(): void {
    this.#disposed = true;
    this.#connection.dispose();
  }
}
