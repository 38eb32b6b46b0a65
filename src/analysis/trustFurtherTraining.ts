/** What has to be known of weights that Basin trained by itself. */
import type { FurtherTraining, SwaResult } from '../protocol/furtherTraining.ts';
import type { Scores } from '../protocol/results.ts';
import { figures } from './trust.ts';

/** What the script trains with, and where the learning rate of the further training is from. */
export interface ScriptsOptimizer {
  readonly name: string | null;
  /** Whether the rate was worked out from the length of the run's own updates: its optimizer has rates of another meaning. */
  readonly matched: boolean;
}

export function furtherTrainingSentences(
  training: FurtherTraining,
  stopped: boolean,
  script: ScriptsOptimizer,
): string[] {
  const { source, steps, budget, at, samplesRead, batches, seed } = training;
  const sentences = [
    stopped
      ? `Stopped after ${steps} of ${budget} steps from ${at}: this is what was there by then.`
      : `${steps} steps from ${at} with ${scheduleWords(training)}.`,
  ];
  if (source.kind === 'recorded') {
    sentences.push(
      `It was trained on the ${source.samples ?? 0} recorded samples alone, which it may learn by heart: their own score says little. ${source.reason ?? ''}`.trim(),
    );
  } else {
    const distinct =
      source.samples === null ? 'a stream of unknown length' : `${source.samples} distinct samples`;
    const epochs =
      source.batches === null ? '' : `, ${figures((batches.to - batches.from) / source.batches, 2)} epochs`;
    sentences.push(
      `Trained on the script's own data (${sourceWords[source.kind]}, ${distinct}): ${samplesRead} samples read${epochs}.`,
    );
    if (source.reason !== null) sentences.push(source.reason);
  }
  if (script.matched) {
    sentences.push(
      `The script trains with ${script.name ?? 'an optimizer of its own'}; Basin goes on with SGD, at a rate whose steps are as long as the run's late ones.`,
    );
  } else if (script.name !== null && !/sgd|momentum/i.test(script.name)) {
    sentences.push(`The script trains with ${script.name}; Basin goes on with SGD.`);
  }
  sentences.push(`Another seed than ${seed} draws other batches and other noise, and gives other numbers.`);
  return sentences;
}

const sourceWords = {
  loader: 'its own loader or data set',
  tensors: 'the tensors that its batches are taken from',
} as const;

function scheduleWords({ schedule: { name, high, low, cycle }, momentum }: FurtherTraining): string {
  const [top, bottom] = [figures(high, 3), figures(low, 3)];
  const rate = {
    constant: `a constant learning rate of ${top}, taken every ${cycle} steps`,
    cyclic: `a learning rate that falls from ${top} to ${bottom} every ${cycle} steps`,
    triangular: `a learning rate that goes from ${top} to ${bottom} and back every ${cycle} steps`,
    cosine: `a learning rate that falls from ${top} to 0 by a cosine every ${cycle} steps`,
  }[name];
  return `${rate}, momentum ${figures(momentum, 3)}`;
}

/** Whether averaging did something that stopping at one of its points would not have done. */
export function iterateSentence(score: Scores, mean: SwaResult['meanIterate']): string[] {
  const judged = score.validation === null ? 'train' : 'validation';
  const [own, others] = [score[judged]?.loss ?? null, mean[judged]];
  if (own === null || others === null) return [];
  const words = judged === 'train' ? 'training' : 'validation';
  return [
    `Its ${words} loss is ${figures(own, 4)}; that of the points it averages is ${figures(others, 4)} on average.`,
  ];
}
