/** Whether two objectives have the same weights by name, shape and dtype, so that models of one fit the other. */
import type { ObjectiveInfo } from './run.ts';

/** What differs, a few words each; none where models of one may be averaged with models of the other. */
export function layoutDifferences(mine: ObjectiveInfo, other: ObjectiveInfo): string[] {
  return [
    ...differences('parameter', mine.parameters, other.parameters),
    ...differences('state', mine.state, other.state),
  ];
}

interface Named {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype?: string | undefined;
}

function differences(what: string, mine: readonly Named[], other: readonly Named[]): string[] {
  const theirs = new Map(other.map((t) => [t.name, t]));
  const found: string[] = [];
  for (const { name, shape, dtype = 'float32' } of mine) {
    const their = theirs.get(name);
    theirs.delete(name);
    if (their === undefined) found.push(`it lacks ${what} "${name}"`);
    else if (their.shape.join() !== shape.join())
      found.push(
        `${what} "${name}" has shape [${their.shape.join(', ')}] there and [${shape.join(', ')}] here`,
      );
    else if ((their.dtype ?? 'float32') !== dtype)
      found.push(`${what} "${name}" is ${their.dtype ?? 'float32'} there and ${dtype} here`);
  }
  for (const name of theirs.keys()) found.push(`it has ${what} "${name}" besides`);
  return found;
}
