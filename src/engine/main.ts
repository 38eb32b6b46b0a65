/** The engine as a process of its own: protocol/engine.ts over the IPC channel of whoever forked it. */
import {
  createMessageConnection,
  IPCMessageReader,
  IPCMessageWriter,
  ResponseError,
  type CancellationToken,
} from 'vscode-jsonrpc/node';
import type { EngineNotifications, EngineRequests } from '../protocol/engine.ts';
import { toErrorData } from '../protocol/errors.ts';
import { BASIN_ERROR } from '../protocol/evaluator.ts';
import { Engine } from './engine.ts';
import { findInstallation } from './installation.ts';

const { dist, version } = findInstallation();
const engines = new Map</* workspace folder */ string, Engine>();
const rpc = createMessageConnection(new IPCMessageReader(process), new IPCMessageWriter(process));

function engineOf(root: string): Engine {
  let engine = engines.get(root);
  if (engine === undefined) {
    engine = new Engine({ root, dist, version });
    engines.set(root, engine);
  }
  return engine;
}

const notify = <N extends keyof EngineNotifications>(method: N, params: EngineNotifications[N]): void =>
  // A parent that is gone ends this process below; what was meant for it is of no use then.
  void rpc.sendNotification(method, params).catch(() => undefined);

/** Answers a request, with errors as ErrorData. */
function answer<M extends keyof EngineRequests>(
  method: M,
  handler: (params: EngineRequests[M]['params'], signal: AbortSignal) => Promise<EngineRequests[M]['result']>,
): void {
  rpc.onRequest(method, async (params: EngineRequests[M]['params'], token: CancellationToken) => {
    const controller = new AbortController();
    const subscription = token.onCancellationRequested(() => controller.abort());
    try {
      return await handler(params, controller.signal);
    } catch (error) {
      const data = toErrorData(error);
      return new ResponseError(BASIN_ERROR, data.message, data);
    } finally {
      subscription.dispose();
    }
  });
}

answer('run', ({ job, number, root, standing = false }, signal) =>
  engineOf(root).run(job, {
    signal,
    standing,
    progress: (progress) => notify('progress', { number, progress }),
    partial: (result) => notify('partial', { number, result }),
  }),
);
answer('release', async ({ run, root }) => ({ released: await engineOf(root).release(run) }));

let ending = false;
async function end(): Promise<void> {
  if (ending) return;
  ending = true;
  await Promise.all([...engines.values()].map((engine) => engine.dispose().catch(() => undefined)));
  process.exit(0);
}
process.on('disconnect', () => void end());
process.on('SIGTERM', () => void end());
// The terminal's Ctrl+C reaches the whole group; the parent decides when this process ends.
process.on('SIGINT', () => undefined);

if (process.send === undefined) {
  process.stderr.write('error: the engine is started by Basin itself, over an IPC channel\n');
  process.exit(2);
}
rpc.listen();
