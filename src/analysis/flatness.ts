/** How the loss rises around a model, by the measures of five papers, each at a rescaled twin of the model as well. */
import {
  flatnessDefaults,
  flatnessMeasureNames,
  type Evaluations,
  type FlatnessMeasure,
  type FlatnessMeasureName,
  type FlatnessResult,
  type FlatnessSettings,
  type TwinValue,
} from '../protocol/flatness.ts';
import { BasinError } from '../protocol/errors.ts';
import { averageFlatness } from './averageFlatness.ts';
import { requireFiniteWeights } from './curvature.ts';
import type { AnalysisContext, Evaluator } from './evaluator.ts';
import { fisherRao } from './fisherRao.ts';
import { howToEvaluate, type Draft, type Evaluation, type Model } from './model.ts';
import { requireReplay } from './replay.ts';
import { rescaledTwin, type Twin } from './rescaledTwin.ts';
import { samSharpness } from './samSharpness.ts';
import { Surroundings, type Measured } from './surroundings.ts';
import { dataSentence, replaySentence } from './trust.ts';
import { flatnessSentences } from './trustFlatness.ts';
import { withVectors } from './vectors.ts';
import { worstCase } from './worstCase.ts';

export interface FlatnessInput extends Evaluation {
  readonly at: Model;
  readonly measures: readonly FlatnessMeasureName[];
  readonly settings: FlatnessSettings;
  /** Look for a twin and measure it as well. */
  readonly twin: boolean;
}

/** A measure at a twin within this share of the model's counts as the same. */
const UNCHANGED = 0.01;

/**
 * Every measure by the paper's own definition on the same samples; `evaluations` counts what each one asked for, at the
 * twin too. With batch-norm statistics that are computed anew at every point, gradients hold them fixed.
 * @throws BasinError `bad-input`, `non-finite` where the model's weights or loss are, `not-replayable`, `cancelled`
 */
export async function flatness(
  evaluator: Evaluator,
  input: FlatnessInput,
  context: AnalysisContext,
): Promise<Draft<FlatnessResult>> {
  const { settings } = input;
  requireSettings(settings);
  const wanted = flatnessMeasureNames.filter((name) => input.measures.includes(name));
  if (wanted.length === 0) {
    throw new BasinError(
      'bad-input',
      'No measure was asked for.',
      `There are ${flatnessMeasureNames.join(', ')}.`,
    );
  }
  requireReplay(evaluator.description);
  const how = howToEvaluate(evaluator.description, input, true);
  const { id } = input.at;
  return withVectors(evaluator, async (vectors) => {
    const { signal } = context;
    context.progress(0, 'flatness: start');
    const at = await vectors.load(input.at.vector, 'model', signal);
    await requireFiniteWeights(evaluator, at, id, signal);
    const rounds = wanted.length * (input.twin ? 2 : 1);
    let round = 0;
    const within: AnalysisContext = {
      signal,
      progress: (fraction, message) => {
        const name = wanted[round % wanted.length] ?? '';
        const where = round < wanted.length ? name : `${name} of the twin`;
        context.progress((round + Math.min(1, fraction)) / rounds, `${where}: ${message}`);
      },
    };
    const measureAll = async (around: Surroundings): Promise<Answer[]> => {
      const answers: Answer[] = [];
      for (const name of wanted) {
        const before = around.spent;
        const measured = await measures[name].measure(around, settings);
        answers.push({ measured, spent: difference(around.spent, before) });
        round++;
      }
      return answers;
    };
    const model = await Surroundings.of(evaluator, vectors, { at, id, how }, within);
    const own = await measureAll(model);
    const { twin, withoutTwin } = input.twin ? await findTwin(model) : notAskedFor;
    const others =
      twin === null
        ? null
        : await measureAll(
            await Surroundings.of(evaluator, vectors, { at: twin.vector, id: `${id} rescaled`, how }, within),
          );

    const body = {
      kind: 'flatness' as const,
      at: id,
      data: { split: input.data.split, samples: model.samples },
      loss: model.loss,
      measures: wanted.flatMap((name, i): FlatnessMeasure[] => {
        const [answer, other] = [own[i], others?.[i]];
        return answer === undefined ? [] : [asMeasure(name, settings, answer, other ?? null)];
      }),
      twin: twin?.pair ?? null,
      withoutTwin,
      refreshedStatistics: how.refresh,
    };
    return {
      ...body,
      trust: [
        ...flatnessSentences(body),
        dataSentence(body.data, input.mode, how.refresh),
        ...replaySentence(evaluator.description),
      ],
    };
  });
}

interface Answer {
  readonly measured: Measured;
  readonly spent: Evaluations;
}

interface Definition {
  readonly paper: string;
  readonly uses: readonly (keyof FlatnessSettings)[];
  readonly meaning: (settings: FlatnessSettings) => string;
  readonly measure: (around: Surroundings, settings: FlatnessSettings) => Promise<Measured>;
}

const largestFound = 'the largest that an ascent found';

const measures: Readonly<Record<FlatnessMeasureName, Definition>> = {
  'worst-case': {
    paper: 'Keskar et al. 2017',
    uses: ['epsilon', 'steps', 'starts', 'seed'],
    meaning: ({ epsilon }) =>
      `Rise of the loss, in percent of 1 + loss, where every weight moves by at most ${epsilon}·(|w| + 1): ${largestFound}.`,
    measure: worstCase,
  },
  sam: {
    paper: 'Foret et al. 2021',
    uses: ['samRho', 'ascentSteps'],
    meaning: ({ samRho, ascentSteps }) =>
      `Rise of the loss after ${ascentWords(ascentSteps)} up the gradient to a distance of ${samRho}.`,
    measure: (around, { samRho: rho, ascentSteps }) => samSharpness(around, { rho, ascentSteps, eta: null }),
  },
  asam: {
    paper: 'Kwon et al. 2021',
    uses: ['asamRho', 'eta', 'ascentSteps'],
    meaning: ({ asamRho, eta, ascentSteps }) =>
      `Rise of the loss after ${ascentWords(ascentSteps)} to a distance of ${asamRho}, where the movement of a weight counts in units of |w| + ${eta}.`,
    measure: (around, { asamRho: rho, ascentSteps, eta }) => samSharpness(around, { rho, ascentSteps, eta }),
  },
  'average-case': {
    paper: 'Li et al. 2018',
    uses: ['sigma', 'repeats', 'seed'],
    meaning: ({ sigma, repeats }) =>
      `Mean rise of the loss over ${repeats} random directions, both ways, in which every filter moves by ${sigma} of its norm.`,
    measure: averageFlatness,
  },
  'fisher-rao': {
    paper: 'Liang et al. 2019',
    uses: [],
    meaning: () =>
      'Squared Fisher–Rao norm wᵀGw with the Gauss–Newton matrix G: how strongly the predictions change when all weights grow by the same share.',
    measure: fisherRao,
  },
};

function ascentWords(steps: number): string {
  return steps === 1 ? 'one step' : `up to ${steps} steps`;
}

function asMeasure(
  name: FlatnessMeasureName,
  settings: FlatnessSettings,
  { measured, spent }: Answer,
  other: Answer | null,
): FlatnessMeasure {
  const { paper, uses, meaning } = measures[name];
  return {
    name,
    paper,
    settings: Object.fromEntries(uses.map((key) => [key, settings[key]])),
    value: measured.value,
    standardError: measured.standardError ?? null,
    interval: measured.interval ?? null,
    reason: measured.reason,
    meaning: meaning(settings),
    evaluations: other === null ? spent : sum(spent, other.spent),
    twin: other === null ? null : twinValue(measured.value, other.measured.value),
  };
}

function twinValue(own: number | null, value: number | null): TwinValue {
  const factor = own === null || value === null || own === 0 ? null : value / own;
  if (factor === null) return { value, factor, verdict: 'unknown' };
  return { value, factor, verdict: Math.abs(factor - 1) <= UNCHANGED ? 'unchanged' : 'changed' };
}

const notAskedFor = { twin: null, withoutTwin: 'No twin was asked for.' };

async function findTwin(model: Surroundings): Promise<{ twin: Twin | null; withoutTwin: string | null }> {
  const found = await rescaledTwin(model);
  if ('twin' in found) return { twin: found.twin, withoutTwin: null };
  const { tried } = found;
  return {
    twin: null,
    withoutTwin:
      tried === 0
        ? 'The model has no two successive layers to rescale.'
        : `None of ${tried} ${tried === 1 ? 'pair' : 'pairs'} of successive layers can be rescaled with the loss staying the same (as ReLU without weight penalties lets it).`,
  };
}

/** @throws BasinError `bad-input` */
export function requireSettings(settings: FlatnessSettings): void {
  const refuse = (name: string, wanted: string): never => {
    const value = settings[name as keyof FlatnessSettings];
    throw new BasinError(
      'bad-input',
      `${name} has to be ${wanted}, not ${value}.`,
      `The usual value is ${flatnessDefaults[name as keyof FlatnessSettings]}.`,
    );
  };
  for (const name of ['epsilon', 'samRho', 'asamRho', 'sigma'] as const) {
    if (!(Number.isFinite(settings[name]) && settings[name] > 0)) refuse(name, 'a number above 0');
  }
  if (!(Number.isFinite(settings.eta) && settings.eta >= 0)) refuse('eta', 'a number of at least 0');
  for (const [name, least, most] of [
    ['steps', 2, 1000],
    ['starts', 1, 100],
    ['ascentSteps', 1, 1000],
    ['repeats', 2, 10_000],
    ['seed', 0, Number.MAX_SAFE_INTEGER],
  ] as const) {
    const value = settings[name];
    if (!(Number.isInteger(value) && value >= least && value <= most)) {
      refuse(name, `a whole number from ${least} to ${most}`);
    }
  }
}

function sum(a: Evaluations, b: Evaluations): Evaluations {
  return {
    losses: a.losses + b.losses,
    gradients: a.gradients + b.gradients,
    products: a.products + b.products,
  };
}

function difference(a: Evaluations, b: Evaluations): Evaluations {
  return {
    losses: a.losses - b.losses,
    gradients: a.gradients - b.gradients,
    products: a.products - b.products,
  };
}
