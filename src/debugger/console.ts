/** What the debug console understands beside a step's values: norms, losses, and the analyses, at the weights that stand. */
import type { TrainingConnection } from '../evaluators/connection.ts';
import type { Job, JobResult } from '../protocol/engine.ts';
import type { EvaluatorDescription, LossValue } from '../protocol/evaluator.ts';
import { BasinError } from '../protocol/errors.ts';
import { decodeNumber, type LiveSharpness } from '../protocol/run.ts';
import type { Run } from '../runs/run.ts';
import { shown } from './breakpoints.ts';
import { Expression, type Value } from './expression.ts';
import { knownNames, withOtherNames } from './stepValues.ts';
import type { DebugTarget, Helpers } from './target.ts';
import { wholeNorm } from './wholeNorm.ts';

/** Estimates and analyses, done by the rooms that have them. */
export interface Laboratory {
  /** λ₁ at the weights that stand. */
  sharpness(connection: TrainingConnection): Promise<LiveSharpness>;
  /** The loss at those weights, on the run's evaluation set. @throws BasinError `unsupported` without one */
  loss(connection: TrainingConnection, split: 'train' | 'validation'): Promise<LossValue>;
  /** An analysis as the engine does it, kept with the run; text as on the command line. */
  ask(root: string, job: Job): Promise<{ readonly text: string; readonly result: JobResult }>;
  /** What the run's files tell of a limit cycle; null where there is none. */
  limitCycle: Helpers['limitCycle'];
  /** Has λ₁ measured while the run trains, within its budget. */
  follow(run: Run): void;
  unfollow(): void;
}

export const consoleFunctions = [
  { name: 'sharpness', signature: 'sharpness()' },
  { name: 'loss', signature: 'loss("train" | "validation")' },
  { name: 'norm', signature: 'norm("parameter")' },
  { name: 'gradient', signature: 'gradient("parameter")' },
  { name: 'line', signature: 'line(from, to)' },
  { name: 'contour', signature: 'contour()' },
  { name: 'snapshot', signature: 'snapshot()' },
  { name: 'trainOn', signature: 'trainOn()' },
] as const;

/** What changes something: asked for by people, and by nothing that asks again at every stop. */
const CHANGING: ReadonlySet<string> = new Set(['snapshot', 'trainOn']);

/** Where an expression comes from, in the words of the protocol, where it matters. */
export type Asked = 'repl' | 'hover' | 'elsewhere';

const LINE_POINTS = 31;
const CONTOUR_SIZE = 21;

interface Surroundings {
  readonly session: DebugTarget;
  readonly root: string;
  readonly laboratory: Laboratory;
  readonly asked: Asked;
}

/** A result that a lens can show. */
export interface Opened {
  readonly directory: string;
  readonly kind: string;
  readonly id: string;
}

/**
 * A hover starts no analysis, and only the debug console changes anything.
 * @throws BasinError `bad-input` with the names there are; `not-allowed`; as the analyses do
 */
export async function evaluateInConsole(
  text: string,
  { session, root, laboratory, asked }: Surroundings,
): Promise<{ readonly text: string; readonly opened: Opened | null }> {
  const said: { text: string | null; opened: Opened | null } = { text: null, opened: null };
  const run = session.run.id;
  const { description } = session.connection;
  const analysis = async (job: (here: number) => Job): Promise<Value> => {
    // The standing weights are a snapshot then, so that what is drawn can be drawn again.
    const answer = await laboratory.ask(root, job(await session.snapshot()));
    said.text = answer.text;
    if ('id' in answer.result)
      said.opened = { directory: session.run.directory, kind: answer.result.kind, id: answer.result.id };
    return null;
  };
  const parameter = async (of: 'current' | 'gradient', name: Value): Promise<Value> => {
    const index = description.objective.parameters.findIndex((p) => p.name === name);
    if (index < 0) {
      const names = description.objective.parameters.map((p) => p.name);
      throw new BasinError(
        'not-found',
        `There is no parameter ${String(name)}.`,
        `There are ${names.join(', ')}.`,
      );
    }
    if (of === 'gradient' && session.standing?.place !== 'gradient')
      throw new BasinError(
        'not-found',
        'The gradient is applied already.',
        'Step into the next step to see one.',
      );
    const statistics = await session.statistics(of);
    return wholeNorm(statistics[index]);
  };
  const offered: Record<string, (...given: Value[]) => Promise<Value>> = {
    sharpness: async () => {
      const { lambda1, bound } = await session.measureSharpness();
      said.text = `λ₁ ${shown(decodeNumber(lambda1))}${bound === null ? '' : `, bound ${shown(decodeNumber(bound))}`}`;
      return decodeNumber(lambda1);
    },
    loss: async (given = 'train') => {
      const split = splitNamed(given, description);
      const { loss, standardError, samples } = await session.loss(split);
      said.text = `${shown(loss)}${standardError === null ? '' : ` ± ${shown(standardError)}`} on ${samples} ${split} samples`;
      return loss;
    },
    norm: (name = '') => parameter('current', name),
    gradient: (name = '') => parameter('gradient', name),
    line: (from = 'first', to?: Value) =>
      analysis((here) => ({
        kind: 'line',
        run,
        from: reference(from),
        to: to === undefined ? here : reference(to),
        points: LINE_POINTS,
      })),
    contour: () => analysis((at) => ({ kind: 'contour', run, plane: 'pca', at, size: CONTOUR_SIZE })),
    snapshot: async () => {
      const step = await session.snapshot();
      said.text = `snapshot ${step}`;
      return step;
    },
    trainOn: async () => {
      const { id } = await session.trainOn();
      said.text = `run ${id} begins at these weights; continue trains it`;
      return id;
    },
  };
  if (MODEL.test(text)) return { text: await modelText(session), opened: null };
  const functions = asked !== 'hover';
  const expression = Expression.parse(text, {
    values: knownNames,
    functions: functions ? consoleFunctions.map((f) => f.name) : [],
  });
  const changing = [...expression.calls].find((name) => CHANGING.has(name));
  if (changing !== undefined && asked !== 'repl')
    throw new BasinError(
      'not-allowed',
      `${changing}() changes something, and what is watched is asked for again at every stop.`,
      'Call it in the debug console.',
    );
  const value = await expression.evaluate({
    values: withOtherNames(session.values),
    functions: functions ? offered : {},
  });
  const single = expression.calls.size === 1 && /^\s*\w+\s*\([^()]*\)\s*$/.test(text);
  return { text: single && said.text !== null ? said.text : shown(value), opened: said.opened };
}

/** What scripts call the model. */
const MODEL = /^\s*(?:self\.)?(?:model|net|network)\s*$/;

/** @throws BasinError `not-found` for a split that there is none of, with those there are */
function splitNamed(name: Value, { train, validation }: EvaluatorDescription): 'train' | 'validation' {
  if (name === 'train' || name === 'validation') return name;
  const there = [...(train === null ? [] : ['"train"']), ...(validation === null ? [] : ['"validation"'])];
  throw new BasinError(
    'not-found',
    `There is no split ${JSON.stringify(name)}.`,
    `This run has ${there.length === 0 ? 'kept no data yet' : there.join(' and ')}.`,
  );
}

/** The model in a line: how large it is, and where it has got to. */
async function modelText(session: DebugTarget): Promise<string> {
  const { objective } = session.connection.description;
  const { weights, fromStart } = await session.parameters();
  const norm = (of: readonly { readonly norm: number }[]): string =>
    shown(Math.hypot(...of.map((one) => one.norm)));
  return (
    `${objective.name}: ${objective.parameterCount} numbers in ${objective.parameters.length} parameters, ` +
    `norm ${norm(weights)}${fromStart === null ? '' : `, ${norm(fromStart)} from start`}`
  );
}

const reference = (value: Value): number | string => (typeof value === 'number' ? value : String(value));
