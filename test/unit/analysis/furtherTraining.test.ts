/** Training further: schedules against the papers' formulas, steps against closed forms, and what is made of the weights. */
import assert from 'node:assert/strict';
import {
  rateAt,
  requireSchedule,
  takenAfter,
  type RateSchedule,
  type ScheduleName,
} from '../../../src/analysis/rateSchedule.ts';
import { requireSettings, Sgd, type SgdSettings } from '../../../src/analysis/sgd.ts';
import { swa, type SwaInput } from '../../../src/analysis/swa.ts';
import { trainedEnsemble, type TrainedEnsembleInput } from '../../../src/analysis/trainedEnsemble.ts';
import { withVectors } from '../../../src/analysis/vectors.ts';
import { gaussianRows, gaussians } from '../../fixtures/gaussian.ts';
import { classifier, diagonalQuadratic, linearRegression } from '../../fixtures/problems.ts';
import { ReferenceEvaluator, testContext } from '../../fixtures/referenceEvaluator.ts';

const plain: SgdSettings = { momentum: 0, nesterov: false, weightDecay: 0, clip: null };
const signal = new AbortController().signal;

function close(found: number, wanted: number, tolerance = 1e-12): void {
  assert.ok(Math.abs(found - wanted) <= tolerance * Math.max(1, Math.abs(wanted)), `${found} and ${wanted}`);
}

/** Trains a start of ones, and gives the weights behind each step. */
async function path(
  evaluator: ReferenceEvaluator,
  start: readonly number[],
  settings: SgdSettings,
  rates: readonly number[],
  position = 0,
): Promise<number[][]> {
  return withVectors(evaluator, async (vectors) => {
    const at = await vectors.load(evaluator.put('start', start), 'weights', signal);
    const sgd = new Sgd(evaluator, vectors, at, settings, 3, position);
    const found: number[][] = [];
    for (const [i, rate] of rates.entries()) {
      await sgd.step(rate, rates.length - i, signal);
      await evaluator.save({ vector: at, file: 'now', metadata: {} });
      found.push(Array.from(evaluator.files.get('now')?.values ?? []));
    }
    return found;
  });
}

describe('learning-rate schedules', () => {
  const schedule = (name: ScheduleName, cycle: number): RateSchedule => ({
    name,
    high: 0.05,
    low: 0.0005,
    cycle,
  });
  const rates = (s: RateSchedule, steps: number): number[] =>
    Array.from({ length: steps }, (_, i) => rateAt(s, i + 1));

  it("cyclic: SWA's sawtooth, which ends each cycle at the lowest rate", () => {
    // α(i) = (1 − t(i))·α₁ + t(i)·α₂, t(i) = (mod(i − 1, c) + 1)/c
    rates(schedule('cyclic', 4), 8).forEach((rate, i) => {
      const t = [0.25, 0.5, 0.75, 1][i % 4]!;
      close(rate, (1 - t) * 0.05 + t * 0.0005);
    });
    const taken = [1, 2, 3, 4, 5, 6, 7, 8].filter((i) => takenAfter(schedule('cyclic', 4), i));
    assert.deepEqual(taken, [4, 8]);
  });

  it("triangular: FGE's, lowest in the middle of each cycle, where weights are taken", () => {
    // (1 − 2t)·α₁ + 2t·α₂ up to t = ½, and then (2 − 2t)·α₂ + (2t − 1)·α₁
    const found = rates(schedule('triangular', 4), 8);
    [0.02525, 0.0005, 0.02525, 0.05].forEach((wanted, i) => {
      close(found[i]!, wanted);
      close(found[i + 4]!, wanted);
    });
    const taken = Array.from({ length: 12 }, (_, i) => i + 1).filter((i) =>
      takenAfter(schedule('triangular', 4), i),
    );
    assert.deepEqual(taken, [2, 6, 10]);
    assert.ok(taken.every((i) => rateAt(schedule('triangular', 4), i) === 0.0005));
  });

  it('cosine: half a cosine from the highest rate in each cycle', () => {
    // α₀/2·(cos(π·mod(t − 1, ⌈T/M⌉)/⌈T/M⌉) + 1), T = 12 steps in M = 3 cycles
    rates(schedule('cosine', 4), 12).forEach((rate, i) => {
      close(rate, 0.025 * (Math.cos((Math.PI * (i % 4)) / 4) + 1));
    });
    assert.deepEqual(
      Array.from({ length: 12 }, (_, i) => i + 1).filter((i) => takenAfter(schedule('cosine', 4), i)),
      [4, 8, 12],
    );
  });

  it('refuses cycles and rates that make no sense', () => {
    assert.throws(() => requireSchedule(schedule('triangular', 5)), { code: 'bad-input', cure: /6|4/ });
    assert.throws(() => requireSchedule({ ...schedule('cyclic', 4), low: 1 }), { code: 'bad-input' });
    assert.throws(() => requireSchedule({ ...schedule('constant', 4), high: 0 }), { code: 'bad-input' });
    assert.throws(() => requireSchedule(schedule('cosine', 0)), { code: 'bad-input' });
    for (const wrong of [{ momentum: 1 }, { nesterov: true }, { weightDecay: -1 }, { clip: 0 }])
      assert.throws(() => requireSettings({ ...plain, ...wrong }), { code: 'bad-input' });
  });
});

describe('SGD', () => {
  const lambda = [2, 0.5];
  const quadratic = () => new ReferenceEvaluator(diagonalQuadratic(lambda), { precision: 'float64' });
  const steps = 12;
  const constant = Array<number>(steps).fill(0.1);

  it('goes (1 − ηλ)ᵏ on a quadratic', async () => {
    const found = await path(quadratic(), [1, -3], plain, constant);
    found.forEach((w, k) => lambda.forEach((l, i) => close(w[i]!, [1, -3][i]! * (1 - 0.1 * l) ** (k + 1))));
  });

  it('goes by the two roots of the heavy ball with momentum', async () => {
    const beta = 0.5;
    const found = await path(
      quadratic(),
      [1, 1],
      { ...plain, momentum: beta },
      Array<number>(steps).fill(0.02),
    );
    lambda.forEach((l, i) => {
      // θ_{k+1} = (1 + β − ηλ)·θ_k − β·θ_{k−1}, θ₀ = 1, θ₁ = 1 − ηλ
      const b = 1 + beta - 0.02 * l;
      const root = Math.sqrt(b * b - 4 * beta);
      const [r, s] = [(b + root) / 2, (b - root) / 2];
      const first = 1 - 0.02 * l;
      const [p, q] = [(first - s) / (r - s), (r - first) / (r - s)];
      found.forEach((w, k) => close(w[i]!, p * r ** (k + 1) + q * s ** (k + 1), 1e-10));
    });
  });

  for (const weightDecay of [0, 0.3]) {
    it(`goes by the powers of Nesterov's matrix, weight decay ${weightDecay}`, async () => {
      const [beta, rate] = [0.8, 0.1];
      const settings = { momentum: beta, nesterov: true, weightDecay, clip: null };
      const found = await path(quadratic(), [1, 1], settings, constant);
      lambda.forEach((l0, i) => {
        const l = l0 + weightDecay;
        let [theta, v] = [1, 0];
        found.forEach((w) => {
          // (θ, v) ← ((1 − ηλ(1 + β))·θ − ηβ²·v, λθ + βv)
          [theta, v] = [(1 - rate * l * (1 + beta)) * theta - rate * beta * beta * v, l * theta + beta * v];
          close(w[i]!, theta);
        });
      });
    });
  }

  it('decays weights as a steeper quadratic', async () => {
    const found = await path(quadratic(), [1, 1], { ...plain, weightDecay: 0.3 }, constant);
    found.forEach((w, k) => lambda.forEach((l, i) => close(w[i]!, (1 - 0.1 * (l + 0.3)) ** (k + 1))));
  });

  it('shortens a long gradient to the norm that is asked for, and leaves a short one', async () => {
    const [far, near] = [
      await path(quadratic(), [100, 0], { ...plain, clip: 0.5 }, [0.1]),
      await path(quadratic(), [0.1, 0], { ...plain, clip: 0.5 }, [0.1]),
    ];
    close(far[0]![0]!, 100 - 0.05, 1e-6);
    close(near[0]![0]!, 0.1 - 0.1 * 0.2);
  });

  it('reads the order on from a position as one that has come there', async () => {
    const x = gaussianRows(48, 3, 5);
    const evaluator = () =>
      new ReferenceEvaluator(
        linearRegression(
          x,
          x.map((row) => row[0]! + 1),
        ),
        { batchSize: 8, precision: 'float64' },
      );
    const whole = await path(evaluator(), [0, 0, 0], plain, Array<number>(20).fill(0.05));
    const head = await path(evaluator(), [0, 0, 0], plain, Array<number>(9).fill(0.05));
    const tail = await path(evaluator(), head[8]!, plain, Array<number>(11).fill(0.05), 9);
    assert.deepEqual([...head, ...tail], whole);
    const again = await path(evaluator(), head[8]!, plain, Array<number>(11).fill(0.05), 0);
    assert.notDeepEqual(again, tail);
  });
});

/** Noisy labels: gradient noise that only averaging removes. */
function noisy() {
  const next = gaussians(9);
  const data = (rows: number, seed: number) => {
    const x = gaussianRows(rows, 6, seed);
    return { x, labels: x.map((row) => (row[0]! + 1.5 * next() > 0 ? 1 : 0)) };
  };
  const problem = classifier({
    units: [6, 2],
    activation: 'tanh',
    bias: false,
    train: data(240, 1),
    validation: data(600, 2),
  });
  const evaluator = new ReferenceEvaluator(problem, { batchSize: 8 });
  const start = Array.from({ length: 12 }, gaussians(4));
  const at = { id: '40', vector: evaluator.put('start', start) };
  const input = {
    at,
    schedule: { name: 'constant', high: 0.8, low: 0.8, cycle: 15 },
    settings: plain,
    steps: 300,
    seed: 1,
    continuesAt: 40,
    mode: 'inference',
    last: { step: 40, vector: at.vector, loss: null },
    script: { name: 'SGD', matched: false },
    model: { id: 'average-1', file: 'average-1', metadata: {} },
  } satisfies SwaInput;
  return { evaluator, input };
}

describe('stochastic weight averaging with more training', () => {
  it('averages the origin and the end of every cycle, and beats its iterates where they are noisy', async () => {
    const { evaluator, input } = noisy();
    const result = await swa(evaluator, input, testContext());
    assert.equal(result.complete, true);
    assert.equal(result.iterates.length, 21);
    assert.deepEqual(
      result.iterates.map((i) => i.step),
      Array.from({ length: 21 }, (_, i) => 15 * i),
    );
    assert.ok(result.score.validation!.loss! < result.meanIterate.validation!);
    assert.deepEqual(result.training.batches, { from: 40, to: 340 });
    assert.equal(result.training.samplesRead, 2400);
    assert.equal(result.training.path.at(-1)?.step, 300);
    assert.ok(evaluator.files.has('average-1'));
    assert.deepEqual(evaluator.held, []);
    assert.match(result.trust.join(' '), /240 distinct samples.*2400 samples read, 10 epochs/);
  });

  it('is the mean of the points, to the bit of a running mean', async () => {
    const { evaluator, input } = noisy();
    const points: number[][] = [];
    const combine = evaluator.combine.bind(evaluator);
    evaluator.combine = async (params, aborted) => {
      const answer = await combine(params, aborted);
      if (params.into.includes('iterate')) {
        await evaluator.save({ vector: params.into, file: 'point', metadata: {} });
        points.push(Array.from(evaluator.files.get('point')!.values));
      }
      return answer;
    };
    await swa(evaluator, { ...input, steps: 60 }, testContext());
    points.unshift(Array.from(evaluator.files.get('start')!.values));
    assert.equal(points.length, 5);
    const average = Array.from(evaluator.files.get('average-1')!.values);
    average.forEach((x, i) => close(x, points.reduce((s, p) => s + p[i]!, 0) / 5));
  });

  it('is the same again by the same seed, and another by another', async () => {
    const run = async (seed: number) => {
      const { evaluator, input } = noisy();
      return (await swa(evaluator, { ...input, seed, steps: 45 }, testContext())).score;
    };
    assert.deepEqual(await run(1), await run(1));
    assert.notDeepEqual(await run(2), await run(1));
  });

  it('keeps what is there when it is cancelled, and nothing before there is anything', async () => {
    for (const [gradients, kept] of [
      [50, true],
      [10, false],
    ] as const) {
      const { evaluator, input } = noisy();
      const context = testContext();
      let seen = 0;
      evaluator.before = (method) => {
        if (method === 'gradient' && ++seen > gradients) context.controller.abort();
      };
      const work = swa(evaluator, input, context);
      if (!kept) {
        await assert.rejects(work, { code: 'cancelled' });
        assert.ok(!evaluator.files.has('average-1'));
      } else {
        const result = await work;
        assert.equal(result.complete, false);
        assert.equal(result.training.steps, 50);
        assert.equal(result.iterates.length, 4);
        assert.match(result.trust.join(' '), /Stopped after 50 of 300 steps/);
        assert.ok(evaluator.files.has('average-1'));
      }
      assert.deepEqual(evaluator.held, []);
    }
  });

  it('says where it diverges', async () => {
    const { evaluator, input } = noisy();
    const at = { id: 'x', vector: evaluator.put('far', Array<number>(12).fill(Infinity)) };
    await assert.rejects(swa(evaluator, { ...input, at }, testContext()), {
      code: 'non-finite',
      cure: /--rate/,
    });
  });
});

describe('ensembles of further training', () => {
  const ensembleInput = (input: SwaInput, schedule: RateSchedule, steps: number): TrainedEnsembleInput => {
    let count = 0;
    return {
      ...input,
      schedule,
      steps,
      model: 'ensemble-1',
      keep: () => {
        const id = `point-${++count}`;
        return Promise.resolve({ id, file: id, metadata: {} });
      },
    };
  };

  it('take their members where the rate is lowest, save them, and score each and all', async () => {
    for (const [name, steps] of [
      ['triangular', [10, 30, 50]],
      ['cosine', [20, 40, 60]],
    ] as const) {
      const { evaluator, input } = noisy();
      const asked = ensembleInput(input, { name, high: 0.8, low: 0.01, cycle: 20 }, 60);
      const result = await trainedEnsemble(evaluator, asked, testContext());
      assert.deepEqual(
        result.members.map((m) => m.step),
        steps,
      );
      assert.deepEqual(
        result.members.map((m) => m.model),
        ['point-1', 'point-2', 'point-3'],
      );
      assert.ok(result.members.every((m) => evaluator.files.has(m.model)));
      assert.equal(result.forwardPasses, 3);
      // Jensen: the log loss of the mean probability is at most the mean of the members'.
      const mean = result.members.reduce((s, m) => s + m.score.train.loss! / 3, 0);
      assert.ok(result.score.train.loss! <= mean + 1e-12);
      assert.deepEqual(evaluator.held, []);
    }
  });

  it('keep the members that are there when they are cancelled', async () => {
    const { evaluator, input } = noisy();
    const context = testContext();
    let seen = 0;
    evaluator.before = (method) => {
      if (method === 'gradient' && ++seen > 45) context.controller.abort();
    };
    const asked = ensembleInput(input, { name: 'cosine', high: 0.8, low: 0, cycle: 20 }, 100);
    const result = await trainedEnsemble(evaluator, asked, context);
    assert.equal(result.complete, false);
    assert.equal(result.members.length, 2);
    assert.equal(result.training.steps, 45);
  });

  it('need a budget for two members, and predictions', async () => {
    const { evaluator, input } = noisy();
    const asked = ensembleInput(input, { name: 'cosine', high: 0.8, low: 0, cycle: 20 }, 30);
    await assert.rejects(trainedEnsemble(evaluator, asked, testContext()), { code: 'bad-input' });
    const blind = new ReferenceEvaluator(diagonalQuadratic([1]));
    await assert.rejects(trainedEnsemble(blind, asked, testContext()), { code: 'unsupported' });
  });
});
