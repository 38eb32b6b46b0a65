import { spawn } from 'node:child_process';
import path from 'node:path';
import { Option, type Command } from 'commander';
import { measureWhileTraining } from '../../engine/liveMeasurements.ts';
import { adopt, seeToItsEnd } from '../../evaluators/hookedRun.ts';
import { hookEnvironment } from '../../evaluators/probeEnvironment.ts';
import { installedProbes } from '../../evaluators/probes.ts';
import { BasinError } from '../../protocol/errors.ts';
import { HOOK_VARIABLE } from '../../protocol/launch.ts';
import { LIVE_BUDGET } from '../../protocol/run.ts';
import { RunStore } from '../../runs/runStore.ts';
import { percentUpTo50, wholeNumber } from '../arguments.ts';
import type { CommandLine } from '../command.ts';
import { printAnswer, write } from '../output.ts';

const shells = ['posix', 'fish', 'powershell'] as const;
type Shell = (typeof shells)[number];

/** `basin hook`, and the two commands by which hooked processes get their runs. */
export function addHook(cli: CommandLine): void {
  const script = path.join(cli.installation.dist, 'cli.cjs');
  const probes = installedProbes(cli.installation.dist);
  const electron = process.env.ELECTRON_RUN_AS_NODE;

  cli.run(
    withRecording(
      cli
        .command('hook', 'print what makes a shell record every training that is started in it')
        .addOption(new Option('--shell <shell>', 'whose words to print').choices(shells).default('posix'))
        .option('--off', 'print what ends it'),
    ),
    async ({ root, json }, options) => {
      const shell = options.shell as Shell;
      if (options.off === true) {
        await printAnswer(json, { kind: 'hook', unset: [HOOK_VARIABLE] }, () => unsetting(shell));
        return;
      }
      const environment = hookEnvironment(process.env, probes, {
        command: [
          process.execPath,
          script,
          'adopt',
          '--root',
          root,
          ...word('--every', options.every),
          ...word('--hold', options.hold),
          ...word('--live-budget', options.liveBudget, 100),
        ],
        environment: electron === undefined ? {} : { ELECTRON_RUN_AS_NODE: electron },
      });
      await printAnswer(json, { kind: 'hook', root, environment }, () =>
        Object.entries(environment)
          .map(([name, value]) => setting(shell, name, value))
          .join('\n'),
      );
    },
  );

  cli.run(
    withRecording(cli.program.command('adopt', { hidden: true }))
      .requiredOption('--root <dir>')
      .requiredOption('--pid <pid>', 'of the process that asks', wholeNumber(1))
      .requiredOption('--cwd <dir>')
      .argument('<command...>')
      .passThroughOptions(),
    async ({ root }, options, command: string[]) => {
      const {
        run,
        owner,
        options: told,
      } = await adopt(
        {
          pid: options.pid as number,
          cwd: options.cwd as string,
          command,
          environment: process.env,
        },
        {
          store: new RunStore(root),
          probes,
          version: cli.installation.version,
          ...(options.every === undefined ? {} : { every: options.every as number }),
          ...(options.hold === undefined ? {} : { holdSeconds: options.hold as number }),
          liveBudget: (options.liveBudget as number | undefined) ?? LIVE_BUDGET,
        },
      );
      const words = ['follow-hooked', run.id, '--root', root, '--pid', String(owner.pid)];
      if (owner.startTime !== null) words.push('--start-time', owner.startTime);
      words.push('--sockets', told.socketDirectory);
      spawn(process.execPath, [script, ...words], { detached: true, stdio: 'ignore', cwd: root }).unref();
      await write(process.stdout, `${JSON.stringify(told)}\n`);
    },
  );

  cli.run(
    cli.program
      .command('follow-hooked', { hidden: true })
      .requiredOption('--root <dir>')
      .requiredOption('--pid <pid>', 'of the process that owns the run', wholeNumber(1))
      .option('--start-time <ticks>')
      .requiredOption('--sockets <dir>')
      .argument('<run>'),
    async ({ root }, options, reference: string) => {
      const run = await new RunStore(root).open(reference);
      const over = new AbortController();
      const { liveBudget = LIVE_BUDGET } = (await run.readRecordedManifest()).recording;
      const measuring = measureWhileTraining(run, { budget: liveBudget, signal: over.signal });
      const owner = {
        pid: options.pid as number,
        startTime: (options.startTime as string | undefined) ?? null,
      };
      await seeToItsEnd(run, owner, options.sockets as string);
      over.abort();
      await measuring;
    },
  );
}

/** Adds how to record. */
function withRecording(target: Command): Command {
  return target
    .option('--every <steps>', 'steps between snapshots', wholeNumber(1))
    .option('--hold <seconds>', 'keep processes at their end for questions', wholeNumber(1))
    .option(
      '--live-budget <percent>',
      "share of the training's time for measuring beside it (5 %; 0: none)",
      percentUpTo50,
    );
}

/** An option that was parsed as a number, as words of a command line again. */
function word(name: string, value: unknown, factor = 1): string[] {
  return value === undefined ? [] : [name, (factor * (value as number)).toString()];
}

/** @throws BasinError `bad-input` for a value that no quotes can hold */
function setting(shell: Shell, name: string, value: string): string {
  if (value.includes('\n'))
    throw new BasinError('bad-input', `${name} would hold a line break.`, 'Rename the folder that has it.');
  switch (shell) {
    case 'posix':
      return `export ${name}='${value.replaceAll("'", "'\\''")}'`;
    case 'fish':
      return `set -gx ${name} '${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
    case 'powershell':
      return `$env:${name} = '${value.replaceAll("'", "''")}'`;
  }
}

/** The preloads stay: without the variable they do nothing. */
function unsetting(shell: Shell): string {
  switch (shell) {
    case 'posix':
      return `unset ${HOOK_VARIABLE}`;
    case 'fish':
      return `set -e ${HOOK_VARIABLE}`;
    case 'powershell':
      return `Remove-Item Env:${HOOK_VARIABLE}`;
  }
}
