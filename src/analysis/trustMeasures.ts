/** Sentences on which measures go with the generalisation gap, and on what so many runs can tell. */
import { measureWords, type MeasureCorrelation, type MeasuresResult } from '../protocol/measures.ts';
import { figures } from './trust.ts';

/** First what can be told at all, then what is told, then what it rests on. */
export function measuresSentences(
  result: Pick<MeasuresResult, 'gap' | 'runs' | 'measures' | 'known' | 'leastP' | 'gapsDiffer' | 'leftOut'>,
  heldOutSets: number,
): string[] {
  const { measures, known, runs, leftOut } = result;
  return [
    ...whatCanBeTold(result),
    ...gapSentences(result),
    ...(heldOutSets > 1
      ? [
          `The runs were held against ${heldOutSets} different sets of held-out samples: part of what differs is the data.`,
        ]
      : []),
    ...missingSentences(measures, known),
    ...(known < runs.length
      ? [
          `${countOf(runs.length - known, 'run')} of ${runs.length} ${runs.length - known === 1 ? 'has' : 'have'} no gap: that needs held-out samples and a kept score; --compute scores what is missing.`,
        ]
      : []),
    ...(known >= 3
      ? [
          'A correlation over runs is no cause: whatever else was changed from run to run (learning rate, width, length of training) goes with it.',
        ]
      : []),
    ...runs.flatMap((r) => r.notes),
    ...leftOut,
  ];
}

function whatCanBeTold({
  measures,
  known,
  leastP,
  gap,
}: Pick<MeasuresResult, 'measures' | 'known' | 'leastP' | 'gap'>): string[] {
  if (known < 3)
    return [
      `Nothing can be told: ${known === 0 ? 'no run has' : known === 1 ? 'one run has' : 'two runs have'} a known gap, and an order needs three.`,
    ];
  if (leastP > 0.05)
    return [
      `With ${known} runs nothing can be told: even a perfect order comes about by chance once in ${Math.round(1 / leastP)} times.`,
    ];
  const looked = measures.filter((m) => m.spearman !== null);
  const told = looked.filter((m) => m.verdict === 'rises' || m.verdict === 'falls');
  if (looked.length === 0) return ['No measure is known in three runs or more.'];
  // Holm's first step: the least p that stands after so many looks.
  const reachable = leastP * looked.length <= 0.05;
  const gapWords = `${gap} gap`;
  if (told.length === 0) {
    return [
      `None of ${looked.length} measures is shown to go with the ${gapWords} over ${known} runs, after allowing for having looked at ${looked.length}.` +
        (reachable
          ? ''
          : ` So few runs could not show it: even a perfect order has p = ${figures(leastP, 2)}, times ${looked.length}.`),
      strongestSentence(looked),
    ];
  }
  return [
    `Of ${looked.length} measures over ${known} runs, ${told.length === 1 ? 'one goes' : `${told.length} go`} with the ${gapWords}: ` +
      `${told.map(words).join('; ')}. That allows for having looked at ${looked.length}.`,
    ...(told.some((m) => m === strongest(looked)) ? [] : [strongestSentence(looked)]),
  ];
}

function strongest(looked: readonly MeasureCorrelation[]): MeasureCorrelation | undefined {
  return [...looked].sort((a, b) => Math.abs(b.spearman?.value ?? 0) - Math.abs(a.spearman?.value ?? 0))[0];
}

function strongestSentence(looked: readonly MeasureCorrelation[]): string {
  const most = strongest(looked);
  return most === undefined ? '' : `The strongest is that of the ${words(most)}.`;
}

function words({ name, spearman, runs, byErrors }: MeasureCorrelation): string {
  if (spearman === null) return measureWords[name];
  const { value, interval, p, adjusted } = spearman;
  const range = interval === null ? '' : `, 95 %: ${figures(interval[0], 2)} to ${figures(interval[1], 2)}`;
  const moved = byErrors === null ? '' : `, errors of the numbers move it by ${figures(byErrors, 2)}`;
  return `${measureWords[name]} (Spearman ${figures(value, 2)} over ${runs} runs${range}, p = ${figures(p, 2)}, allowing for all ${figures(adjusted, 2)}${moved})`;
}

function gapSentences({
  runs,
  gapsDiffer,
  gap,
}: Pick<MeasuresResult, 'runs' | 'gapsDiffer' | 'gap'>): string[] {
  const gaps = runs.flatMap((r) =>
    typeof r.gap?.value === 'number' ? [{ ...r.gap, value: r.gap.value }] : [],
  );
  if (gaps.length < 2) return [];
  const values = gaps.map((g) => g.value);
  const errors = gaps
    .flatMap((g) => (g.standardError === null ? [] : [g.standardError]))
    .sort((a, b) => a - b);
  const error = errors[errors.length >> 1];
  const known =
    error === undefined ? 'their errors are not known' : `each known to about ${figures(error, 2)}`;
  return [
    `The ${gap} gaps run from ${figures(Math.min(...values), 3)} to ${figures(Math.max(...values), 3)}, ${known}.` +
      (gapsDiffer === false ? ' They differ by no more than that: there is hardly anything to predict.' : ''),
  ];
}

function missingSentences(measures: readonly MeasureCorrelation[], known: number): string[] {
  const missing = measures.filter((m) => m.runs < known);
  if (missing.length === 0) return [];
  const some = missing.slice(0, 4).map((m) => `${measureWords[m.name]} (${m.runs})`);
  const more = missing.length - some.length;
  return [
    `Not known in all ${known} runs: ${some.join(', ')}${more > 0 ? ` and ${more} more` : ''}; --compute measures what is missing.`,
  ];
}

const countOf = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;
