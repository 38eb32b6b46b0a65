import { swagDefaults as usual, type SwagJob } from '../../protocol/averaging.ts';
import { positiveNumber, wholeNumber } from '../arguments.ts';
import { given, RUN, type CommandLine } from '../command.ts';

/** `basin swag` */
export function addSwag(cli: CommandLine): void {
  cli.run(
    cli
      .question('swag', 'average the predictions of models drawn around the average of snapshots (SWAG)')
      .argument(...RUN)
      .option('--from <step>', 'first snapshot (default: three quarters of the run)', wholeNumber(0))
      .option('--to <step>', 'last snapshot', wholeNumber(0))
      .option('--stride <k>', 'every k-th snapshot', wholeNumber(1))
      .option(
        '--rank <k>',
        'columns of the low-rank part; 0 for the diagonal alone',
        wholeNumber(0, 50),
        usual.rank,
      )
      .option('--draws <n>', 'models drawn', wholeNumber(1, 50), usual.draws)
      .option('--scale <s>', "of the draws' distance from the average", positiveNumber, usual.scale)
      .option('--seed <n>', 'of the draws', wholeNumber(0, 2 ** 31), usual.seed)
      .option('--keep <n>', "save the first n draws among the run's models", wholeNumber(1, 50)),
    async (common, options, reference: string) =>
      cli.ask(common, {
        kind: 'swag',
        run: reference,
        ...given<Partial<SwagJob>>(options, 'from', 'to', 'stride', 'rank', 'draws', 'scale', 'seed', 'keep'),
      }),
  );
}
