/** Stable reasons for failure; the surface and the CLI decide by code, people read message and cure. */
export type ErrorCode =
  | 'bad-input'
  | 'not-found'
  | 'corrupt-run'
  | 'no-steps'
  | 'not-replayable'
  | 'unsupported'
  | 'non-finite'
  | 'barrier'
  | 'process-ended'
  | 'busy'
  | 'timeout'
  | 'not-allowed'
  | 'cancelled'
  | 'internal';

/** What an error looks like on every wire and in every result file. */
export interface ErrorData {
  readonly code: ErrorCode;
  /** One sentence: what went wrong, in the user's terms. */
  readonly message: string;
  /** One sentence: what the user can do about it. */
  readonly cure?: string;
  /** Stack or other detail for the log; never shown in place. */
  readonly detail?: string;
}

/** An error that a person will read: what happened and what mends it. */
export class BasinError extends Error {
  override readonly name = 'BasinError';
  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly cure?: string,
    options?: { cause?: unknown; detail?: string },
  ) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause });
    this.detail = options?.detail;
  }
  readonly detail: string | undefined;

  toData(): ErrorData {
    return {
      code: this.code,
      message: this.message,
      ...(this.cure === undefined ? {} : { cure: this.cure }),
      ...(this.detail === undefined ? {} : { detail: this.detail }),
    };
  }

  /** Rebuilds an error from the other end of a wire. */
  static fromData(data: ErrorData): BasinError {
    return new BasinError(
      data.code,
      data.message,
      data.cure,
      data.detail === undefined ? undefined : { detail: data.detail },
    );
  }
}

/** A cancelled job is not a failure: callers test for it with {@link isCancelled}. */
export function cancelled(): BasinError {
  return new BasinError('cancelled', 'Cancelled.');
}

export function isCancelled(error: unknown): boolean {
  return error instanceof BasinError && error.code === 'cancelled';
}

/** Whether a question was given up or its process is gone: whoever waits for the process or the session tells that. */
export function isCancelledOrEnded(error: unknown): boolean {
  return isCancelled(error) || (error instanceof BasinError && error.code === 'process-ended');
}

/** Anything thrown as one text: what is wrong, and what mends it where that is known. */
export function sentenceOf(error: unknown): string {
  const { message, cure } = toErrorData(error);
  return [message, cure].filter(Boolean).join(' ');
}

/** Anything thrown, as {@link ErrorData}; a foreign error becomes `internal` with its stack as detail. */
export function toErrorData(error: unknown): ErrorData {
  if (error instanceof BasinError) return error.toData();
  if (error instanceof Error) {
    return {
      code: 'internal',
      message: error.message,
      ...(error.stack === undefined ? {} : { detail: error.stack }),
    };
  }
  return { code: 'internal', message: String(error) };
}
