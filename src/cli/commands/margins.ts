import { at, RUN, withAt, type CommandLine, evaluation, withMode } from '../command.ts';

/** `basin margins` */
export function addMargins(cli: CommandLine): void {
  cli.run(
    withMode(
      withAt(
        cli
          .question(
            'margins',
            "how far a classifier's answers are from turning over, in output and input space",
          )
          .argument(...RUN),
      ),
    ),
    async (common, options, reference: string) =>
      cli.ask(common, { kind: 'margins', run: reference, ...evaluation(options), ...at(options) }),
  );
}
