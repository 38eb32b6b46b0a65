/** How a subcommand is declared, run and answered: the same options, progress, cancellation and exit codes for all. */
import path from 'node:path';
import { Option, type Command } from 'commander';
import { Engine } from '../engine/engine.ts';
import type { Installation } from '../engine/installation.ts';
import type { Job } from '../protocol/engine.ts';
import type { EvaluationMode } from '../protocol/evaluator.ts';
import type { EvaluationOptions, ModelReference } from '../protocol/job.ts';
import { findRoot } from '../runs/runStore.ts';
import { planeNames, type PlaneName, type PlaneOptions } from '../protocol/plane.ts';
import { modelList, modelReference, plane, positiveNumber, wholeNumber } from './arguments.ts';
import { EXIT_DONE, EXIT_INTERRUPTED, EXIT_USAGE, printAnswer, printError, ProgressLine } from './output.ts';
import { resultText } from './tables.ts';

/** Options that every subcommand understands. */
export interface Common {
  readonly root: string;
  readonly json: boolean;
  /** Name or number of the objective that a question is about; the run's first where it is left out. */
  readonly objective?: string | number;
}

/** The argument that names a run, for `Command.argument`. */
export const RUN = ['[run]', 'id, unique prefix, or last', 'last'] as const;

export class CommandLine {
  exitCode = EXIT_DONE;

  constructor(
    readonly program: Command,
    readonly installation: Installation,
  ) {
    withCommon(program);
  }

  /** A subcommand; --root and --json are understood before and after its name. */
  command(name: string, description: string): Command {
    return withCommon(this.program.command(name).description(description));
  }

  /** A subcommand that asks about one objective of a run, the first by default. */
  question(name: string, description: string): Command {
    return this.command(name, description).option(
      '--objective <name>',
      'of a run with several optimizers: the name or the number of one (default: the first)',
      modelReference,
    );
  }

  /**
   * Runs a command's work, and turns its failure into words and an exit code.
   * @param needs options that do nothing beside what else was asked for: giving one is wrong usage
   */
  run<A extends unknown[]>(
    target: Command,
    work: (common: Common, options: Record<string, unknown>, ...args: A) => Promise<number | void>,
    needs: (options: Record<string, unknown>) => Needs = () => ({}),
  ): void {
    target.action(async (...all: unknown[]) => {
      const values = target.optsWithGlobals<{ root?: string; json?: boolean; objective?: string | number }>();
      refuseWithoutEffect(target, needs(values));
      const common = {
        root: values.root === undefined ? findRoot(process.cwd()) : path.resolve(values.root),
        json: values.json === true,
        ...(values.objective === undefined ? {} : { objective: values.objective }),
      };
      try {
        this.exitCode = (await work(common, values, ...(all.slice(0, -2) as A))) ?? EXIT_DONE;
      } catch (error) {
        this.exitCode = await printError(common.json, error);
      }
    });
  }

  /** Runs one job, with progress on stderr; the first Ctrl+C cancels it in good order, a second one ends at once. */
  async ask({ root, json, objective }: Common, job: Job, processes = 1): Promise<void> {
    const asked = objective === undefined || job.kind === 'report' ? job : { ...job, objective };
    const controller = new AbortController();
    const interrupt = (): void => {
      if (controller.signal.aborted) process.exit(EXIT_INTERRUPTED);
      controller.abort();
    };
    process.on('SIGINT', interrupt);
    process.on('SIGTERM', interrupt);
    const progress = new ProgressLine();
    const engine = new Engine({ root, ...this.installation, processes });
    try {
      const result = await engine.run(asked, {
        signal: controller.signal,
        progress: (p) => progress.show(p),
        warning: (message) => {
          progress.end();
          process.stderr.write(`warning: ${message}\n`);
        },
      });
      progress.end();
      await printAnswer(json, result, () => resultText(result));
    } finally {
      progress.end();
      await engine.dispose();
      process.off('SIGINT', interrupt);
      process.off('SIGTERM', interrupt);
    }
  }
}

/** By an option's attribute name: what has to be given for it to have an effect; null where it has one. */
export type Needs = Readonly<Record<string, string | null>>;

function refuseWithoutEffect(target: Command, needs: Needs): void {
  for (const [attribute, missing] of Object.entries(needs)) {
    if (missing === null || target.getOptionValueSource(attribute) !== 'cli') continue;
    const flag = target.options.find((option) => option.attributeName() === attribute)?.long ?? attribute;
    target.error(`error: option '${flag}' has no effect here: it needs ${missing}.`, {
      code: 'basin.withoutEffect',
      exitCode: EXIT_USAGE,
    });
  }
}

function withCommon(target: Command): Command {
  return target
    .option(
      '--root <dir>',
      'workspace folder (default: the nearest one upwards that has runs, else this one)',
    )
    .option('--json', 'print one JSON document on stdout; progress and messages go to stderr');
}

/** Adds --at to a command. */
export function withAt(
  target: Command,
  meaning = 'a step, first, last, or a model (default: last)',
): Command {
  return target.option('--at <model>', meaning, modelReference);
}

/** Adds what names a plane to a command. */
export function withPlane(target: Command, usual: PlaneName = 'pca'): Command {
  return withAt(
    target
      .option(
        '--plane <plane>',
        `${planeNames.join(', ')}, three steps or models (A,B,C), or two of random, gradient, pcaN, eigenvectorN, A..B`,
        plane,
        usual,
      )
      .option(
        '--beside <models>',
        'further models to compare, with a plane through three: A,B,… or RUN:A',
        modelList,
      )
      .option('--seed <seed>', 'of random directions (default: 1)', wholeNumber(0))
      .option('--span <width>', 'half-width of a plane by directions, in units of these', positiveNumber)
      .addOption(
        new Option(
          '--normalise <how>',
          'random directions (default: filter), the gradient, eigenvectors',
        ).choices(['filter', 'layer', 'none']),
      )
      .option(
        '--include-biases',
        'let biases and norm parameters take part in random and normalised directions',
      )
      .option('--orthogonalise', 'turn the second direction (default: unless both are random)')
      .option('--no-orthogonalise', 'leave the second direction as it is'),
    'origin of the plane: a step, first, last, or a model (default: last)',
  );
}

/** The values of what `withPlane` adds. */
export function planeOptions(options: Record<string, unknown>): PlaneOptions {
  return {
    plane: options.plane as PlaneOptions['plane'],
    ...at(options),
    ...given<Partial<PlaneOptions>>(
      options,
      'beside',
      'seed',
      'span',
      'normalise',
      'includeBiases',
      'orthogonalise',
    ),
  };
}

/** Adds --processes to a command whose answer is made of the losses at many points. */
export function withProcesses(target: Command): Command {
  return target.option(
    '--processes <n>',
    'start the script this many times and share the points among them, one thread each',
    wholeNumber(1, 64),
    1,
  );
}

/** The value of --processes. */
export function processes(options: Record<string, unknown>): number {
  return options.processes as number;
}

/**
 * Adds --data and --mode to a command.
 * @param usual what an analysis that chooses by itself takes, in words; train when absent
 */
export function withData(target: Command, usual?: string): Command {
  const meaning = 'samples to evaluate on';
  const option = new Option(
    '--data <split>',
    usual === undefined ? meaning : `${meaning} (default: ${usual})`,
  );
  option.choices(['train', 'validation']);
  return withMode(target.addOption(usual === undefined ? option.default('train') : option));
}

/** Adds --mode to a command that evaluates. */
export function withMode(target: Command): Command {
  return target.addOption(
    new Option(
      '--mode <mode>',
      'how dropout and batch norm behave (default: inference; as trained for eigenvalues of the training loss where batch norm trains, and where the loss goes through no layers model)',
    ).choices(['inference', 'as-trained']),
  );
}

/** The values of --data and --mode; what was not given is left to the analysis. */
export function evaluation(options: Record<string, unknown>): Pick<EvaluationOptions, 'split' | 'mode'> {
  return {
    ...(options.data === undefined ? {} : { split: options.data as 'train' | 'validation' }),
    ...(options.mode === undefined ? {} : { mode: options.mode as EvaluationMode }),
  };
}

/** The value of --at, as a job has it. */
export function at(options: Record<string, unknown>): { at?: ModelReference } {
  return options.at === undefined ? {} : { at: options.at as ModelReference };
}

/** Options under the names a job has them by; what was not given is left out. */
export function given<T extends object>(options: Record<string, unknown>, ...names: (keyof T & string)[]): T {
  const present = names.filter((name) => options[name] !== undefined);
  return Object.fromEntries(present.map((name) => [name, options[name]])) as T;
}
