import { wholeNumber } from '../arguments.ts';
import { at, RUN, withAt, type CommandLine, evaluation, withMode } from '../command.ts';

/** `basin sharpness` */
export function addSharpness(cli: CommandLine): void {
  cli.run(
    withMode(
      withAt(
        cli
          .question(
            'sharpness',
            "the loss Hessian's largest eigenvalues against the optimizer's stability bound",
          )
          .argument(...RUN),
      ).option('--top <k>', 'how many eigenvalues', wholeNumber(1, 20), 1),
    ),
    async (common, options, reference: string) =>
      cli.ask(common, {
        kind: 'sharpness',
        run: reference,
        ...evaluation(options),
        top: options.top as number,
        ...at(options),
      }),
  );
}
