/** What this extension host has taken of the system, counted: only Linux tells of it all, in /proc. */
import { readdirSync, readFileSync } from 'node:fs';
import * as vscode from 'vscode';

/** An entry of /proc; empty when its process or descriptor is gone meanwhile, that of the reading itself for one. */
function read(entry: string): string {
  try {
    return readFileSync(`/proc/${entry}`, 'utf8');
  } catch {
    return '';
  }
}

const entries = (directory: string): string[] => {
  try {
    return readdirSync(`/proc/${directory}`);
  } catch {
    return [];
  }
};

/** Watches of files that this process, the extension host, has with the kernel. They keep no process alive, so Node lists none. */
export const watches = (): number =>
  entries('self/fdinfo')
    .map((name) => read(`self/fdinfo/${name}`))
    .reduce((sum, info) => sum + (info.match(/^inotify wd:/gm)?.length ?? 0), 0);

/** Tabs of runs' panels. */
export const tabs = (): readonly vscode.Tab[] =>
  vscode.window.tabGroups.all
    .flatMap((group) => group.tabs)
    .filter(({ input }) => input instanceof vscode.TabInputWebview && /basin\.run/.test(input.viewType));

/** Process id of the engine that this extension host has started, when there is one. */
export const engine = (): number | undefined =>
  pids().find((pid) => parentOf(pid) === process.pid && /engine\.cjs/.test(read(`${pid}/cmdline`)));

/** Processes that run a script, whoever has started them: those of a lost engine have another parent by then. */
export const scripts = (file: string): number[] =>
  pids().filter((pid) => {
    const words = read(`${pid}/cmdline`).split('\0');
    // The command line tool that records a training names its script as well.
    return words.includes(file) && !words.some((word) => word.endsWith('cli.cjs'));
  });

/** Open files and sockets of a process. */
export const descriptors = (pid: number): number => entries(`${pid}/fd`).length;

const pids = (): number[] =>
  entries('.')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
const parentOf = (pid: number): number => Number(/^PPid:\s*(\d+)/m.exec(read(`${pid}/status`))?.[1] ?? NaN);
