import { finite } from '../../analysis/finite.ts';
import { knownNumber } from '../../protocol/run.ts';
import { RunStore } from '../../runs/runStore.ts';
import type { CommandLine } from '../command.ts';
import { printAnswer } from '../output.ts';
import { runsTable, type RunRow } from '../tables.ts';

/** `basin runs` */
export function addRuns(cli: CommandLine): void {
  cli.run(cli.command('runs', 'list the runs of a workspace'), async ({ root, json }) => {
    const rows: RunRow[] = [];
    for (const entry of await new RunStore(root).list()) {
      const last = await entry.run.readLastStep().catch(() => null);
      rows.push({ entry, lastLoss: finite(knownNumber(last?.loss ?? null)) });
    }
    const runs = rows.map(({ entry: { id, manifest, error, baseline }, lastLoss }) => ({
      id,
      name: manifest?.name ?? null,
      state: manifest?.state ?? null,
      stateReason: manifest?.stateReason ?? null,
      created: manifest?.created ?? null,
      ended: manifest?.ended ?? null,
      steps: manifest?.recording.steps ?? null,
      snapshots: manifest?.recording.snapshots ?? null,
      lastLoss,
      baseline,
      error,
    }));
    await printAnswer(json, { kind: 'runs', root, runs }, () => runsTable(rows));
  });
}
