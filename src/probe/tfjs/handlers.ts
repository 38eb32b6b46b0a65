/** Answers to every request of the evaluator wire, synchronously, on the main thread of the training process. */
import type { EvaluatorMethod, EvaluatorRequests, EvaluatorStatus } from '../../protocol/evaluator.ts';
import type { ObjectiveInfo } from '../../protocol/run.ts';
import type { Batch, Capture } from './capture.ts';

/** What the recording side gives: the objective, its data, and where the process stands. */
export interface EvaluatorHost {
  readonly capture: Capture;
  readonly objective: ObjectiveInfo;
  readonly objectiveIndex: number;
  readonly role: 'live' | 'frozen';
  readonly versions: Readonly<Record<string, string>>;
  /** The evaluation set; null when there is none (yet). Batches keep their identity between calls. */
  data(split: 'train' | 'validation'): readonly Batch[] | null;
  status(): EvaluatorStatus;
  /** Lets a held process end, and a frozen one exit; returns at once. */
  resume(): void;
}

export interface RequestContext {
  /** Asked between batches; when true the request ends with BasinError `cancelled`. */
  cancelled(): boolean;
}

export type Handlers = {
  [M in EvaluatorMethod]: (
    params: EvaluatorRequests[M]['params'],
    context: RequestContext,
  ) => EvaluatorRequests[M]['result'];
};

/** One connection's handlers and the vectors that it named. The token and protocol of hello are checked by the wire. */
export interface EvaluatorSession {
  readonly handlers: Handlers;
  /** Frees everything that the connection held. */
  dispose(): void;
}
