/** What Node's own inspector cannot do, where a script is to run under it. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { BasinError } from '../protocol/errors.ts';

/** The first release whose inspector hands worker threads any text; 20 takes what is not ASCII for broken JSON. */
const FIRST_WITH_ANY_PATH = 22;

/**
 * The probe answers from a worker thread, which a code debugger holds until its breakpoints are set there. Node 20 loses
 * those in files whose path is not ASCII, and training would wait for ever.
 * @param command the interpreter, its options, the script and its arguments
 * @throws BasinError `unsupported`
 */
export async function requireWorkersInReach(command: readonly string[], cwd: string): Promise<void> {
  const [node = 'node', ...words] = command;
  // eslint-disable-next-line no-control-regex -- ASCII begins at 0
  const path = [cwd, ...words].find((text) => !/^[\x00-\x7F]*$/.test(text));
  if (path === undefined) return;
  const version = await promisify(execFile)(node, ['--version'], { timeout: 10_000 }).then(
    ({ stdout }) => stdout.trim(),
    () => null, // whoever starts it says why it cannot be started
  );
  if (version === null || !(Number(/^v(\d+)\./.exec(version)?.[1]) < FIRST_WITH_ANY_PATH)) return;
  throw new BasinError(
    'unsupported',
    `Node ${version.slice(1)} cannot be debugged beside training in ${path}: its inspector loses breakpoints in files whose path is not plain ASCII.`,
    `Use Node ${FIRST_WITH_ANY_PATH} or newer, name the folder in ASCII letters, or leave "under" out.`,
  );
}
