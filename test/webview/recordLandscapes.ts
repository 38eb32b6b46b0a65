/**
 * Records test/fixtures/landscapes.json: `basin landscapes` over three real runs of one network, on the labels as they
 * are, on labels of which a third is wrong, and with another batch size. Needs the bundles (`npm run build`).
 *
 *   node --import tsx test/webview/recordLandscapes.ts
 */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { LandscapesResult } from '../../src/protocol/landscapes.ts';
import { CommandLine } from '../fixtures/commandLine.ts';
import { makeWorkspace } from '../fixtures/runs.ts';
import { twinProblem } from '../fixtures/twinProblem.ts';

const script = path.resolve(import.meta.dirname, '../fixtures/scripts/twin.mjs');
const workspace = await makeWorkspace();
const basin = new CommandLine(workspace.root);

async function train(name: string, problem: unknown, batch: number): Promise<string> {
  const folder = path.join(workspace.root, name.replaceAll(' ', '-'));
  await mkdir(folder);
  await writeFile(path.join(folder, 'mlp.json'), JSON.stringify(problem));
  const command = [process.execPath, script, folder, 'mlp', String(batch)];
  const { code, stderr } = await basin.run('train', '--name', name, '--every', '2', '--', ...command);
  if (code !== 0) throw new Error(stderr);
  const [newest] = await workspace.store.list();
  if (newest === undefined) throw new Error('nothing was recorded');
  return newest.id;
}

const problem = twinProblem('mlp') as { labels: number[]; classes: number };
const wrong = problem.labels.map((label, i) => (i % 3 === 0 ? (label + 1) % problem.classes : label));
const one = await train('labels as they are', problem, 32);
const two = await train('a third wrong', { ...problem, labels: wrong }, 32);
const three = await train('smaller batches', problem, 8);
const members = ['last', `${two}:last`, `${three}:last`].join(',');
const result = await basin.ask<LandscapesResult>('landscapes', one, '--members', members, '--size', '21');
const rounded = JSON.stringify(result, (_, value: unknown) =>
  typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(7)) : value,
).replaceAll(workspace.root, '/work');
await writeFile(new URL('../fixtures/landscapes.json', import.meta.url), `${rounded}\n`);
await workspace.remove();
