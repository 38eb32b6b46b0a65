/** What ships: the packaged file list, its size, and the extension that comes out of it. */
import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { PackageManager, listFiles } from '@vscode/vsce';
import { vsixFile } from '../harness/build.mjs';
import type { Workbench } from '../harness/workbench.ts';
import { openForSuite } from './openForSuite.ts';

const root = resolve(import.meta.dirname, '../..');

describe('the package', () => {
  let files: string[] = [];
  before(async () => {
    files = await listFiles({ cwd: root, packageManager: PackageManager.None });
  });

  it('has everything that the extension loads while it runs', () => {
    const needed = [
      ...['package.json', 'README.md', 'LICENSE', 'CHANGELOG.md', 'media/icon.png', 'dist/extension.cjs'],
      ...['dist/engine.cjs', 'dist/probe-tfjs.cjs', 'dist/cli.cjs'],
      ...['package.nls.json', 'package.nls.de.json', 'l10n/bundle.l10n.de.json'],
      ...['dist/probe-torch/site/sitecustomize.py', 'dist/probe-torch/basin_probe/probe.py'],
      ...['dist/webview/panel.js', 'dist/webview/landscape.js', 'dist/webview/report.js'],
    ];
    assert.deepEqual(
      needed.filter((file) => !files.includes(file)),
      [],
    );
  });

  it('has nothing else: no sources, tests, maps or packages', () => {
    const expected =
      /^(package(\.nls(\.[\w-]+)?)?\.json|l10n\/bundle\.l10n\.[\w-]+\.json|README\.md|LICENSE(\.txt)?|CHANGELOG\.md|dist\/.+|media\/(icon\.png|[\w-]+\.svg|walkthrough\/.+|samples\/digits(-torch)?\/([\w-]+\.(mjs|py)|package\.json|requirements\.txt)))$/;
    assert.deepEqual(
      files.filter((file) => !expected.test(file) || /\.(map|pyc)$/.test(file)),
      [],
    );
  });

  it('stays small: the .vsix below 2 MB, the extension host’s bundle below 400 kB', () => {
    const size = (file: string) => statSync(join(root, file)).size;
    assert.ok(statSync(vsixFile).size < 2_000_000, `${statSync(vsixFile).size} bytes`);
    assert.ok(size('dist/extension.cjs') < 400_000, `${size('dist/extension.cjs')} bytes`);
  });
});

describe('the packaged extension', function () {
  let workbench: Workbench;
  openForSuite(
    () => ({}),
    (opened) => (workbench = opened),
  );

  it('has its commands in the palette', async () => {
    const entries = await workbench.paletteEntries('Basin: ');
    assert.ok(
      entries.some((entry) => entry.includes('Basin: Show Log')),
      entries.join(', '),
    );
    await workbench.screenshot('workbench');
  });
});
