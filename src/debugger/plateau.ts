/**
 * A loss that has stopped falling: over some window of steps it has fallen, with 95 % confidence, by less than 1 % of
 * its mean. Windows are ten blocks of 10, 20, 40, … losses, whose means are as good as independent; the fall is that of
 * a straight line through them. Noise makes that known only over a longer window, and never by itself.
 */

const BLOCKS = 10;
const BLOCK_STEPS = 10;
/** One-sided 95 % of Student's t with BLOCKS − 2 degrees of freedom. */
const QUANTILE = 1.86;
const LEAST_FALL = 0.01;

export interface Plateau {
  /** Steps of the window. */
  readonly steps: number;
  /** Share of the mean loss by which it fell, and the standard error of that. */
  readonly fall: number;
  readonly standardError: number;
}

interface Level {
  readonly means: number[];
  half: number | null;
}

export class PlateauWatch {
  private sum = 0;
  private count = 0;
  private readonly levels: Level[] = [];
  /** The level of the plateau that was told, while it lasts. */
  private told: number | null = null;

  /** @returns what this loss makes known; told once, until the loss has fallen again */
  next(loss: number): Plateau | null {
    if (!Number.isFinite(loss)) return null;
    this.sum += loss;
    if (++this.count < BLOCK_STEPS) return null;
    const mean = this.sum / this.count;
    this.sum = this.count = 0;
    return this.block(0, mean);
  }

  private block(depth: number, mean: number): Plateau | null {
    const level = (this.levels[depth] ??= { means: [], half: null });
    level.means.push(mean);
    if (level.means.length > BLOCKS) level.means.shift();
    const found = this.judge(level.means, depth);
    const above = level.half === null ? null : this.block(depth + 1, (level.half + mean) / 2);
    level.half = level.half === null ? mean : null;
    return found ?? above;
  }

  private judge(means: readonly number[], depth: number): Plateau | null {
    if (means.length < BLOCKS) return null;
    const { slope, standardError, mean } = line(means);
    const scale = (BLOCKS - 1) / Math.max(Math.abs(mean), Number.MIN_VALUE);
    const steps = BLOCKS * BLOCK_STEPS * 2 ** depth;
    const plateau = { steps, fall: 0 - slope * scale, standardError: standardError * scale };
    const isFlat = plateau.fall + QUANTILE * plateau.standardError < LEAST_FALL;
    // A longer window still sees the fall that came before the plateau: only one as short says that it is over.
    const falls = plateau.fall - QUANTILE * plateau.standardError > LEAST_FALL;
    if (falls && this.told !== null && depth <= this.told) this.told = null;
    if (!isFlat || this.told !== null) return null;
    this.told = depth;
    return plateau;
  }
}

export function plateauSentence({ steps, fall, standardError }: Plateau): string {
  const percent = (x: number): string => `${Number((100 * x).toPrecision(2))} %`;
  return (
    `Plateau: over the last ${steps} steps the loss has ${fall < 0 ? 'risen' : 'fallen'} by ${percent(Math.abs(fall))} ` +
    `(± ${percent(standardError)}).`
  );
}

/** Least squares over 0, 1, …. */
function line(y: readonly number[]): { slope: number; standardError: number; mean: number } {
  const n = y.length;
  const middle = (n - 1) / 2;
  const mean = y.reduce((a, b) => a + b, 0) / n;
  let [sxx, sxy] = [0, 0];
  y.forEach((value, x) => {
    sxx += (x - middle) ** 2;
    sxy += (x - middle) * (value - mean);
  });
  const slope = sxy / sxx;
  const rest = y.reduce((sum, value, x) => sum + (value - mean - slope * (x - middle)) ** 2, 0);
  return { slope, standardError: Math.sqrt(rest / (n - 2) / sxx), mean };
}
