import type { LayersJob } from '../../protocol/layers.ts';
import { wholeNumber } from '../arguments.ts';
import { given, RUN, type CommandLine } from '../command.ts';

/** `basin layers` */
export function addLayers(cli: CommandLine): void {
  cli.run(
    cli
      .question('layers', 'how each layer learns: update ratio, gradients, dead units, where NaN began')
      .argument(...RUN)
      .option('--from <step>', 'only from this step on', wholeNumber(0))
      .option('--to <step>', 'only up to this step', wholeNumber(0)),
    async (common, options, reference: string) =>
      cli.ask(common, {
        kind: 'layers',
        run: reference,
        ...given<Pick<LayersJob, 'from' | 'to'>>(options, 'from', 'to'),
      }),
  );
}
