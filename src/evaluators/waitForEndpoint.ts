/** Waiting until a probe says where it can be reached. */
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import * as v from 'valibot';
import { cancelled } from '../protocol/errors.ts';
import { endpointSchema, type Endpoint } from '../protocol/run.ts';

/** null when `until` settles first. The file is renamed into place, so that what can be parsed is whole. */
export async function waitForEndpoint(
  file: string,
  { signal, until, every = 50 }: { signal?: AbortSignal; until: Promise<unknown>; every?: number },
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
    await Promise.race([sleep(every), until.catch(() => undefined)]);
  }
}
