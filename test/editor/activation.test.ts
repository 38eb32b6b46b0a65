import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import * as vscode from 'vscode';

interface Manifest {
  readonly contributes: { readonly commands: readonly { readonly command: string }[] };
}

describe('the extension in the extension host', () => {
  const extension = vscode.extensions.getExtension('basin.basin');

  it('activates', async () => {
    assert.ok(extension, 'the extension is not there');
    const began = performance.now();
    await extension.activate();
    const milliseconds = performance.now() - began;
    if (process.env.BASIN_ACTIVATION_FILE)
      writeFileSync(process.env.BASIN_ACTIVATION_FILE, String(milliseconds));
    assert.equal(extension.isActive, true);
  });

  it('registers every command of its manifest', async () => {
    const manifest = extension?.packageJSON as Manifest;
    const registered = new Set(await vscode.commands.getCommands(true));
    const missing = manifest.contributes.commands.filter(({ command }) => !registered.has(command));
    assert.deepEqual(missing, []);
  });
});
