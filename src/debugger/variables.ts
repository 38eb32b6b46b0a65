/** The optimisation's state as a tree of names and values: the step, its optimizer, parameters by layer, the run. */
import type { ParameterStatistics } from '../protocol/standing.ts';
import { shown } from './breakpoints.ts';
import type { DebugTarget } from './target.ts';

export interface Variable {
  readonly name: string;
  readonly value: string;
  readonly type?: string;
  /** An expression of the debug console that gives it. */
  readonly expression?: string;
  /** Present where it can be unfolded. */
  readonly children?: () => Promise<Variable[]>;
  /** Name of a parameter whose norm can be watched. */
  readonly parameter?: string;
}

export interface ScopeOf {
  readonly name: string;
  readonly expensive: boolean;
  readonly variables: () => Promise<Variable[]>;
}

/** The scopes of a stop. Statistics of weights are computed when they are looked at, once a stop. */
export function scopes(session: DebugTarget): ScopeOf[] {
  let parameters: Promise<Variable[]> | null = null;
  return [
    { name: 'Step', expensive: false, variables: () => Promise.resolve(stepVariables(session)) },
    { name: 'Optimizer', expensive: false, variables: () => Promise.resolve(optimizerVariables(session)) },
    {
      name: 'Parameters',
      expensive: true,
      variables: () => (parameters ??= parameterVariables(session)),
    },
    { name: 'Run', expensive: false, variables: () => runVariables(session) },
  ];
}

function stepVariables({ values, standing, weightsOf, sharpness, stability }: DebugTarget): Variable[] {
  const explained: Readonly<Record<string, string>> = {
    gradientNorm: 'not read at this step (a condition with gradientNorm has it read)',
    updateNorm: 'not read at this step',
    distance: 'not read at this step',
    lambda1: 'not measured yet: sharpness() in the debug console measures it',
    bound: stability.reason === null ? 'not known' : `not known: ${stability.reason}`,
  };
  const list: Variable[] = Object.entries(values).map(([name, value]) => ({
    name,
    value: value === null ? (explained[name] ?? 'not known') : shown(value),
    type: typeof value,
    expression: name,
  }));
  if (sharpness !== null) list.push({ name: 'lambda1 measured at', value: `step ${sharpness.step}` });
  if (standing !== null && weightsOf !== standing.step)
    list.push({ name: 'weights', value: `those of step ${weightsOf ?? '?'}` });
  return list;
}

function optimizerVariables(session: DebugTarget): Variable[] {
  const { optimizer } = session;
  const rate = session.values.lr ?? null;
  const now: Variable = { name: 'learning rate now', value: shown(rate), type: 'number', expression: 'lr' };
  if (optimizer === null) return [{ name: 'name', value: 'not known before the first update' }, now];
  return [
    { name: 'name', value: optimizer.name },
    now,
    ...Object.entries(optimizer.config).map(([name, value]) => ({
      name,
      value: shown(value),
      type: typeof value,
    })),
  ];
}

async function parameterVariables(session: DebugTarget): Promise<Variable[]> {
  const { parameters } = session.connection.description.objective;
  const { weights, gradient, fromStart, update } = await session.parameters();
  const layers = new Map</* layer */ string, Variable[]>();
  parameters.forEach((parameter, i) => {
    const layer = parameter.layer ?? '(no layer)';
    const w = weights[i];
    if (w === undefined) return;
    const variable: Variable = {
      name: parameter.name,
      value: `${parameter.role} [${parameter.shape.join(', ')}], norm ${shown(w.norm)}`,
      parameter: parameter.name,
      children: () =>
        Promise.resolve(
          statisticsOf(parameter.name, w, {
            gradient: gradient?.[i],
            fromStart: fromStart?.[i],
            update: update?.[i],
          }),
        ),
    };
    layers.set(layer, [...(layers.get(layer) ?? []), variable]);
  });
  return [...layers].map(([name, children]) => ({
    name,
    value: `${children.length} parameter${children.length > 1 ? 's' : ''}`,
    children: () => Promise.resolve(children),
  }));
}

function statisticsOf(
  name: string,
  w: ParameterStatistics,
  others: Readonly<Record<'gradient' | 'fromStart' | 'update', ParameterStatistics | undefined>>,
): Variable[] {
  const { gradient: g, fromStart, update } = others;
  const of = (label: string, s: ParameterStatistics): Variable[] => [
    { name: `${label} mean`, value: shown(s.mean), type: 'number' },
    { name: `${label} largest`, value: shown(s.largest), type: 'number' },
    { name: `${label} zeros`, value: `${(100 * s.zeros).toFixed(1)} %` },
    ...(s.units === null || s.units.zero.length === 0
      ? []
      : [{ name: `${label} units that are zero`, value: `${s.units.zero.length} of ${s.units.of}` }]),
    ...(s.nonFinite > 0 ? [{ name: `${label} NaN or infinite`, value: String(s.nonFinite) }] : []),
  ];
  return [
    { name: 'norm', value: shown(w.norm), type: 'number', parameter: name, expression: `norm("${name}")` },
    ...of('weights', w),
    ...(fromStart === undefined
      ? []
      : [{ name: 'distance from start', value: shown(fromStart.norm), type: 'number' }]),
    ...(update === undefined
      ? [{ name: 'update', value: 'not known: step over an update to see it' }]
      : [
          { name: 'update norm', value: shown(update.norm), type: 'number' },
          {
            name: 'update / weights',
            value: shown(w.norm === 0 ? NaN : update.norm / w.norm),
            type: 'number',
          },
        ]),
    ...(g === undefined
      ? [{ name: 'gradient', value: 'applied already: step into the next step to see one' }]
      : [
          { name: 'gradient norm', value: shown(g.norm), type: 'number', expression: `gradient("${name}")` },
          { name: 'gradient / weights', value: shown(w.norm === 0 ? NaN : g.norm / w.norm), type: 'number' },
          ...of('gradient', g),
        ]),
  ];
}

async function runVariables({ run, connection }: DebugTarget): Promise<Variable[]> {
  const { manifest, snapshots } = {
    manifest: await run.readManifest(),
    snapshots: await run.snapshots(connection.description.objectiveIndex),
  };
  const { description } = connection;
  const { replay } = description.objective;
  return [
    { name: 'id', value: run.id },
    ...(manifest.parent === undefined
      ? []
      : [{ name: 'parent', value: `run ${manifest.parent.run}, step ${manifest.parent.step}` }]),
    { name: 'directory', value: run.directory },
    { name: 'command', value: manifest.command.join(' ') },
    { name: 'framework', value: `${description.framework} on ${description.backend}` },
    { name: 'objective', value: description.objective.name },
    { name: 'parameters', value: String(description.objective.parameterCount) },
    { name: 'snapshots', value: String(snapshots.length) },
    {
      name: 'replay',
      value: replay === null ? 'not checked yet' : `exact on ${replay.passed} of ${replay.checked} steps`,
    },
  ];
}
