/** What a suite over the debug adapter starts with: a workspace of its own, and a client for each of its tests. */
import { setTimeout as sleep } from 'node:timers/promises';
import { needs } from '../../harness/requires.ts';
import { Client, makeDebuggedWorkspace, type DebuggedWorkspace, type Framework } from './client.ts';

export const frameworks = ['tfjs', 'torch'] as const satisfies readonly Framework[];

export interface Debugging {
  readonly workspace: DebuggedWorkspace;
  readonly client: Client;
  /** Ends the adapter and starts another one, as a new session does; by another file, where one is named. */
  reopen(file?: string): Promise<void>;
}

/** Call it in `describe`: its hooks make and remove both. */
export function debugging(): Debugging {
  let workspace: DebuggedWorkspace;
  let client: Client;
  before(async function () {
    needs(this, 'bundles');
    workspace = await makeDebuggedWorkspace();
  });
  after(() => workspace.remove());
  beforeEach(async () => {
    client = await Client.open(workspace);
  });
  afterEach(() => client.stop());
  return {
    get workspace() {
      return workspace;
    },
    get client() {
      return client;
    },
    async reopen(file) {
      await client.stop();
      client = await Client.open(workspace, file);
    },
  };
}

export async function until(condition: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await condition())) await sleep(50);
}
