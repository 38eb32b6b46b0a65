/** Starts the debug adapter as an editor's extension host does, with pipes between the two, and hands on what it says and hears. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const adapter = spawn(
  process.execPath,
  [fileURLToPath(new URL('../../../dist/debugAdapter.cjs', import.meta.url))],
  {
    stdio: ['pipe', 'pipe', 'inherit'],
  },
);
process.stdin.pipe(adapter.stdin);
adapter.stdout.pipe(process.stdout);
adapter.on('exit', (code) => process.exit(code ?? 1));
