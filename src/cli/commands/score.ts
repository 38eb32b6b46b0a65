import { at, RUN, withAt, type CommandLine } from '../command.ts';

/** `basin score` */
export function addScore(cli: CommandLine): void {
  cli.run(
    withAt(
      cli
        .question('score', 'loss and accuracy of a model on training and validation samples')
        .argument(...RUN),
    ),
    async (common, options, reference: string) =>
      cli.ask(common, { kind: 'score', run: reference, ...at(options) }),
  );
}
