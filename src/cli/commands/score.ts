import { at, RUN, withAt, type CommandLine, evaluation, withMode } from '../command.ts';

/** `basin score` */
export function addScore(cli: CommandLine): void {
  cli.run(
    withMode(
      withAt(
        cli
          .question('score', 'loss and accuracy of a model on training and validation samples')
          .argument(...RUN),
      ),
    ),
    async (common, options, reference: string) =>
      cli.ask(common, { kind: 'score', run: reference, ...evaluation(options), ...at(options) }),
  );
}
