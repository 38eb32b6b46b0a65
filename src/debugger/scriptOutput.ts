/**
 * What a debugged script writes goes into two files of its run, and from there to the client: a pipe would break with
 * this process, and a script that prints would end with it.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';
import type { Run } from '../runs/run.ts';

const EVERY_MILLISECONDS = 100;
const CHUNK = 64 * 1024;

export type Stream = 'stdout' | 'stderr';
export const streams = ['stdout', 'stderr'] as const satisfies readonly Stream[];

export const outputFile = (run: Run, stream: Stream): string => run.path(`${stream}.txt`);

/** Reads on in a file that grows. */
export class FollowedOutput {
  private readonly descriptor: number;
  private readonly decoder = new StringDecoder('utf8');
  private readonly clock: NodeJS.Timeout;
  private position = 0;

  constructor(
    file: string,
    private readonly tell: (text: string) => void,
  ) {
    this.descriptor = openSync(file, 'r');
    this.clock = setInterval(() => this.read(), EVERY_MILLISECONDS);
  }

  /** Tells what is left, and stops. */
  end(): void {
    clearInterval(this.clock);
    this.read();
    closeSync(this.descriptor);
  }

  private read(): void {
    const buffer = Buffer.alloc(CHUNK);
    for (;;) {
      const length = readSync(this.descriptor, buffer, 0, CHUNK, this.position);
      if (length === 0) return;
      this.position += length;
      const text = this.decoder.write(buffer.subarray(0, length));
      if (text !== '') this.tell(text);
    }
  }
}
