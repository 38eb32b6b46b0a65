/** The landscapes of several runs on one plane, put together: whether they lie on the same coordinates, and what can be compared. */
import { BasinError } from '../protocol/errors.ts';
import { sameGrid, type Landscape, type LandscapesResult } from '../protocol/landscapes.ts';
import type { Draft } from './model.ts';

export interface LandscapesInput {
  readonly at: string;
  readonly landscapes: readonly Landscape[];
  /** How many different sets of samples the runs were evaluated on; null where that cannot be told. */
  readonly sampleSets: number | null;
  readonly complete: boolean;
}

/**
 * A landscape whose plane came out otherwise is left out, with the reason.
 * @throws BasinError what the first run was refused with, when all have been asked and none has an answer
 */
export function landscapes(input: LandscapesInput): Draft<LandscapesResult> {
  const { at, complete, sampleSets } = input;
  const first = input.landscapes.find(({ contour }) => contour !== null)?.contour ?? null;
  const all = input.landscapes.map((one): Landscape =>
    one.contour === null || first === null || sameGrid(one.contour, first)
      ? one
      : {
          ...one,
          contour: null,
          error: {
            code: 'bad-input',
            message:
              'The plane has other coordinates in this run, so its landscape cannot lie over the others.',
          },
        },
  );
  const refused = all.find(({ error }) => error !== null)?.error ?? null;
  if (complete && first === null && refused !== null) throw refusal(refused);
  return {
    kind: 'landscapes',
    at,
    data: null,
    landscapes: all,
    complete,
    refreshedStatistics: all.some(({ contour }) => contour?.provenance.refreshedStatistics === true),
    trust: sentences(all, sampleSets, complete),
  };
}

const refusal = ({ code, message, cure }: NonNullable<Landscape['error']>): BasinError =>
  new BasinError(code, message, cure);

function sentences(all: readonly Landscape[], sampleSets: number | null, complete: boolean): string[] {
  const there = all.filter(({ contour }) => contour !== null);
  const refused = all.flatMap(({ name, error }) =>
    error === null ? [] : [`No landscape of ${name}: ${error.message}`],
  );
  if (!complete) return [`${there.length} of ${all.length} runs have answered so far.`, ...refused];
  if (all.length === 1) return ['All models are of one run, so there is one landscape.', ...refused];
  return [
    ...refused,
    'Each landscape is of its own run: by its loss and on its samples, asked of its own process. A difference between two may be one of the losses or of the samples as well as of the weights.',
    ...(there.length < 2 ? [] : samplesSentence(sampleSets)),
    ...errorSentence(there),
  ];
}

function samplesSentence(sets: number | null): string[] {
  if (sets === null) return ['Whether the runs were evaluated on the same samples cannot be told.'];
  return [
    sets === 1
      ? 'All of them were evaluated on the same samples.'
      : `They were evaluated on ${sets} different sets of samples.`,
  ];
}

function errorSentence(there: readonly Landscape[]): string[] {
  const errors = there.flatMap(({ contour }) => contour?.standardError ?? []);
  if (errors.length === 0) return [];
  return [
    `Half of a landscape's losses have a standard error of at most ${Math.max(...errors).toPrecision(2)} in each of them.`,
  ];
}
