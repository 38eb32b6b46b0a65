import assert from 'node:assert/strict';
import { chmod, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { BasinError } from '../../../src/protocol/errors.ts';
import { requireWorkersInReach } from '../../../src/debugger/nodeInspector.ts';
import { makeWorkspace, type Workspace } from '../../fixtures/runs.ts';

describe('training under Node’s inspector', () => {
  let workspace: Workspace;
  before(async () => (workspace = await makeWorkspace()));
  after(() => workspace.remove());

  /** An interpreter that only tells its version. */
  async function interpreter(version: string): Promise<string> {
    const file = path.join(workspace.root, `node-${version}`);
    await writeFile(file, `#!/bin/sh\necho v${version}\n`);
    await chmod(file, 0o755);
    return file;
  }

  it('is refused where breakpoints would be lost, with what helps', async () => {
    const old = await interpreter('20.20.2');
    const refused = (error: unknown): boolean => {
      assert.ok(error instanceof BasinError && error.code === 'unsupported');
      assert.match(error.message, /Node 20\.20\.2 cannot be debugged .*Prüf/);
      assert.match(error.cure ?? '', /Node 22 .*ASCII.*"under"/);
      return true;
    };
    await assert.rejects(requireWorkersInReach([old, 'train.mjs'], '/tmp/Prüf'), refused);
    await assert.rejects(requireWorkersInReach([old, '/tmp/Prüf/train.mjs'], '/tmp'), refused);
  });

  it('is let go on elsewhere', async () => {
    await requireWorkersInReach([await interpreter('22.1.0'), 'train.mjs'], '/tmp/Prüf');
    await requireWorkersInReach([process.execPath, 'train.mjs'], '/tmp/with space');
    await requireWorkersInReach(['no-such-node', 'train.mjs'], '/tmp/Prüf');
  });
});
