import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { connect, type EvaluatorConnection } from '../../../src/evaluators/connection.ts';
import { sideBySide } from '../../../src/evaluators/sideBySide.ts';
import { BasinError, isCancelled } from '../../../src/protocol/errors.ts';
import { EvaluatorServer } from '../../fixtures/evaluatorServer.ts';
import { classifier } from '../../fixtures/problems.ts';
import { ReferenceEvaluator } from '../../fixtures/referenceEvaluator.ts';
import { gaussians } from '../../fixtures/gaussian.ts';

const how = { data: { split: 'train' }, mode: 'inference', refresh: false } as const;
const coefficients = Array.from({ length: 11 }, (_, i) => [i / 5 - 1, 0.3 * i]);

describe('processes side by side', () => {
  let folder: string;
  let references: ReferenceEvaluator[];
  let servers: EvaluatorServer[];
  let connections: EvaluatorConnection[];
  let together: EvaluatorConnection;
  let alone: ReferenceEvaluator;

  beforeEach(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'basin-side-'));
    const next = gaussians(5);
    const input = Array.from({ length: 40 }, () => [next(), next(), next()]);
    const samples = { x: input, labels: input.map(([a = 0, b = 0]) => (a > 0 ? 0 : b > 0 ? 1 : 2)) };
    const make = (): ReferenceEvaluator =>
      new ReferenceEvaluator(
        classifier({ units: [3, 4, 3], activation: 'tanh', bias: true, train: samples, validation: samples }),
        { batchSize: 20 },
      );
    references = [make(), make(), make()];
    alone = make();
    // One disk for all.
    for (const one of references.slice(1)) Object.assign(one, { files: references[0]!.files });
    const count = alone.description.objective.parameterCount;
    for (const one of [references[0]!, alone])
      one.put('weights', Float64Array.from({ length: count }, gaussians(9)));
    servers = await Promise.all(references.map((one) => EvaluatorServer.start(one)));
    connections = await Promise.all(servers.map(({ endpoint }) => connect(endpoint, { objective: 0 })));
    together = sideBySide(connections[0]!, connections.slice(1), folder);
    for (const one of [together, alone]) {
      await one.load({ into: 'a', from: { file: 'weights' } });
      await one.random({
        into: 'd',
        seed: 1,
        like: 'a',
        normalisation: 'filter',
        include: { bias: true, norm: true },
      });
      await one.gradient({ at: 'a', into: 'g', how });
    }
  });
  afterEach(async () => {
    together.close();
    await Promise.all(servers.map((server) => server.stop()));
    await rm(folder, { recursive: true, force: true });
  });

  const request = { origin: 'a', directions: ['d', 'g'], coefficients, how };
  const asked = (i: number): number =>
    references[i]!.calls.filter((c) => c.method === 'loss').reduce(
      (s, c) => s + (c.params as { coefficients: unknown[] }).coefficients.length,
      0,
    );

  it('share the points, and give them in their order as one alone does', async () => {
    const { points } = await together.loss(request);
    assert.deepEqual(points, (await alone.loss(request)).points);
    assert.deepEqual([asked(0), asked(1), asked(2)], [4, 4, 3]);
    assert.deepEqual(await readdir(folder), []);
  });

  it('are given a vector once, and again when it has been written', async () => {
    const loads = (): number => references[1]!.calls.filter((c) => c.method === 'load').length;
    await together.loss(request);
    assert.equal(loads(), 3);
    await together.loss(request);
    assert.equal(loads(), 3);
    for (const one of [together, alone]) {
      await one.combine({ into: 'g', terms: [{ coefficient: 0.5, vector: 'd' }], state: null });
    }
    assert.deepEqual((await together.loss(request)).points, (await alone.loss(request)).points);
    assert.equal(loads(), 4);
  });

  it('go on without one that ends, and lose no point', async () => {
    await together.loss(request);
    await servers[2]!.stop();
    const wanted = (await alone.loss(request)).points;
    assert.deepEqual((await together.loss(request)).points, wanted);
    const before = asked(0);
    assert.deepEqual((await together.loss(request)).points, wanted);
    assert.equal(asked(0) - before, 6, 'two are left to share 11 points');
  });

  it('hold nothing that has been released', async () => {
    await together.loss(request);
    await together.release({ vectors: ['a', 'd', 'g'] });
    assert.deepEqual(
      references.map((one) => one.held),
      [[], [], []],
    );
  });

  it('are all stopped by one signal, and answer again', async () => {
    const controller = new AbortController();
    references[1]!.before = (method) => {
      if (method === 'loss') controller.abort();
    };
    await assert.rejects(together.loss(request, controller.signal), isCancelled);
    // Cancelling is no failure of theirs: all of them answer the next request.
    references[1]!.before = () => undefined;
    await Promise.all(connections.map((one) => one.status({})));
    const before = asked(2);
    assert.deepEqual((await together.loss(request)).points, (await alone.loss(request)).points);
    assert.equal(asked(2) - before, 3);
  });

  it('tell the same error as one alone', async () => {
    await assert.rejects(
      together.loss({ ...request, origin: 'nowhere' }),
      (error) => error instanceof BasinError && error.code !== 'internal',
    );
  });
});
