/**
 * Signals that end the process unless the script listens for them, seen by the worker thread: what it still has in hand
 * reaches the disk first, and then the signal does what it would have done.
 *
 * A listener of the training thread would not do: a loop that never returns to the event loop would not hear the signal,
 * and would outlive it. Node.js gives its public signal events to that thread alone, so the handle beneath them is used;
 * where there is none, or no telling whether the script listens, signals end the process as they always did.
 */
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';

const signals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
export type LastSignal = (typeof signals)[number];

/** uv_signal_t, as Node.js wraps it. */
interface SignalHandle {
  onsignal: (() => void) | null;
  /** @returns 0, or an error's number */
  start(number: number): number;
  close(): void;
}

/**
 * Call it on the worker thread.
 * @param flush called before a signal ends the process, or, `isLast` false, is given to the script's own listeners
 * @returns ends the watch
 */
export function watchLastSignals(flush: (signal: LastSignal, isLast: boolean) => void): () => void {
  const Signal = handleClass();
  if (Signal === null || caught() === null) return () => undefined;
  const handles = new Map<LastSignal, SignalHandle>();
  const watch = (signal: LastSignal): void => {
    const handle = new Signal();
    handle.onsignal = () => {
      // Without this handle, the disposition is the script's own.
      handle.close();
      handles.delete(signal);
      const isLast = !listens(constants.signals[signal]);
      try {
        flush(signal, isLast);
      } finally {
        if (isLast) process.kill(process.pid, signal);
        else watch(signal);
      }
    };
    if (handle.start(constants.signals[signal]) === 0) handles.set(signal, handle);
    else handle.close();
  };
  signals.forEach(watch);
  return () => {
    for (const handle of handles.values()) handle.close();
    handles.clear();
  };
}

function handleClass(): (new () => SignalHandle) | null {
  try {
    const { binding } = process as unknown as {
      binding: (name: string) => { Signal?: new () => SignalHandle };
    };
    return binding('signal_wrap').Signal ?? null;
  } catch {
    return null; // Node.js may be told to keep such things to itself.
  }
}

/** Which signals the process catches, as bits from signal 1 on; null but on Linux. */
function caught(): bigint | null {
  try {
    const mask = /^SigCgt:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
    return mask === undefined ? null : BigInt(`0x${mask}`);
  } catch {
    return null;
  }
}

const listens = (number: number): boolean => (((caught() ?? 0n) >> BigInt(number - 1)) & 1n) === 1n;
