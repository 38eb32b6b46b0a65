#!/usr/bin/env node
/** The `basin` command: composition root of the command line. */
import path from 'node:path';
import { Command, CommanderError, Option } from 'commander';
import { modelReference, oddNumber, plane, positiveNumber, stepList, wholeNumber } from './cli/arguments.ts';
import {
  EXIT_DONE,
  EXIT_INTERRUPTED,
  EXIT_USAGE,
  printAnswer,
  printError,
  ProgressLine,
} from './cli/output.ts';
import { detailsText, resultText, runsTable, type RunDetails, type RunRow } from './cli/tables.ts';
import { train } from './cli/train.ts';
import { Engine } from './engine/engine.ts';
import { findInstallation } from './engine/installation.ts';
import type { ContourJob } from './protocol/analyses.ts';
import type { Job } from './protocol/engine.ts';
import type { ModelReference } from './protocol/job.ts';
import { decodeNumber } from './protocol/run.ts';
import { findRoot, RunStore } from './runs/runStore.ts';

/** Kept at its end without a limit of the user's own. */
const HOLD_SECONDS = 1800;

const installation = findInstallation();
let exitCode = EXIT_DONE;

interface Common {
  readonly root: string;
  readonly json: boolean;
}

const program = new Command('basin')
  .description(
    'A debugger for training: records TensorFlow.js training scripts and answers questions to their loss.',
  )
  .version(installation.version)
  .enablePositionalOptions()
  .exitOverride()
  .configureHelp({ showGlobalOptions: false });

/** A subcommand; --root and --json are understood before and after its name. */
function command(name: string, description: string): Command {
  return withCommon(program.command(name).description(description));
}
function withCommon(target: Command): Command {
  return target
    .option(
      '--root <dir>',
      'workspace folder (default: the nearest one upwards that has runs, else this one)',
    )
    .option('--json', 'print one JSON document on stdout; progress and messages go to stderr');
}
withCommon(program);

/** Runs a command's work, and turns its failure into words and an exit code. */
function run<A extends unknown[]>(
  target: Command,
  work: (common: Common, options: Record<string, unknown>, ...args: A) => Promise<number | void>,
): void {
  target.action(async (...all: unknown[]) => {
    const given = target.optsWithGlobals<{ root?: string; json?: boolean }>();
    const common = {
      root: given.root === undefined ? findRoot(process.cwd()) : path.resolve(given.root),
      json: given.json === true,
    };
    try {
      exitCode = (await work(common, given, ...(all.slice(0, -2) as A))) ?? EXIT_DONE;
    } catch (error) {
      exitCode = await printError(common.json, error);
    }
  });
}

/** Runs one job, with progress on stderr; the first Ctrl+C cancels it in good order, a second one ends at once. */
async function ask({ root, json }: Common, job: Job): Promise<void> {
  const controller = new AbortController();
  const interrupt = (): void => {
    if (controller.signal.aborted) process.exit(EXIT_INTERRUPTED);
    controller.abort();
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  const progress = new ProgressLine();
  const engine = new Engine({ root, ...installation });
  try {
    const result = await engine.run(job, { signal: controller.signal, progress: (p) => progress.show(p) });
    progress.end();
    await printAnswer(json, result, () => resultText(result));
  } finally {
    progress.end();
    await engine.dispose();
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', interrupt);
  }
}

const RUN = ['[run]', 'id, unique prefix, or last', 'last'] as const;

run(
  command('train', 'record a run of a training command')
    .usage('[options] -- command…')
    .option(
      '--every <steps>',
      'steps between snapshots (default: chosen so that 50 to 200 are kept)',
      wholeNumber(1),
    )
    .option('--every-step', 'record norms and the trajectory at every step, whatever it costs')
    .option('--name <text>', "the run's name (default: the script's)")
    .option(
      '--hold [seconds]',
      `keep the process at its end for questions (${HOLD_SECONDS} s)`,
      wholeNumber(1),
    )
    .argument('<command...>', 'any command line that starts a training script with Node')
    .passThroughOptions(),
  async ({ root, json }, options, words: string[]) =>
    train(
      {
        root,
        json,
        command: words,
        everyStep: options.everyStep === true,
        holdSeconds: options.hold === true ? HOLD_SECONDS : ((options.hold as number | undefined) ?? 0),
        ...(options.name === undefined ? {} : { name: options.name as string }),
        ...(options.every === undefined ? {} : { every: options.every as number }),
      },
      installation,
    ),
);

run(command('runs', 'list the runs of a workspace'), async ({ root, json }) => {
  const rows: RunRow[] = [];
  for (const entry of await new RunStore(root).list()) {
    const last = (await entry.run.readSteps().catch(() => [])).at(-1);
    const loss = last === undefined ? NaN : decodeNumber(last.loss);
    rows.push({ entry, lastLoss: Number.isFinite(loss) ? loss : null });
  }
  const runs = rows.map(({ entry: { id, manifest, error }, lastLoss }) => ({
    id,
    name: manifest?.name ?? null,
    state: manifest?.state ?? null,
    stateReason: manifest?.stateReason ?? null,
    created: manifest?.created ?? null,
    ended: manifest?.ended ?? null,
    steps: manifest?.recording.steps ?? null,
    snapshots: manifest?.recording.snapshots ?? null,
    lastLoss,
    error,
  }));
  await printAnswer(json, { kind: 'runs', root, runs }, () => runsTable(rows));
});

run(
  command('show', 'show a run: its settings, snapshots, models and results').argument(...RUN),
  async ({ root, json }, _, reference: string) => {
    const opened = await new RunStore(root).open(reference);
    const details: RunDetails = {
      run: await opened.readManifest(),
      directory: opened.directory,
      bytes: await opened.bytes(),
      steps: await opened.readSteps(),
      snapshots: (await opened.snapshots()).map((s) => s.step),
      models: await opened.models(),
      analyses: (await opened.analyses()).map(({ id, kind, provenance }) => ({
        id,
        kind,
        created: provenance.created,
      })),
      live: (await opened.readLive()).at(-1) ?? null,
    };
    const { steps, ...rest } = details;
    await printAnswer(json, { kind: 'show', ...rest, lastStep: steps.at(-1) ?? null }, () =>
      detailsText(details),
    );
  },
);

run(
  command('release', 'let the process of a held run end').argument(...RUN),
  async ({ root, json }, _, reference: string) => {
    const engine = new Engine({ root, ...installation });
    const { id } = await engine.store.open(reference);
    const released = await engine.release(id);
    await printAnswer(json, { kind: 'release', run: id, released }, () =>
      released ? `run ${id} goes on to its end` : `run ${id} has no process that waits`,
    );
  },
);

run(
  command('contour', 'the loss over a plane through the weights')
    .argument(...RUN)
    .option('--plane <plane>', 'pca, random, or three snapshot steps', plane, 'pca')
    .option('--size <points>', 'points along each axis', oddNumber, 41)
    .addOption(
      new Option('--data <split>', 'samples to evaluate on')
        .choices(['train', 'validation'])
        .default('train'),
    )
    .option(
      '--at <model>',
      'centre of a random or pca plane: a step, first, last, or a model',
      modelReference,
    )
    .option('--seed <seed>', 'seed of a random plane (default: 1)', wholeNumber(0))
    .option('--span <width>', 'half-width of a random plane, in directions (default: 1)', positiveNumber),
  async (common, options, reference: string) =>
    ask(common, {
      kind: 'contour',
      run: reference,
      plane: options.plane as ContourJob['plane'],
      size: options.size as number,
      split: options.data as 'train' | 'validation',
      ...at(options),
      ...(options.seed === undefined ? {} : { seed: options.seed as number }),
      ...(options.span === undefined ? {} : { span: options.span as number }),
    }),
);

run(
  command('line', 'loss and accuracy on the straight line between two models')
    .argument(...RUN)
    .requiredOption('--from <model>', 'a step, first, last, or a model', modelReference)
    .requiredOption('--to <model>', 'a step, first, last, or a model', modelReference)
    .option('--points <n>', 'points on the line, both ends included', wholeNumber(2, 1001), 61),
  async (common, options, reference: string) =>
    ask(common, {
      kind: 'line',
      run: reference,
      from: options.from as ModelReference,
      to: options.to as ModelReference,
      points: options.points as number,
    }),
);

run(
  command('sharpness', "the loss Hessian's largest eigenvalues against the optimizer's stability bound")
    .argument(...RUN)
    .option('--at <model>', 'a step, first, last, or a model (default: last)', modelReference)
    .option('--top <k>', 'how many eigenvalues', wholeNumber(1, 20), 1),
  async (common, options, reference: string) =>
    ask(common, { kind: 'sharpness', run: reference, top: options.top as number, ...at(options) }),
);

run(
  command('average', 'average snapshots (SWA), refresh batch-norm statistics, and score the average')
    .argument(...RUN)
    .option('--from <step>', 'first snapshot (default: three quarters of the run)', wholeNumber(0))
    .option('--to <step>', 'last snapshot', wholeNumber(0))
    .option('--stride <k>', 'every k-th snapshot', wholeNumber(1)),
  async (common, options, reference: string) =>
    ask(common, {
      kind: 'average',
      run: reference,
      ...(options.from === undefined ? {} : { from: options.from as number }),
      ...(options.to === undefined ? {} : { to: options.to as number }),
      ...(options.stride === undefined ? {} : { stride: options.stride as number }),
    }),
);

run(
  command('ensemble', 'average the predicted probabilities of snapshots, and score that')
    .argument(...RUN)
    .addOption(
      new Option('--members <steps>', 'snapshots, such as 800,900,938').argParser(stepList).conflicts('last'),
    )
    .option('--last <k>', 'the last k snapshots', wholeNumber(2)),
  async (common, options, reference: string) =>
    ask(common, {
      kind: 'ensemble',
      run: reference,
      ...(options.members === undefined ? {} : { members: options.members as number[] }),
      ...(options.last === undefined ? {} : { last: options.last as number }),
    }),
);

run(
  command('score', 'loss and accuracy of a model on training and validation samples')
    .argument(...RUN)
    .option('--at <model>', 'a step, first, last, or a model (default: last)', modelReference),
  async (common, options, reference: string) =>
    ask(common, { kind: 'score', run: reference, ...at(options) }),
);

run(
  command('export', 'write a snapshot or built model for other programs')
    .argument('<run>', RUN[1])
    .argument('<model>', 'a step, first, last, or a model', modelReference)
    .addOption(
      new Option('--format <format>', 'tfjs: model.json and weights')
        .choices(['tfjs', 'safetensors'])
        .makeOptionMandatory(),
    )
    .requiredOption('--to <dir>', 'directory to write into'),
  async (common, options, reference: string, model: ModelReference) =>
    ask(common, {
      kind: 'export',
      run: reference,
      model,
      format: options.format as 'tfjs' | 'safetensors',
      to: path.resolve(options.to as string),
    }),
);

run(
  command('report', 'write one self-contained, interactive HTML file')
    .argument(...RUN)
    .requiredOption('--to <file>', 'the HTML file'),
  async (common, options, reference: string) =>
    ask(common, { kind: 'report', run: reference, to: path.resolve(options.to as string) }),
);

function at(options: Record<string, unknown>): { at?: ModelReference } {
  return options.at === undefined ? {} : { at: options.at as ModelReference };
}

program
  .parseAsync()
  .catch((error: unknown) => {
    // Commander has printed what was wrong; help and version are no errors.
    if (!(error instanceof CommanderError)) throw error;
    exitCode = error.exitCode === 0 ? EXIT_DONE : EXIT_USAGE;
    const own = process.argv.slice(2, process.argv.includes('--') ? process.argv.indexOf('--') : undefined);
    if (exitCode === EXIT_USAGE && own.includes('--json')) {
      const message = error.message.replace(/^error: /, '');
      process.stdout.write(`${JSON.stringify({ error: { code: 'bad-input', message } })}\n`);
    }
  })
  .finally(() => {
    process.exitCode = exitCode;
  });
