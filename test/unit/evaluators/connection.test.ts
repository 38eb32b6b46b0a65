import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type EvaluatorConnection } from '../../../src/evaluators/connection.ts';
import { BasinError, isCancelled, type ErrorCode } from '../../../src/protocol/errors.ts';
import { EvaluatorServer } from '../../fixtures/evaluatorServer.ts';
import { linearRegression } from '../../fixtures/problems.ts';
import { ReferenceEvaluator } from '../../fixtures/referenceEvaluator.ts';

const hasCode = (code: ErrorCode) => (error: unknown) => error instanceof BasinError && error.code === code;
const how = { data: { split: 'train' }, mode: 'inference', refresh: false } as const;

describe('evaluator connection', () => {
  let reference: ReferenceEvaluator;
  let server: EvaluatorServer;
  let evaluator: EvaluatorConnection;
  beforeEach(async () => {
    reference = new ReferenceEvaluator(
      linearRegression(
        [
          [1, 2],
          [3, -1],
        ],
        [1, 2],
      ),
    );
    server = await EvaluatorServer.start(reference);
    evaluator = await connect(server.endpoint, { objective: 0 });
  });
  afterEach(async () => {
    evaluator.close();
    await server.stop();
  });

  it('greets and learns what can be asked', () => {
    assert.deepEqual(evaluator.description, reference.description);
  });

  it('asks and hears answers', async () => {
    const at = reference.put('a snapshot', [1, 1]);
    await evaluator.load({ into: 'w', from: at });
    const direct = await reference.loss({ origin: 'w', directions: [], coefficients: [[]], how });
    const asked = await evaluator.loss({ origin: 'w', directions: [], coefficients: [[]], how });
    assert.deepEqual(asked.points, direct.points);
  });

  it('carries losses that are not finite', async () => {
    reference.put('far', [1e200, 1e200]);
    await evaluator.load({ into: 'w', from: { file: 'far' } });
    const { points } = await evaluator.loss({ origin: 'w', directions: [], coefficients: [[]], how });
    assert.equal(points[0]?.loss, Infinity);
    reference.put('nan', [NaN, 0]);
    await evaluator.load({ into: 'w', from: { file: 'nan' } });
    const other = await evaluator.loss({ origin: 'w', directions: [], coefficients: [[]], how });
    assert.ok(Number.isNaN(other.points[0]?.loss));
  });

  it("fails with the peer's own error", async () => {
    await assert.rejects(evaluator.load({ into: 'w', from: { file: 'none' } }), (error: unknown) => {
      assert.ok(hasCode('not-found')(error));
      assert.match((error as BasinError).message, /none/);
      return true;
    });
  });

  it('refuses a wrong token', async () => {
    await assert.rejects(
      connect({ ...server.endpoint, token: 'guess' }, { objective: 0 }),
      hasCode('not-allowed'),
    );
  });

  it('cancels at once, tells the peer, and stays usable', async () => {
    let open = (): void => undefined;
    server.gate = new Promise((resolve) => (open = resolve));
    const controller = new AbortController();
    const asked = evaluator.status({}, controller.signal);
    setTimeout(() => controller.abort(), 30);
    await assert.rejects(asked, isCancelled);
    while (server.cancellations === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    open();
    assert.equal((await evaluator.status({})).state, 'frozen');
    await assert.rejects(evaluator.status({}, controller.signal), isCancelled);
  });

  it('settles every open request when the peer dies, and every later one', async () => {
    server.gate = new Promise(() => undefined);
    const open = Array.from({ length: 5 }, () => evaluator.status({}));
    setTimeout(() => server.drop(), 30);
    const outcomes = await Promise.allSettled(open);
    for (const outcome of outcomes) {
      assert.ok(outcome.status === 'rejected' && hasCode('process-ended')(outcome.reason));
      assert.notEqual((outcome.reason as BasinError).cure, undefined);
    }
    await evaluator.closed;
    await assert.rejects(evaluator.status({}), hasCode('process-ended'));
  });

  it('settles what is written to a peer that has gone without a word yet, and leaves no rejection behind', async () => {
    const unhandled: unknown[] = [];
    const note = (error: unknown): void => void unhandled.push(error);
    process.prependListener('unhandledRejection', note);
    try {
      server.drop();
      await assert.rejects(evaluator.status({}), hasCode('process-ended'));
      await new Promise((resolve) => setTimeout(resolve, 20));
      assert.deepEqual(unhandled, []);
    } finally {
      process.off('unhandledRejection', note);
    }
  });

  it('settles open requests when it is closed from this side', async () => {
    server.gate = new Promise(() => undefined);
    const asked = evaluator.status({});
    setTimeout(() => evaluator.close(), 20);
    await assert.rejects(asked, hasCode('process-ended'));
  });

  it('lets its own process end when the peer has died inside a message', async () => {
    const module = new URL('../../../src/evaluators/connection.ts', import.meta.url).href;
    const asking = spawn(
      process.execPath,
      [
        '--import',
        'tsx',
        '--input-type=module',
        '-e',
        `const { connect } = await import(${JSON.stringify(module)});
         const evaluator = await connect(${JSON.stringify(server.endpoint)}, { objective: 0 });
         console.log('connected');
         await evaluator.status({}).catch((error) => console.log(error.code));`,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'], timeout: 8000 },
    );
    let said = '';
    asking.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
    const ended = once(asking, 'close');
    while (!said.includes('connected')) await new Promise((resolve) => setTimeout(resolve, 20));
    server.gate = new Promise(() => undefined);
    server.begin();
    await new Promise((resolve) => setTimeout(resolve, 100));
    server.drop();
    assert.deepEqual(await ended, [0, null]);
  });

  it('takes a peer that sends no messages for gone', async () => {
    server.gate = new Promise(() => undefined);
    const asked = evaluator.status({});
    setTimeout(() => server.babble(), 20);
    await assert.rejects(asked, hasCode('process-ended'));
  });

  it('fails clearly where nobody listens, and where nobody answers', async () => {
    await assert.rejects(
      connect({ ...server.endpoint, socket: `${server.endpoint.socket}.none` }, { objective: 0 }),
      hasCode('process-ended'),
    );
    server.gate = new Promise(() => undefined);
    await assert.rejects(connect(server.endpoint, { objective: 0, timeout: 60 }), hasCode('timeout'));
    const controller = new AbortController();
    const connecting = connect(server.endpoint, { objective: 0, signal: controller.signal });
    setTimeout(() => controller.abort(), 20);
    await assert.rejects(connecting, isCancelled);
  });
});
