/** Waiting for what the editor does in its own time. */
import assert from 'node:assert/strict';

/** The first answer that is neither missing nor false. @throws AssertionError when none has come in time */
export async function until<T>(
  what: string,
  seconds: number,
  look: () => T | Promise<T>,
): Promise<NonNullable<T>> {
  for (const end = Date.now() + 1000 * seconds; ;) {
    const found = await look();
    if (found !== undefined && found !== null && found !== false) return found;
    if (Date.now() > end) assert.fail(`${what} did not come within ${seconds} s`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
