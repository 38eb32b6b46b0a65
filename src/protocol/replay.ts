/** The outcome of the replay checks in one line, for people. */
import { decodeNumber, type Replay } from './run.ts';

const NAMES = {
  loss: 'loss',
  gradient: 'gradient',
  'later-data': 'later data on the first step’s tape',
} as const;

/** "exact on 4 of 4 steps: loss (no difference), …", or how far it failed, and why. */
export function replayInWords(replay: Replay): string {
  const steps = `${replay.passed} of ${replay.checked} ${replay.checked === 1 ? 'step' : 'steps'}`;
  if (!replay.exact) {
    const reason = replay.reason ?? 'the reason is unknown';
    return replay.checked > 1 ? `not exact (${steps} pass): ${reason}` : `not exact: ${reason}`;
  }
  const checks = replay.checks ?? [{ of: 'loss' as const, why: null, ...replay }];
  const parts = checks
    .filter((check) => check.checked > 0)
    .map((check) => `${NAMES[check.of]} (${worst(decodeNumber(check.worstRelativeError))})`);
  const left = checks.flatMap(({ of, why }) => (why == null ? [] : [`; ${NAMES[of]} not tried: ${why}`]));
  return `exact on ${steps}${parts.length > 0 ? `: ${parts.join(', ')}` : ''}${left.join('')}`;
}

function worst(error: number): string {
  return error === 0 ? 'no difference' : `off by ${error.toExponential(1)}`;
}
