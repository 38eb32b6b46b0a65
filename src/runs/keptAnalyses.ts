/** The results that runs keep, read once a change: several views ask for the same ones, often many times a second. */
import { stat } from 'node:fs/promises';
import type { AnalysisResult } from '../protocol/analyses.ts';
import type { Run } from './run.ts';

/** Runs whose results stay in memory: those that are looked at, of which a contour may have a megabyte. */
const RUNS = 4;
/** A folder that has changed just now may change again within the same tick of the file system's clock, in ms. */
const SETTLED_MS = 100;

interface Kept {
  /** The folder's time of change before it was read, in ns; null where there was none. */
  readonly changed: bigint | null;
  readonly results: Promise<readonly AnalysisResult[]>;
}

export class KeptAnalyses {
  readonly #kept = new Map</* run directory */ string, Kept>();

  /** @param read what is done where the results are not known, or no longer */
  constructor(
    private readonly read: (run: Run) => Promise<readonly AnalysisResult[]> = (run) => run.analyses(),
  ) {}

  /** Newest first, as the run itself gives them. Each result is a file that is renamed into the folder, which changes its time. */
  async of(run: Run): Promise<readonly AnalysisResult[]> {
    const { directory } = run;
    const changed = await stat(run.path('analyses'), { bigint: true }).then(
      ({ mtimeNs }) => mtimeNs,
      () => null,
    );
    const known = this.#kept.get(directory);
    this.#kept.delete(directory);
    if (known !== undefined && known.changed === changed) {
      this.#kept.set(directory, known);
      return known.results;
    }
    const results = this.read(run);
    const age = changed === null ? Infinity : Date.now() - Number(changed / 1_000_000n);
    if (age > SETTLED_MS) {
      this.#kept.set(directory, { changed, results });
      // What could not be read is asked for again.
      results.catch(() => this.#kept.delete(directory));
      for (const oldest of [...this.#kept.keys()].slice(0, -RUNS)) this.#kept.delete(oldest);
    }
    return results;
  }
}

const shared = new KeptAnalyses();

/** The results of a run, newest first, read once a change. */
export const keptAnalyses = (run: Run): Promise<readonly AnalysisResult[]> => shared.of(run);
