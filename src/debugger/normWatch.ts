/** Parameters whose norms are to stay within bounds: told when one leaves them, not while it is outside. */
import type { NormRange } from './breakpoints.ts';

export interface LeftRange {
  readonly range: NormRange;
  readonly norm: number;
}

export class NormWatch {
  /** Whether each was within its bounds when it was last looked at; null where that does not count any more. */
  private readonly inside: Map<NormRange, boolean | null>;

  /** @param before what has watched until now: it knows where the ranges that stay were seen last */
  constructor(
    private readonly ranges: readonly NormRange[] = [],
    before?: NormWatch,
  ) {
    this.inside = new Map(
      ranges.map((range) => {
        const seen = before?.inside.get(range);
        return [range, seen === undefined ? range.inside : seen];
      }),
    );
  }

  get isEmpty(): boolean {
    return this.ranges.length === 0;
  }

  /** Other weights stand: what they are is no news. */
  rewound(): void {
    for (const range of this.ranges) this.inside.set(range, null);
  }

  /** @param norms by parameter; NaN is outside of everything */
  left(norms: ReadonlyMap<string, number>): LeftRange[] {
    return this.ranges.flatMap((range) => {
      const norm = norms.get(range.parameter);
      if (norm === undefined) return [];
      const was = this.inside.get(range) ?? null;
      const is = within(range, norm);
      this.inside.set(range, is);
      return was === true && !is ? [{ range, norm }] : [];
    });
  }
}

export function within({ low, high }: Pick<NormRange, 'low' | 'high'>, norm: number): boolean {
  return norm >= low && norm <= high;
}

/** Such as "0.5 … 2", "at most 3". */
export function boundsText({ low, high }: Pick<NormRange, 'low' | 'high'>): string {
  const short = (x: number): string => String(Number(x.toPrecision(6)));
  if (low === -Infinity) return `at most ${short(high)}`;
  return high === Infinity ? `at least ${short(low)}` : `${short(low)} … ${short(high)}`;
}

export function leftSentence({ range, norm }: LeftRange): string {
  return `The norm of ${range.parameter} is ${Number(norm.toPrecision(6))}: it has left its bounds, ${boundsText(range)}.`;
}
