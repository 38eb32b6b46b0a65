import { BasinError } from '../../protocol/errors.ts';
import { RunStore } from '../../runs/runStore.ts';
import { RUN, type CommandLine } from '../command.ts';
import { printAnswer } from '../output.ts';

/** `basin rename` and `basin baseline`: what the user says of a run. */
export function addLabel(cli: CommandLine): void {
  cli.run(
    cli
      .command('rename', 'call a run by another name')
      .argument('<run>', RUN[1])
      .argument('<name>', 'the new name; "" for the one that it was recorded under'),
    async ({ root, json }, _, reference: string, name: string) => {
      const run = await new RunStore(root).open(reference);
      await run.rename(name);
      const answer = { kind: 'rename', run: run.id, name: (await run.readManifest()).name };
      await printAnswer(json, answer, () => `run ${run.id} is called ${answer.name}`);
    },
  );
  cli.run(
    cli
      .command('baseline', 'choose the run that others are compared with, or tell which one it is')
      .argument('[run]', RUN[1])
      .option('--none', 'compare with none'),
    async ({ root, json }, options, reference?: string) => {
      const store = new RunStore(root);
      const none = options.none === true;
      if (none && reference !== undefined)
        throw new BasinError('bad-input', 'A run and --none exclude each other.', 'Give one of them.');
      if (none || reference !== undefined) await store.setBaseline(reference ?? null);
      const baseline = (await store.list()).find((entry) => entry.baseline)?.id ?? null;
      await printAnswer(json, { kind: 'baseline', run: baseline }, () =>
        baseline === null ? 'there is no baseline' : `the baseline is run ${baseline}`,
      );
    },
  );
}
