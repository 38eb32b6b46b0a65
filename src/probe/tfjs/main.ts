/**
 * The probe for TensorFlow.js, put in front of a training script by `node --require`. One CommonJS file that is also
 * its own worker. In a process that was not started by Basin, in the script's own worker threads, and until
 * TensorFlow.js is loaded, it does nothing.
 */
import { isMainThread, workerData } from 'node:worker_threads';
import { version } from '../../../package.json';
import { PROBE_VARIABLE, probeOptionsSchema } from '../../protocol/launch.ts';
import { trapEngine, watchModules } from './hooks.ts';
import { Recorder } from './recorder.ts';
import { runWorker } from './worker.ts';
import * as v from 'valibot';

function install(variable: string): void {
  const options = v.parse(probeOptionsSchema, JSON.parse(variable));
  const recorder = new Recorder(options, __filename, version);
  trapEngine(recorder);
  watchModules((exports) => {
    recorder.patchModule(exports);
  });
  process.on('uncaughtExceptionMonitor', (error) => {
    recorder.crashed(error);
  });
  process.on('exit', (code) => {
    recorder.exiting(code);
  });
}

if (!isMainThread) {
  if ((workerData as { basin?: unknown } | null)?.basin === 'wire') runWorker();
} else {
  const variable = process.env[PROBE_VARIABLE];
  try {
    if (variable !== undefined) install(variable);
  } catch {
    // A launcher that speaks another dialect: the script runs unrecorded.
  }
}
