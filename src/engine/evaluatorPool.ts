/** Evaluators kept between jobs: starting a script anew costs seconds, a second question to it none. */
import { createHash } from 'node:crypto';
import { openEvaluator, type OpenEvaluator, type OpenOptions } from '../evaluators/openEvaluator.ts';
import type { RunContents } from './references.ts';

interface Kept {
  readonly opened: OpenEvaluator;
  idle: NodeJS.Timeout | null;
}

export class EvaluatorPool {
  readonly #kept = new Map</* run, objective, how */ string, Kept>();

  /** @param idleTime how long an unused evaluator is kept, in ms */
  constructor(
    private readonly options: Omit<OpenOptions, 'live' | 'signal'>,
    private readonly idleTime: number,
  ) {}

  /** Lends an evaluator for the time of `use`; the caller sees to it that one job at a time uses it. */
  async use<T>(
    contents: RunContents,
    how: { readonly live: boolean; readonly signal: AbortSignal },
    use: (opened: OpenEvaluator) => Promise<T>,
    /** Called when a process has to be started or reached first. */
    opening: () => void,
  ): Promise<T> {
    const key = keyOf(contents, how.live);
    let kept = this.#kept.get(key);
    if (kept === undefined) {
      opening();
      const opened = await openEvaluator(contents.run, contents.manifest, contents.objectiveIndex, {
        ...this.options,
        ...how,
      });
      const fresh: Kept = { opened, idle: null };
      kept = fresh;
      this.#kept.set(key, fresh);
      void opened.evaluator.closed.then(() => this.#drop(key, fresh));
    }
    if (kept.idle !== null) clearTimeout(kept.idle);
    kept.idle = null;
    try {
      return await use(kept.opened);
    } finally {
      const lent = kept;
      if (this.#kept.get(key) === lent) {
        lent.idle = setTimeout(() => void this.#drop(key, lent), this.idleTime);
        lent.idle.unref();
      }
    }
  }

  async dispose(): Promise<void> {
    await Promise.all([...this.#kept].map(([key, kept]) => this.#drop(key, kept)));
  }

  async #drop(key: string, kept: Kept): Promise<void> {
    if (this.#kept.get(key) !== kept) return;
    this.#kept.delete(key);
    if (kept.idle !== null) clearTimeout(kept.idle);
    await kept.opened.close();
  }
}

/** A run that goes on recording gets another evaluator once its evaluation set or state has changed. */
function keyOf({ run, manifest, objectiveIndex }: RunContents, live: boolean): string {
  const state = JSON.stringify([manifest.state, manifest.evaluationSet, live]);
  return [run.directory, objectiveIndex, createHash('sha256').update(state).digest('hex')].join('\n');
}
