/** Soups: averages of models that were trained apart. */
import type { Gain, SweepVerdict } from './gain.ts';
import type { Barriers } from './barriers.ts';
import type { EvaluationOptions, ModelReference } from './job.ts';
import type { Maybe, Result } from './result.ts';
import type { Scores } from './results.ts';

/** uniform: every member counts alike. greedy: from the best on, those that make the average no worse. */
export type SoupMethod = 'uniform' | 'greedy';

export interface SoupJob extends EvaluationOptions {
  readonly kind: 'soup';
  /** Two or more: steps and models of the run, or `RUN:STEP` and `RUN:MODEL` of others of the same architecture. */
  readonly members: readonly ModelReference[];
  readonly method?: SoupMethod;
  /** The held-out score by which the greedy method chooses. */
  readonly by?: 'loss' | 'accuracy';
  /** Fail with code `barrier` rather than average across one. */
  readonly stopAtBarrier?: boolean;
}

/** What a job that leaves them out gets. */
export const soupDefaults = { method: 'greedy', by: 'loss' } as const;

/** One step of the greedy method: whether a candidate is put into the soup. */
export interface SoupDecision {
  readonly candidate: string;
  /** The held-out score of the soup so far, and of the soup with the candidate; null where it is not finite. */
  readonly before: Maybe;
  readonly after: Maybe;
  readonly added: boolean;
}

export interface SoupResult extends Result {
  readonly kind: 'soup';
  /** Id of the built model. */
  readonly model: string;
  readonly method: SoupMethod;
  readonly by: 'loss' | 'accuracy';
  /** What is in the soup. */
  readonly members: readonly ModelReference[];
  /** All that were named, best first. */
  readonly candidates: readonly { readonly id: string; readonly score: Scores }[];
  /** In the order in which they were taken; the first candidate is in without one. Empty for the uniform method. */
  readonly decisions: readonly SoupDecision[];
  /** null without training samples. */
  readonly barriers: Barriers | null;
  readonly score: Scores;
  /** The best candidate alone. */
  readonly baseline: Scores & { readonly id: string };
  /** The average of all candidates, as the uniform method has it; null where it is not finite. */
  readonly uniform: Scores | null;
  /**
   * What the method is worth over the best candidate on samples that had no part in choosing either: chosen on every
   * second sample, judged on the others, both ways round.
   */
  readonly expectedGain: Gain | null;
  readonly verdict: SweepVerdict;
}

export interface SoupAnalyses {
  soup: { job: SoupJob; result: SoupResult };
}
