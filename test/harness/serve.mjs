/** Serves a real VS Code with the packaged extension and a folder on loopback, until Ctrl+C. */
import { vsixFile } from './build.mjs';
import { say } from './progress.mjs';

export async function startServing(folder) {
  // Needs packages of node_modules, which are there only after the set-up.
  const { startVSCode, workbenchUrl } = await import('./vscode/vscode-web.mjs');
  const server = await startVSCode({ vsix: vsixFile });
  say('VS Code is served to this machine alone; Ctrl+C ends it');
  console.log(workbenchUrl(server, { folder }));
  const interrupted = new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => resolve(signal));
  });
  const reason = await Promise.race([interrupted, server.ended.then(() => 'its server ended by itself')]);
  await server.stop();
  say(`VS Code has ended: ${reason}`);
}
