/** Arguments of a script: given once, remembered for it, and forgotten. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import * as vscode from 'vscode';
import { RunStore } from '../../src/runs/runStore.ts';
import { until } from './until.ts';

describe('arguments of a script', function () {
  this.timeout(180_000);
  const [folder] = vscode.workspace.workspaceFolders ?? [];
  const root = folder?.uri.fsPath ?? '';
  const script = path.join(root, 'with arguments.mjs');
  const answer = path.join(root, 'arguments.json');
  let known: Set<string>;

  before(async () => {
    assert.ok(folder);
    await vscode.extensions.getExtension('basin.basin')?.activate();
    known = new Set((await new RunStore(root).list()).map(({ id }) => id));
    writeFileSync(
      script,
      `import { writeFileSync } from 'node:fs';
writeFileSync(${JSON.stringify(answer)}, JSON.stringify(process.argv.slice(2)));\n`,
    );
  });
  after(async () => {
    await until('the tasks to end', 60, () => vscode.tasks.taskExecutions.length === 0);
    for (const { id, run } of await new RunStore(root).list()) if (!known.has(id)) await run.delete();
    for (const file of [script, answer]) rmSync(file, { force: true });
    await vscode.commands.executeCommand('basin.refresh');
  });

  /** What the script was started with. */
  const started = async (command: string, ...more: unknown[]): Promise<string[]> => {
    rmSync(answer, { force: true });
    const execution = await vscode.commands.executeCommand<vscode.TaskExecution>(
      command,
      vscode.Uri.file(script),
      ...more,
    );
    assert.ok(execution, command);
    await until('the script', 60, () => existsSync(answer));
    await until(
      'its end',
      60,
      () => !vscode.tasks.taskExecutions.some((one) => one === execution) || undefined,
    );
    return JSON.parse(readFileSync(answer, 'utf8')) as string[];
  };

  it('reach the script, are remembered for it alone, and are forgotten by an empty line', async () => {
    assert.deepEqual(await started('basin.train'), [], 'none at first');
    const words = ['--rate', '0.1', 'two words'];
    assert.deepEqual(await started('basin.trainWithArguments', '--rate 0.1 "two words"'), words);
    assert.deepEqual(await started('basin.train'), words, 'Train This File takes them too');
    assert.equal(
      await vscode.commands.executeCommand('basin.trainWithArguments', vscode.Uri.file(script), '"open'),
      undefined,
      'a quote that is not closed starts nothing',
    );
    assert.deepEqual(await started('basin.train'), words, 'and forgets nothing');
    assert.deepEqual(await started('basin.trainWithArguments', ''), []);
    assert.deepEqual(await started('basin.train'), []);
  });
});
