/** What the command line says: answers on stdout, everything else on stderr. */
import type { JobProgress } from '../protocol/engine.ts';
import { isCancelled, toErrorData, type ErrorData } from '../protocol/errors.ts';

export const EXIT_DONE = 0;
export const EXIT_FAILED = 1;
export const EXIT_USAGE = 2;
export const EXIT_INTERRUPTED = 130;

/** Prints a JSON document, or the text that a person reads. */
export async function printAnswer(json: boolean, answer: unknown, text: () => string): Promise<void> {
  await write(process.stdout, json ? `${JSON.stringify(answer)}\n` : `${text()}\n`);
}

/** Prints an error and its cure on stderr, and with --json also the one document on stdout. @returns the exit code */
export async function printError(json: boolean, error: unknown): Promise<number> {
  const { detail, ...data } = toErrorData(error);
  if (json) await write(process.stdout, `${JSON.stringify({ error: data })}\n`);
  if (isCancelled(error)) {
    await write(process.stderr, 'interrupted\n');
    return EXIT_INTERRUPTED;
  }
  await write(process.stderr, errorText(detail === undefined ? data : { ...data, detail }));
  return EXIT_FAILED;
}

function errorText({ code, message, cure, detail }: ErrorData): string {
  const lines = [`error: ${message}`];
  if (cure !== undefined) lines.push(`cure: ${cure}`);
  if (detail !== undefined && detail.trim() !== '') {
    const title = code === 'internal' ? 'detail:' : "the script's last output:";
    lines.push(
      title,
      ...detail
        .trimEnd()
        .split('\n')
        .map((line) => `  ${line}`),
    );
  }
  return `${lines.join('\n')}\n`;
}

/** Progress on stderr: one line kept up to date on a terminal, a line now and then elsewhere. */
export class ProgressLine {
  #shown = '';
  #message = '';
  #last = 0;

  constructor(
    private readonly stream: NodeJS.WriteStream = process.stderr,
    private readonly every = 2000,
  ) {}

  show({ fraction, message }: JobProgress): void {
    const percent = fraction === null ? '' : `${String(Math.floor(100 * fraction)).padStart(3)} % `;
    const text = `${percent}${message}`;
    if (text === this.#shown) return;
    const now = Date.now();
    if (this.stream.isTTY) {
      if (now - this.#last < 50 && fraction !== 1) return;
      const width = Math.max(20, (this.stream.columns || 80) - 1);
      this.stream.write(`\r\x1b[2K${text.slice(0, width)}`);
    } else {
      // Counts within a message change all the time; its words tell a new stage.
      const words = message.replaceAll(/\d+/g, '#');
      if (words === this.#message && now - this.#last < this.every) return;
      this.#message = words;
      this.stream.write(`${text}\n`);
    }
    this.#last = now;
    this.#shown = text;
  }

  /** Leaves a clean line for what is printed next. */
  end(): void {
    if (this.stream.isTTY && this.#shown !== '') this.stream.write('\r\x1b[2K');
    this.#shown = '';
  }
}

/** Waits until a pipe has taken everything, so that ending the process cuts nothing off. */
export function write(stream: NodeJS.WriteStream, text: string): Promise<void> {
  return new Promise((resolve) => void stream.write(text, () => resolve()));
}
