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
        live: newestOfEach(live),
        noise: newestOfEach(noise),
        measuring: measuringCost(live, noise, steps.at(-1) ?? null),
      };
      const { steps: all, ...rest } = details;
      const document = {
        kind: 'show',
        ...rest,
        // Of the first objective; of all of them below names of their own.
        live: details.live.find(({ objective }) => objective === 0) ?? null,
        noise: details.noise.find(({ objective }) => objective === 0) ?? null,
        liveOfObjectives: details.live,
        noiseOfObjectives: details.noise,
        lastStep: all.at(-1) ?? null,
      };
      await printAnswer(json, document, () => detailsText(details));
    },
  );
}

/** The last record of each objective, in the objectives' order. */
function newestOfEach<T extends { readonly objective: number }>(records: readonly T[]): T[] {
  const newest = new Map(records.map((one) => [one.objective, one]));
  return [...newest.values()].sort((a, b) => a.objective - b.objective);
}
