import { Option } from 'commander';
import type { ModelReference } from '../../protocol/job.ts';
import { landscapesDefaults as usual } from '../../protocol/landscapes.ts';
import { modelList, oddNumber } from '../arguments.ts';
import { evaluation, processes, RUN, withData, withProcesses, type CommandLine } from '../command.ts';

/** `basin landscapes` */
export function addLandscapes(cli: CommandLine): void {
  cli.run(
    withProcesses(
      withData(
        cli
          .question('landscapes', "several runs' own losses over one plane, each asked of its own process")
          .argument(...RUN)
          .addOption(
            new Option(
              '--members <models>',
              'three or more models, A,B,… or RUN:A: the plane goes through the first three; every run named is asked',
            )
              .argParser(modelList)
              .makeOptionMandatory(),
          )
          .option('--size <points>', 'points along each axis', oddNumber, usual.size)
          .option(
            '--full',
            'evaluate every point (default: where isolines need it; others are interpolated)',
          ),
      ),
    ),
    async (common, options, reference: string) =>
      cli.ask(
        common,
        {
          kind: 'landscapes',
          run: reference,
          members: options.members as ModelReference[],
          size: options.size as number,
          ...evaluation(options),
          ...(options.full === true ? { adaptive: false } : {}),
        },
        processes(options),
      ),
  );
}
