/** Launch and attach configurations: what they may hold, and what is told of those that hold something else. */
import * as v from 'valibot';
import { BasinError } from '../protocol/errors.ts';
import type { WhenGone } from '../protocol/standing.ts';
import { configuredStops } from './configuredStops.ts';

/** Code debuggers that a script can be started under, by the names of their debug types. */
export const codeDebuggers = ['node', 'debugpy'] as const;
export type CodeDebugger = (typeof codeDebuggers)[number];

export interface SharedConfiguration {
  /** Workspace folder, where `.basin/` is. */
  readonly root?: string;
  readonly whenGone?: WhenGone;
  /** To stop at, beside what is set in the editor: conditions at every step, and ids of training events. */
  readonly breakpoints?: readonly string[];
}

export interface LaunchConfiguration extends SharedConfiguration {
  /** The training script. */
  readonly program?: string;
  /** A Python module in place of it: `python -m module`. */
  readonly module?: string;
  readonly args?: readonly string[];
  /** The interpreter; found as for a run without the debugger when absent. */
  readonly runtime?: string;
  readonly runtimeArgs?: readonly string[];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string | null>>;
  /** Stand before the first update. */
  readonly stopOnEntry?: boolean;
  /** Seconds that the process is kept at its end for questions. */
  readonly hold?: number;
  /** Updates between snapshots. */
  readonly snapshotEvery?: number;
  /** Percent of the training's time that measuring λ₁ and the noise scale beside it may take; 0: nothing is measured. */
  readonly liveBudget?: number;
  /** Has a code debugger start the script, so that breakpoints in the code and in training live together. */
  readonly under?: CodeDebugger;
}

export interface AttachConfiguration extends SharedConfiguration {
  /** Id of a run, or `last`. */
  readonly run?: string;
  /** Has the script of the run started again, to look at this snapshot; the last one of a run that is over by default. */
  readonly snapshot?: number | 'last';
}

interface Attribute {
  readonly schema: v.GenericSchema;
  /** A sentence on a value that is none, which it is given as JSON. */
  readonly wrong: (given: string) => string;
  readonly cure: string;
}

const text = (name: string, cure: string): Attribute => ({
  schema: v.pipe(v.string(), v.nonEmpty()),
  wrong: () => `"${name}" is no text.`,
  cure,
});
const texts = (name: string, cure: string): Attribute => ({
  schema: v.array(v.string()),
  wrong: () => `"${name}" is no list of texts.`,
  cure,
});
const choice = (name: string, of: readonly string[], cure: string): Attribute => ({
  schema: v.picklist(of),
  wrong: (given) => `"${name}" cannot be ${given}.`,
  cure,
});

const shared: Readonly<Record<keyof SharedConfiguration, Attribute>> = {
  root: text('root', 'Set "root" to the workspace folder.'),
  whenGone: choice('whenGone', ['continue', 'hold'], 'Set it to "continue" or "hold".'),
  breakpoints: texts('breakpoints', 'Write "breakpoints": ["loss > 2", "non-finite"].'),
};

const launching: Readonly<Record<keyof LaunchConfiguration, Attribute>> = {
  ...shared,
  program: text('program', 'Set "program" to the training script.'),
  module: text('module', 'Set "module" to the name of a Python module.'),
  args: texts('args', 'Write "args": ["--epochs", "3"].'),
  runtime: text('runtime', 'Set "runtime" to the path of Node.js or Python, or leave it out.'),
  runtimeArgs: texts('runtimeArgs', 'Write "runtimeArgs": ["--max-old-space-size=4096"].'),
  cwd: text('cwd', 'Set "cwd" to a folder.'),
  env: {
    schema: v.record(v.string(), v.nullable(v.string())),
    wrong: () => '"env" is no object of texts.',
    cure: 'Write "env": { "NAME": "value" }; null takes a variable away.',
  },
  stopOnEntry: {
    schema: v.boolean(),
    wrong: () => '"stopOnEntry" is neither true nor false.',
    cure: 'Write "stopOnEntry": true.',
  },
  hold: {
    schema: v.pipe(v.number(), v.minValue(0)),
    wrong: () => '"hold" is no number of seconds.',
    cure: 'Write "hold": 600.',
  },
  snapshotEvery: {
    schema: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
    wrong: () => '"snapshotEvery" is no number of updates.',
    cure: 'Write "snapshotEvery": 100, or leave it out.',
  },
  liveBudget: {
    schema: v.pipe(v.number(), v.minValue(0), v.maxValue(50)),
    wrong: () => '"liveBudget" is no percentage up to 50.',
    cure: 'Write "liveBudget": 5.',
  },
  under: choice('under', codeDebuggers, 'Set it to "node" or "debugpy", or leave it out.'),
};

const attaching: Readonly<Record<keyof AttachConfiguration, Attribute>> = {
  ...shared,
  run: text('run', 'Set "run" to the id of a run, or to "last".'),
  snapshot: {
    schema: v.union([v.literal('last'), v.pipe(v.number(), v.safeInteger(), v.minValue(0))]),
    wrong: (given) => `"snapshot" cannot be ${given}.`,
    cure: 'Give a step, or "last".',
  },
};

/** What every configuration may hold besides: VS Code reads these itself. Names that begin with __ are its own, too. */
const ofTheEditor: ReadonlySet<string> = new Set([
  ...['type', 'request', 'name', 'noDebug', 'presentation', 'preLaunchTask', 'postDebugTask', 'debugServer'],
  ...['internalConsoleOptions', 'serverReadyAction', 'suppressMultipleSessionWarning'],
  ...['windows', 'osx', 'linux'],
]);

/**
 * @returns a sentence on attributes that there are none of, with those that there are; null where there are none such
 * @throws BasinError `bad-input` for what a configuration must not be, naming the attribute
 */
export function checkLaunch(configuration: object): string | null {
  const told = check(configuration, launching, 'launch');
  const { program, module } = configuration as LaunchConfiguration;
  if (program === undefined && module === undefined)
    throw new BasinError(
      'bad-input',
      'The launch configuration names no program.',
      'Set "program" to the training script, or "module" to a Python module.',
    );
  return told;
}

/** As {@link checkLaunch}. */
export function checkAttach(configuration: object): string | null {
  return check(configuration, attaching, 'attach');
}

function check(
  configuration: object,
  attributes: Readonly<Record<string, Attribute>>,
  request: 'launch' | 'attach',
): string | null {
  const unknown: string[] = [];
  for (const [name, value] of Object.entries(configuration)) {
    const attribute = Object.hasOwn(attributes, name) ? attributes[name] : undefined;
    if (attribute === undefined) {
      if (!ofTheEditor.has(name) && !name.startsWith('__')) unknown.push(`"${name}"`);
    } else if (value !== undefined && !v.is(attribute.schema, value)) {
      throw new BasinError('bad-input', attribute.wrong(JSON.stringify(value)), attribute.cure);
    }
  }
  configuredStops((configuration as SharedConfiguration).breakpoints ?? []);
  if (unknown.length === 0) return null;
  return (
    `The ${request} configuration has ${unknown.join(', ')}, which Basin does not know and leaves out; ` +
    `it knows ${Object.keys(attributes).join(', ')}.`
  );
}
