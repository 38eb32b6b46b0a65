/** Waiting until a probe says where it can be reached. */
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import * as v from 'valibot';
import { cancelled } from '../protocol/errors.ts';
import { endpointSchema, type Endpoint } from '../protocol/run.ts';

interface Wait {
  readonly signal?: AbortSignal;
  readonly until: Promise<unknown>;
  readonly every?: number;
  /** Called again and again meanwhile; rejects where there is nothing to wait for. */
  readonly check?: () => Promise<void>;
}

/** null when `until` settles first. The file is renamed into place, so that what can be parsed is whole. */
export async function waitForEndpoint(
  file: string,
  { signal, until, every = 50, check }: Wait,
): Promise<Endpoint | null> {
  const over = new AbortController();
  const stop = (): void => over.abort();
  until.then(stop, stop);
  for (;;) {
    if (signal?.aborted === true) throw cancelled();
    const parsed = v.safeParse(
      endpointSchema,
      await readFile(file, 'utf8')
        .then(JSON.parse)
        .catch(() => null),
    );
    if (parsed.success) return parsed.output;
    if (over.signal.aborted) return null;
    await check?.();
    await Promise.race([sleep(every), until.catch(() => undefined)]);
  }
}
