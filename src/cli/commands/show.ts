import { readEvents } from '../../runs/measuredEvents.ts';
import { measuringCost } from '../../runs/measuringCost.ts';
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
      const [steps, live, noise] = [
        await opened.readSteps(),
        await opened.readLive(),
        await opened.readNoise(),
      ];
      const details: RunDetails = {
        run: await opened.readManifest(),
        directory: opened.directory,
        bytes: await opened.bytes(),
        steps,
        snapshots: (await opened.snapshots()).map((s) => s.step),
        models: await opened.models(),
        analyses: (await opened.analyses()).map(({ id, kind, provenance }) => ({
          id,
          kind,
          created: provenance.created,
        })),
        events: await readEvents(opened),
        live: live.at(-1) ?? null,
        noise: noise.at(-1) ?? null,
        measuring: measuringCost(live, noise, steps.at(-1) ?? null),
      };
      const { steps: all, ...rest } = details;
      await printAnswer(json, { kind: 'show', ...rest, lastStep: all.at(-1) ?? null }, () =>
        detailsText(details),
      );
    },
  );
}
