import { RunStore } from '../../runs/runStore.ts';
import { RUN, type CommandLine } from '../command.ts';
import { printAnswer } from '../output.ts';
import { detailsText, type RunDetails } from '../tables.ts';

/** `basin show` */
export function addShow(cli: CommandLine): void {
  cli.run(
    cli.command('show', 'show a run: its settings, snapshots, models and results').argument(...RUN),
    async ({ root, json }, _, reference: string) => {
      const opened = await new RunStore(root).open(reference);
      const details: RunDetails = {
        run: await opened.readManifest(),
        directory: opened.directory,
        bytes: await opened.bytes(),
        steps: await opened.readSteps(),
        snapshots: (await opened.snapshots()).map((s) => s.step),
        models: await opened.models(),
        analyses: (await opened.analyses()).map(({ id, kind, provenance }) => ({
          id,
          kind,
          created: provenance.created,
        })),
        live: (await opened.readLive()).at(-1) ?? null,
      };
      const { steps, ...rest } = details;
      await printAnswer(json, { kind: 'show', ...rest, lastStep: steps.at(-1) ?? null }, () =>
        detailsText(details),
      );
    },
  );
}
