import { RunStore } from '../../runs/runStore.ts';
import type { CommandLine } from '../command.ts';
import { printAnswer } from '../output.ts';

/** `basin delete` */
export function addDelete(cli: CommandLine): void {
  cli.run(
    cli
      .command('delete', 'remove runs, with their snapshots, models and results, from the disk')
      .argument('<runs...>', 'ids or unique prefixes; each is looked up before any is removed')
      .option('--dry-run', 'only say what would be freed'),
    async ({ root, json }, options, references: string[]) => {
      const store = new RunStore(root);
      const runs = [];
      for (const reference of new Set(references)) runs.push(await store.open(reference));
      const dryRun = options.dryRun === true;
      if (!dryRun) for (const run of runs) await run.requireEnded();
      const deleted: { run: string; freedBytes: number }[] = [];
      for (const run of runs) {
        const freedBytes = dryRun ? await run.bytes() : (await run.delete()).freedBytes;
        deleted.push({ run: run.id, freedBytes });
      }
      await printAnswer(json, { kind: 'delete', dryRun, deleted }, () =>
        deleted
          .map(
            ({ run, freedBytes }) =>
              `run ${run}: ${(freedBytes / 1e6).toFixed(1)} MB ${dryRun ? 'would be freed' : 'freed'}`,
          )
          .join('\n'),
      );
    },
  );
}
