/** How far a long job came, as a file of its run: it is written while the job goes on, and taken away once it has ended. */
import { createHash } from 'node:crypto';
import { mkdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import type { AnalysisJob } from '../protocol/analyses.ts';
import { writeAtomically } from '../runs/files.ts';
import type { Run } from '../runs/run.ts';
import { comparable } from './resultCache.ts';

const ifThere = (error: unknown): void => {
  if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
};

export class Unfinished {
  readonly #file: string;
  #writing: Promise<void> = Promise.resolve();
  #next: object | null = null;

  /** @param job with its defaults filled in @param version Basin's own: another may ask otherwise */
  constructor(run: Run, job: AnalysisJob, version: string) {
    const question = JSON.stringify([
      version,
      Object.entries(comparable(job) as object).sort(([a], [b]) => a.localeCompare(b)),
    ]);
    const name = createHash('sha256').update(question).digest('hex').slice(0, 16);
    this.#file = run.path('unfinished', `${job.kind}-${name}.json`);
  }

  /** What the same question had found; null where there is nothing that can be read. */
  async read(): Promise<unknown> {
    try {
      return JSON.parse(await readFile(this.#file, 'utf8'));
    } catch {
      return null;
    }
  }

  /** Writes it beside and renames it; of several in a hurry the last. A disk that is full takes nothing from the job. */
  keep(found: object): void {
    const waits = this.#next !== null;
    this.#next = found;
    if (waits) return;
    this.#writing = this.#writing
      .then(async () => {
        const [now, text] = [this.#next, JSON.stringify(this.#next)];
        this.#next = null;
        if (now === null) return;
        // Of a run that is deleted meanwhile nothing is made anew.
        await mkdir(path.dirname(this.#file)).catch(ifThere);
        await writeAtomically(this.#file, `${text}\n`);
      })
      .catch(() => undefined);
  }

  /** Once everything is written. */
  settled(): Promise<void> {
    return this.#writing;
  }

  async discard(): Promise<void> {
    await this.#writing;
    await rm(this.#file, { force: true });
  }
}
