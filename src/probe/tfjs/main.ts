/**
 * The probe for TensorFlow.js, put in front of a training script by `node --require`. One CommonJS file that is also
 * its own worker. In a process that was not started by Basin, nor in a hooked shell, in the script's own worker threads,
 * and until TensorFlow.js is loaded, it does nothing.
 */
import { isMainThread, workerData } from 'node:worker_threads';
import { version } from '../../../package.json';
import {
  HOOK_VARIABLE,
  PROBE_VARIABLE,
  probeOptionsSchema,
  type ProbeOptions,
} from '../../protocol/launch.ts';
import { askForRun } from './hookedShell.ts';
import { trapEngine, watchModules } from './hooks.ts';
import { Recorder } from './recorder.ts';
import { runWorker } from './worker.ts';
import * as v from 'valibot';

function install(options: ProbeOptions): Recorder {
  const recorder = new Recorder(options, __filename, version);
  process.on('uncaughtExceptionMonitor', (error) => {
    recorder.crashed(error);
  });
  process.on('exit', (code) => {
    recorder.exiting(code);
  });
  return recorder;
}

/** @param make called once, when TensorFlow.js comes; null for nothing to record */
function installWhenLoaded(make: () => Recorder | null): void {
  let recorder: Recorder | null | undefined;
  const made = (): Recorder | null => (recorder ??= make());
  trapEngine(made);
  watchModules((exports) => {
    made()?.patchModule(exports);
  });
}

if (!isMainThread) {
  if ((workerData as { basin?: unknown } | null)?.basin === 'wire') runWorker();
} else {
  const { [PROBE_VARIABLE]: given, [HOOK_VARIABLE]: hook } = process.env;
  try {
    if (given !== undefined) {
      const recorder = install(v.parse(probeOptionsSchema, JSON.parse(given)));
      installWhenLoaded(() => recorder);
    } else if (hook !== undefined) {
      installWhenLoaded(() => {
        const options = askForRun(hook);
        return options === null ? null : install(options);
      });
    }
  } catch {
    // A launcher that speaks another dialect: the script runs unrecorded.
  }
}
