/** Runs after the other files, which stand before it in the alphabet: what they ran, held against the manifest. */
import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import type { BasinApi } from '../../src/surface/api.ts';

interface Manifest {
  readonly contributes: { readonly commands: readonly { readonly command: string }[] };
}

describe('the whole manifest', () => {
  it('has no command that no test has run', function () {
    // A part of the tests runs a part of the commands.
    if (process.env.BASIN_TEST_GREP) this.skip();
    const extension = vscode.extensions.getExtension<BasinApi>('basin.basin');
    assert.ok(extension?.isActive);
    const { contributes } = extension.packageJSON as Manifest;
    const { commandsRun } = extension.exports;
    assert.deepEqual(
      contributes.commands.map(({ command }) => command).filter((command) => !commandsRun.has(command)),
      [],
    );
  });
});
