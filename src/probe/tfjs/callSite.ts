/** Where in the user's own code a step is taken: the innermost frame that is theirs. */
import { fileURLToPath } from 'node:url';

export interface CallSite {
  /** Absolute path. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
}

interface Frame extends CallSite {
  readonly name: string;
}

const FRAME = /^\s*at (?:(.*) \()?((?:file:\/\/|\/|[A-Za-z]:[\\/])[^()]*?):(\d+):(\d+)\)?$/;
/** TensorFlow.js on the way from the script's call to the engine; in a bundle these share a file with the script. */
const LIBRARY_CALL =
  /\b(?:variableGrads_?|minimize|computeGradients|applyGradients|trainOnBatch|fit|fitDataset|fitLoop)$/;

/**
 * Call site of the training call in a stack trace, as V8 writes it. Source maps are followed where the process runs
 * with them (tsx, --enable-source-maps), because V8's text then names the sources.
 *
 * @param own file of the probe itself, left out like node_modules and Node's internals
 * @returns null when no frame is the user's
 */
export function callSiteOf({ stack }: Error, own: string): CallSite | null {
  // A script's own Error.prepareStackTrace may make anything of it.
  if (typeof stack !== 'string') return null;
  const frames: Frame[] = [];
  for (const text of stack.split('\n')) {
    const match = FRAME.exec(text);
    if (match === null) continue;
    const [, name = '', location = '', line, column] = match;
    const file = location.startsWith('file://') ? pathOf(location) : location;
    if (file === null || file === own || /[\\/]node_modules[\\/]/.test(file)) continue;
    frames.push({ name, file, line: Number(line), column: Number(column) });
  }
  // In a bundle the library's frames are still here: the user's begin below the last of them at the top.
  let first = 0;
  frames.slice(0, 8).forEach((frame, i) => {
    if (LIBRARY_CALL.test(frame.name) && frames[i + 1] !== undefined) first = i + 1;
  });
  const frame = frames[first];
  return frame === undefined ? null : { file: frame.file, line: frame.line, column: frame.column };
}

function pathOf(url: string): string | null {
  try {
    return fileURLToPath(url);
  } catch {
    return null;
  }
}

/** The stack at this call; formatting it is put off until its text is asked for. */
export function captureStack(): Error {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 60;
  try {
    return new Error();
  } finally {
    // The script's own setting.
    Error.stackTraceLimit = limit;
  }
}
