import assert from 'node:assert/strict';
import { createMessageConnection, type MessageConnection } from 'vscode-jsonrpc/node.js';
import { AbstractMessageReader, AbstractMessageWriter, type Message } from 'vscode-jsonrpc/node.js';
import { BasinError } from '../../../src/protocol/errors.ts';
import type { JobResult } from '../../../src/protocol/engine.ts';
import { pageHtml } from '../../../src/surface/pageHtml.ts';
import { PageWire, type PageHandlers, type PostTarget } from '../../../src/surface/pageWire.ts';
import { fromResponseError } from '../../../src/surface/wireErrors.ts';

/** A page on the other side of two message ports, which clone what passes as a webview does. */
function connectPage(handlers: Partial<PageHandlers>): {
  host: PageWire;
  page: MessageConnection;
  raw: MessagePort;
} {
  const { port1, port2 } = new MessageChannel();
  const target: PostTarget = {
    postMessage: (message) => {
      port1.postMessage(message);
      return Promise.resolve(true);
    },
    onDidReceiveMessage: (listener) => {
      const hear = (event: MessageEvent): void => listener(event.data);
      port1.addEventListener('message', hear);
      port1.start();
      return { dispose: () => port1.removeEventListener('message', hear) };
    },
  };
  const missing = (): never => assert.fail('not expected');
  const host = new PageWire(target, {
    ready: missing,
    runJob: missing,
    cancelJob: missing,
    saveFile: missing,
    readSteps: missing,
    chooseObjective: missing,
    runCommand: missing,
    ...handlers,
  });
  class Reader extends AbstractMessageReader {
    listen(callback: (message: Message) => void) {
      port2.addEventListener('message', (event: MessageEvent) => callback(event.data as Message));
      port2.start();
      return { dispose: () => port2.close() };
    }
  }
  class Writer extends AbstractMessageWriter {
    write(message: Message): Promise<void> {
      port2.postMessage(message);
      return Promise.resolve();
    }
    end(): void {
      port2.close();
    }
  }
  const page = createMessageConnection(new Reader(), new Writer());
  return { host, page, raw: port2 };
}

describe('the host’s end of the page wire', () => {
  let closing: (() => void)[] = [];
  afterEach(() => {
    for (const close of closing) close();
    closing = [];
  });
  const connected = (handlers: Partial<PageHandlers>) => {
    const all = connectPage(handlers);
    closing.push(() => {
      all.page.dispose();
      all.host.dispose();
      all.raw.close();
    });
    return all;
  };

  it('answers requests and sends notifications', async () => {
    const { host, page } = connected({
      ready: () => ({}),
      saveFile: ({ name }) => ({ saved: `/x/${name}` }),
    });
    const heard = new Promise((resolve) => page.onNotification('showLens', resolve));
    page.listen();
    assert.deepEqual(await page.sendRequest('ready', {}), {});
    assert.deepEqual(await page.sendRequest('saveFile', { name: 'a.png', content: '', encoding: 'utf8' }), {
      saved: '/x/a.png',
    });
    host.notify('showLens', { lens: 'contour' });
    assert.deepEqual(await heard, { lens: 'contour' });
  });

  it('carries errors with code, message and cure', async () => {
    const { page } = connected({
      runJob: () => {
        throw new BasinError('not-replayable', 'It does not replay.', 'Seed it.');
      },
    });
    page.listen();
    const error = fromResponseError(
      await page.sendRequest('runJob', { job: {}, number: 1 }).catch((e: unknown) => e),
    );
    assert.deepEqual(error.toData(), {
      code: 'not-replayable',
      message: 'It does not replay.',
      cure: 'Seed it.',
    });
  });

  it('hands a cancel over', async () => {
    const { page } = connected({
      runJob: (_, signal) =>
        new Promise<JobResult>((_, reject) =>
          signal.addEventListener('abort', () => reject(new BasinError('cancelled', 'Cancelled.'))),
        ),
    });
    page.listen();
    const { CancellationTokenSource } = await import('vscode-jsonrpc/node.js');
    const source = new CancellationTokenSource();
    const asked = page.sendRequest('runJob', { job: {}, number: 1 }, source.token);
    setTimeout(() => source.cancel(), 10);
    assert.equal(fromResponseError(await asked.catch((e: unknown) => e)).code, 'cancelled');
  });

  it('ignores what is not of the wire', async () => {
    const { page, raw } = connected({ ready: () => ({}) });
    page.listen();
    for (const junk of [null, 'text', 42, { command: 'x' }]) raw.postMessage(junk);
    assert.deepEqual(await page.sendRequest('ready', {}), {});
  });
});

describe('the document of a page', () => {
  const source = {
    title: 'a <b> "c" & d',
    language: 'en',
    cspSource: 'https://webview.example',
    script: 'https://webview.example/panel.js',
    style: 'https://webview.example/panel.css',
  };

  it('allows scripts by nonce alone, a new one each time, and no eval', () => {
    const [one, two] = [pageHtml(source), pageHtml(source)];
    const policy = /content="([^"]+)"/.exec(one)?.[1] ?? '';
    const nonce = /&#39;nonce-([\w-]+)&#39;|'nonce-([\w-]+)'/.exec(policy);
    assert.ok(nonce);
    assert.match(one, new RegExp(`<script type="module" nonce="${nonce[1] ?? nonce[2]}"`));
    assert.notEqual(one, two);
    assert.match(policy, /default-src 'none'/);
    assert.doesNotMatch(policy, /unsafe-eval/);
    assert.doesNotMatch(/script-src[^;]*/.exec(policy)?.[0] ?? '', /unsafe-inline/);
  });

  it('escapes what it is given', () => {
    assert.match(pageHtml(source), /<title>a &#60;b&#62; &#34;c&#34; &#38; d<\/title>/);
  });
});
