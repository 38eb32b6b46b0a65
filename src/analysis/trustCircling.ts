/** Sentences on whether SGD goes round a flat region, and on what that says of averaging. */
import type { Circling } from '../protocol/circling.ts';
import { figures } from './trust.ts';

export function circlingSentences({ verdict, stretch }: Circling): string[] {
  if (stretch === null)
    return ['Whether SGD circles cannot be told: too few points of its path are in the sketch.'];
  const { from, to, rounds, turning, spread, loss } = stretch;
  const turns = `displacements over an eighth of that turn by ${figures(turning, 3)}° (straight on 0°, random walk 90°, endless circling 120°)`;
  const flat =
    loss === null
      ? ''
      : `, and the loss changes by ${figures(loss.change, 2)} ± ${figures(loss.standardError, 1)}`;
  switch (verdict) {
    case 'circling':
      return [
        `From step ${from} on SGD circles, so averaging starts to pay there: the path goes round some ${figures(rounds, 2)} times by step ${to}, ${turns}${flat}.`,
      ];
    case 'annealed':
      return [
        `From step ${from} on the path comes to rest: its spread falls to ${figures(100 * spread, 2)} % from the first half to the second, as with a falling learning rate, which leaves averaging less to win.`,
      ];
    default:
      return [
        `From step ${from} on SGD still gets somewhere: ${turns}, and only ${figures(rounds, 2)} points of the path are as good as independent${flat}. An average lags behind.`,
      ];
  }
}
