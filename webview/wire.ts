/** The page's end of the page wire: vscode-jsonrpc over postMessage, typed by src/protocol/page.ts. */
import {
  AbstractMessageReader,
  AbstractMessageWriter,
  CancellationTokenSource,
  createMessageConnection,
  Emitter,
  Message,
  ResponseError,
} from 'vscode-jsonrpc/browser.js';
import type {
  DataCallback,
  Disposable,
  MessageConnection,
  MessageReader,
  MessageWriter,
} from 'vscode-jsonrpc/browser.js';
import { BasinError, toErrorData } from '../src/protocol/errors.ts';
import type { ErrorData } from '../src/protocol/errors.ts';
import type { PageNotifications, PageRequests } from '../src/protocol/page.ts';

/** What VS Code gives a webview; a page may ask for it once. */
export interface Host {
  postMessage(message: unknown): void;
  getState(): unknown;
  setState(state: unknown): void;
}

/** Reads JSON-RPC messages out of `message` events; anything else that is posted to the page is not ours. */
export class PostMessageReader extends AbstractMessageReader implements MessageReader {
  private readonly data = new Emitter<Message>();
  private readonly listener = (event: Event): void => {
    const message: unknown = (event as MessageEvent).data;
    if (
      Message.isRequest(message as Message) ||
      Message.isNotification(message as Message) ||
      Message.isResponse(message as Message)
    ) {
      this.data.fire(message as Message);
    }
  };

  constructor(private readonly target: EventTarget) {
    super();
    target.addEventListener('message', this.listener);
  }

  listen(callback: DataCallback): Disposable {
    return this.data.event(callback);
  }

  override dispose(): void {
    super.dispose();
    this.target.removeEventListener('message', this.listener);
    this.data.dispose();
  }
}

/** Posts messages as they are: the structured clone is the encoding. */
export class PostMessageWriter extends AbstractMessageWriter implements MessageWriter {
  constructor(private readonly post: (message: Message) => void) {
    super();
  }

  write(message: Message): Promise<void> {
    try {
      this.post(message);
      return Promise.resolve();
    } catch (error) {
      this.fireError(error, message, undefined);
      return Promise.reject(error instanceof Error ? error : new Error(String(error)));
    }
  }

  end(): void {
    // A window cannot be closed for writing.
  }
}

/** Typed calls to the host and its notifications. */
export class PageWire {
  private readonly connection: MessageConnection;

  constructor(target: EventTarget, post: (message: unknown) => void) {
    this.connection = createMessageConnection(new PostMessageReader(target), new PostMessageWriter(post));
  }

  /** Notifications are handed over from here on; register handlers before. */
  listen(): void {
    this.connection.listen();
  }

  on<N extends keyof PageNotifications>(method: N, handler: (params: PageNotifications[N]) => void): void {
    this.connection.onNotification(method, handler);
  }

  /**
   * Asks the host.
   * @throws BasinError as the host gave it; `cancelled` when the signal was aborted
   */
  async request<M extends keyof PageRequests>(
    method: M,
    params: PageRequests[M]['params'],
    signal?: AbortSignal,
  ): Promise<PageRequests[M]['result']> {
    const source = new CancellationTokenSource();
    const abort = (): void => source.cancel();
    signal?.addEventListener('abort', abort, { once: true });
    if (signal?.aborted) abort();
    try {
      return await this.connection.sendRequest<PageRequests[M]['result']>(method, params, source.token);
    } catch (error) {
      throw fromWire(error);
    } finally {
      signal?.removeEventListener('abort', abort);
      source.dispose();
    }
  }
}

function fromWire(error: unknown): BasinError {
  const data = error instanceof ResponseError ? (error.data as Partial<ErrorData> | undefined) : undefined;
  if (data?.code !== undefined && data.message !== undefined) return BasinError.fromData(data as ErrorData);
  // LSP's RequestCancelled: the host gave up on a request whose token was cancelled.
  if (error instanceof ResponseError && error.code === -32800)
    return new BasinError('cancelled', 'Cancelled.');
  return BasinError.fromData(toErrorData(error));
}

/** The wire and the state of this webview. */
export function connect(): { wire: PageWire; host: Host } {
  const host = (globalThis as unknown as { acquireVsCodeApi(): Host }).acquireVsCodeApi();
  return { wire: new PageWire(window, (message) => host.postMessage(message)), host };
}
