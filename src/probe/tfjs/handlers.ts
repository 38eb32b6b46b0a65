/** Answers to every request of the evaluator wire, synchronously, on the main thread of the training process. */
import { BasinError } from '../../protocol/errors.ts';
import {
  EVALUATOR_PROTOCOL,
  type EvaluatorDescription,
  type EvaluatorStatus,
  type WireMethod,
  type WireRequests,
} from '../../protocol/evaluator.ts';
import type { ObjectiveInfo } from '../../protocol/run.ts';
import type { Standing } from '../../protocol/standing.ts';
import { countSamples, requireBatches, selectBatches } from './batches.ts';
import type { Batch, Capture } from './capture.ts';
import { assignVector, contents, restoreCheckpoint, takeCheckpoint, type Checkpoint } from './checkpoint.ts';
import { currentState, Evaluation } from './evaluation.ts';
import { exportModel } from './exportModel.ts';
import { parameterStatistics } from './parameterStatistics.ts';
import { seesPredictions } from './predictions.ts';
import { withSession } from './replay.ts';
import { secondMoment } from './secondMoment.ts';
import type { TrainingData } from './trainingData.ts';
import { saveVector, type Vector } from './vectorFile.ts';
import { dot, Vectors } from './vectors.ts';

/** What the recording side gives: the objective, its data, and where the process stands. */
export interface EvaluatorHost {
  readonly capture: Capture;
  readonly objective: ObjectiveInfo;
  readonly objectiveIndex: number;
  readonly role: 'live' | 'frozen';
  readonly versions: Readonly<Record<string, string>>;
  /** The evaluation set; null when there is none (yet). Batches keep their identity between calls. */
  data(split: 'train' | 'validation'): readonly Batch[] | null;
  status(): Omit<EvaluatorStatus, 'connectionSeconds'>;
  /** The optimizer that moves the objective; null when there is none (yet), or training stands before its first step. */
  optimizer(): object | null;
  /** What the objective trains on. @throws BasinError `busy` while the process trains */
  trainingData(): TrainingData;
  /** Lets a held process end, and a frozen one exit; returns at once. */
  resume(): void;
  /** What a debugger may do while training stands; in a frozen process, that is to look at other weights. */
  readonly training: TrainingControl;
}

/** Training that stands still, in a debugger's hands. */
export interface TrainingControl {
  /** The gradient of the step under way, flat. @throws BasinError `not-allowed` where there is none */
  gradient(): Float32Array;
  /** Has the present weights written as a snapshot. @throws BasinError `unsupported` where recording has ended */
  snapshot(of: number | undefined): number;
  /** @throws BasinError `not-allowed` but at a boundary */
  requireBoundary(): void;
  /** The weights were put back to those of a step: what is measured between steps begins anew. */
  rewound(to: number): void;
  /** The optimizer that moves the weights next, where it is known, also before its first update; else the last one. */
  optimizer(): object | null;
  /** By name; of the whole process, so that a debugger that comes back finds them. */
  readonly checkpoints: Map<string, Checkpoint>;
  /** Records in another run from here on. @throws BasinError `not-allowed` but at a boundary */
  branch(directory: string): Standing;
}

export interface RequestContext {
  /** Seconds that answers to the same connection have taken before this one. */
  readonly connectionSeconds: () => number;
  /** Asked between batches; when true the request ends with BasinError `cancelled`. */
  cancelled(): boolean;
}

/** All but the debugger's words to training itself, which are answered when it stands. */
export type AnsweredMethod = Exclude<WireMethod, 'pause' | 'proceed' | 'detach'>;

export type Handlers = {
  [M in AnsweredMethod]: (
    params: WireRequests[M]['params'],
    context: RequestContext,
  ) => WireRequests[M]['result'];
};

/** One connection's handlers and the vectors that it named. The token and protocol of hello are checked by the wire. */
export interface EvaluatorSession {
  readonly handlers: Handlers;
  readonly objective: number;
  /** Frees everything that the connection held. */
  dispose(): void;
}

export function createSession(host: EvaluatorHost): EvaluatorSession {
  const { capture, objective } = host;
  const vectors = new Vectors(objective);
  const drawn = new Map</* name */ string, readonly Batch[]>();
  const evaluation = new Evaluation(
    capture,
    (split) => host.data(split),
    (name) => {
      const batches = drawn.get(name);
      if (batches !== undefined) return batches;
      throw new BasinError(
        'not-found',
        `No batches were drawn under the name "${name}".`,
        'Draw them first.',
      );
    },
  );
  const handlers: Handlers = {
    hello: () => describe(host, evaluation),
    status: (_, { connectionSeconds }) => ({ ...host.status(), connectionSeconds: connectionSeconds() }),
    resume: () => {
      host.resume();
      return {};
    },

    load({ into, from }) {
      if (from === 'current') return { norm: vectors.set(into, current(capture)) };
      if (from === 'gradient')
        return { norm: vectors.set(into, { values: host.training.gradient(), state: null }) };
      if (from === 'second-moment') {
        const values = secondMoment(host.optimizer(), capture.variables);
        return { norm: vectors.set(into, { values, state: null }) };
      }
      return { norm: vectors.loadFile(into, from.file) };
    },
    combine: ({ into, terms, state }, { cancelled }) => ({
      norm: vectors.combine(into, terms, state, cancelled),
    }),
    dots: ({ pairs }) => ({
      values: pairs.map(([a, b]) => dot(vectors.get(a).values, vectors.get(b).values)),
    }),
    gram: ({ vectors: operands, origin }, { cancelled }) => ({
      rows: vectors.gram(operands, origin, cancelled),
    }),
    random: ({ into, seed, like, normalisation, include }) => ({
      norm: vectors.random(into, seed, like, normalisation, include),
    }),
    normalise: ({ vector, like, normalisation, include }) => ({
      norm: vectors.normalise(vector, like, normalisation, include),
    }),
    restrict: ({ vector, into, parameters }) => ({ norm: vectors.restrict(vector, into, parameters) }),
    elementwise: ({ into, function: name, of, constant }) => ({
      norm: vectors.elementwise(into, name, of, constant),
    }),
    orthogonalise: ({ vector, against }) => vectors.orthogonalise(vector, against),
    release: ({ vectors: names }) => ({ released: vectors.release(names) }),

    loss: ({ origin, directions, coefficients, how }, { cancelled }) => {
      const start = performance.now();
      const ds = directions.map((d) => vectors.get(d).values);
      if (coefficients.some((c) => c.length !== ds.length)) {
        throw new BasinError('bad-input', `A point of this plane has ${String(ds.length)} coefficients.`);
      }
      const points = evaluation.losses(vectors.get(origin), ds, coefficients, how, cancelled);
      return { points, seconds: (performance.now() - start) / 1000 };
    },
    score: ({ members, how, combine }, { cancelled }) => {
      const [first, ...others] = members.map((m) => vectors.get(m));
      if (first === undefined) throw new BasinError('bad-input', 'There is nothing to score.');
      return others.length === 0
        ? evaluation.score(first, how, cancelled)
        : evaluation.ensemble([first, ...others], how, combine, cancelled);
    },
    samples: ({ members, how, inputGradient, combine }, { cancelled }) =>
      evaluation.samples(
        members.map((m) => vectors.get(m)),
        how,
        inputGradient,
        combine,
        cancelled,
      ),
    predictions: ({ vector, how }, { cancelled }) =>
      evaluation.predictions(vectors.get(vector), how, cancelled),
    draw: ({ into, seed, from, count }, { cancelled }) => {
      if (![seed, from, count].every((n) => Number.isSafeInteger(n) && n >= 0)) {
        throw new BasinError(
          'bad-input',
          'Batches are drawn by a seed, from a position, and so many: whole numbers from 0.',
        );
      }
      const { batches, source } = host.trainingData().draw(seed, from, count, cancelled);
      drawn.set(into, batches);
      return { source, samples: countSamples(batches) };
    },
    gradient: ({ at, into, how, keepState = false }, { cancelled }) => {
      if (keepState && how.mode === 'inference') {
        throw new BasinError(
          'bad-input',
          'State is kept of what is evaluated as trained.',
          'Ask for the mode as-trained.',
        );
      }
      const weights = vectors.get(at);
      const { loss, values, state } = evaluation.gradient(weights, how, cancelled, keepState);
      if (state !== null) vectors.set(at, { values: weights.values, state });
      return { loss, norm: vectors.set(into, { values, state: null }) };
    },
    hvp: ({ at, vector, into, how, method, matrix = 'hessian' }, { cancelled }) => {
      const [weights, { values }] = [vectors.get(at), vectors.get(vector)];
      if (!['hessian', 'gauss-newton'].includes(matrix)) {
        throw new BasinError(
          'bad-input',
          `There is no matrix "${matrix}".`,
          'Ask for hessian or gauss-newton.',
        );
      }
      const product =
        matrix === 'gauss-newton'
          ? evaluation.gaussNewtonProduct(weights, values, how, method, cancelled)
          : evaluation.hessianProduct(weights, values, how, method, cancelled);
      const length = vectors.set(into, { values: product.values, state: null });
      return { method: product.method, norm: length, reason: product.reason };
    },
    refreshStatistics: ({ vector, data }, { cancelled }) => {
      const v = vectors.get(vector);
      const batches = selectBatches(requireBatches(host.data(data.split), data.split), data);
      const { state, tensors } = evaluation.refresh(v, batches, cancelled);
      vectors.set(vector, { values: v.values, state });
      return { tensors, samples: countSamples(batches) };
    },
    verify: ({ vector, batch }) => {
      const b = requireBatches(host.data('train'), 'train')[batch];
      if (b === undefined || b.loss === null) {
        throw new BasinError('bad-input', `There is no recorded batch ${String(batch)}.`);
      }
      const { values, state } = vectors.get(vector);
      const replayed = withSession(capture, (session) => {
        session.setState(state);
        session.setParameters(session.parameters(values));
        return session.loss(b);
      });
      return { step: b.step, recorded: b.loss, replayed };
    },

    save: ({ vector, file, metadata }) => ({
      bytes: saveVector(file, objective, vectors.get(vector), metadata),
    }),
    exportModel({ vector, directory, format }) {
      if (format !== 'tfjs') {
        throw new BasinError(
          'unsupported',
          `TensorFlow.js writes no ${format} file.`,
          'Use the format tfjs.',
        );
      }
      return { files: exportModel(capture, vectors.get(vector), directory) };
    },

    snapshot: ({ of }) => ({ step: host.training.snapshot(of) }),
    statistics: ({ vector }) => ({
      parameters: parameterStatistics(vectors.get(vector).values, objective.parameters),
    }),
    checkpoint({ name }) {
      const kept = takeCheckpoint(capture, host.training.optimizer(), host.status().step);
      host.training.checkpoints.set(name, kept);
      return contents(kept);
    },
    rewind({ name }) {
      const { checkpoints, requireBoundary, rewound } = host.training;
      const kept = checkpoints.get(name);
      if (kept === undefined) {
        throw new BasinError(
          'not-found',
          `There is no checkpoint ${name}.`,
          'Go back to a snapshot instead.',
        );
      }
      requireBoundary();
      const restored = restoreCheckpoint(kept, host.training.optimizer());
      rewound(kept.step);
      return restored;
    },
    assign({ vector, of: step = host.status().step }) {
      const { requireBoundary, rewound } = host.training;
      requireBoundary();
      const restored = assignVector(capture, vectors.get(vector), step);
      rewound(step);
      return restored;
    },
    forget({ names }) {
      for (const name of names) host.training.checkpoints.delete(name);
      return {};
    },
    branch: ({ directory }) => host.training.branch(directory),
  };
  return {
    handlers,
    objective: host.objectiveIndex,
    dispose: () => {
      vectors.clear();
      drawn.clear();
    },
  };
}

/** The weights and state that training has now. */
function current(capture: Capture): Vector {
  if ([...capture.variables, ...capture.state].some((v) => v.isDisposed)) {
    throw new BasinError(
      'unsupported',
      'The script has disposed of its model, so it has no present weights.',
      'Load a snapshot instead.',
    );
  }
  const values = new Float32Array(capture.variables.reduce((n, v) => n + v.size, 0));
  let offset = 0;
  for (const v of capture.variables) {
    values.set(v.dataSync(), offset);
    offset += v.size;
  }
  return { values, state: currentState(capture) };
}

function describe(host: EvaluatorHost, evaluation: Evaluation): EvaluatorDescription {
  const { capture } = host;
  const split = (name: 'train' | 'validation'): { samples: number; batches: number } | null => {
    const batches = host.data(name);
    return batches === null ? null : { samples: countSamples(batches), batches: batches.length };
  };
  return {
    protocol: EVALUATOR_PROTOCOL,
    role: host.role,
    framework: 'tfjs',
    backend: capture.engine.backendName,
    versions: host.versions,
    objectiveIndex: host.objectiveIndex,
    objective: host.objective,
    modes: capture.layers.length > 0 ? ['inference', 'as-trained'] : ['as-trained'],
    hasStatistics: evaluation.hasStatistics,
    predictions: seesPredictions(capture),
    train: split('train'),
    validation: split('validation'),
  };
}
