import { Engine } from '../../engine/engine.ts';
import { RUN, type CommandLine } from '../command.ts';
import { printAnswer } from '../output.ts';

/** `basin release` */
export function addRelease(cli: CommandLine): void {
  cli.run(
    cli.command('release', 'let the process of a held run end').argument(...RUN),
    async ({ root, json }, _, reference: string) => {
      const engine = new Engine({ root, ...cli.installation });
      const { id } = await engine.store.open(reference);
      const released = await engine.release(id);
      await printAnswer(json, { kind: 'release', run: id, released }, () =>
        released ? `run ${id} goes on to its end` : `run ${id} has no process that waits`,
      );
    },
  );
}
