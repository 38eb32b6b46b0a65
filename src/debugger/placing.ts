/** What the client asks to be stopped at: kept until it asks otherwise, and placed on the training that there is. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import path from 'node:path';
import { BasinError, sentenceOf } from '../protocol/errors.ts';
import type { ObjectiveInfo } from '../protocol/run.ts';
import { isSameFile } from '../runs/sameFile.ts';
import { parseRange, StepBreakpoint, shown, type NormRange } from './breakpoints.ts';
import { configuredStops, type ConfiguredStops } from './configuredStops.ts';
import { eventFilters, type TrainingEventId } from './events.ts';
import { edgeUnwatched } from './eventWatch.ts';
import { boundsText, within } from './normWatch.ts';
import { knownNames } from './stepValues.ts';
import type { DebugTarget } from './target.ts';

/** A breakpoint as it was asked for, and read once: it counts its hits. */
interface Requested {
  readonly id: number;
  readonly breakpoint: DebugProtocol.SourceBreakpoint;
  /** An error where it cannot be read. */
  readonly point: StepBreakpoint | { readonly message: string };
}

interface RequestedRange {
  readonly id: number;
  readonly breakpoint: DebugProtocol.DataBreakpoint;
  /** As it was placed, which it stays: one about a norm's present value must not move along with it. */
  range: NormRange | null;
}

const WAITING = 'Waiting for the first training step.';
const OVER = 'No more steps are taken here: it can never be hit.';

export class Placing {
  #session: DebugTarget | null = null;
  /** Those of the configuration; null where nothing is to be stopped at ("noDebug"). */
  #stops: ConfiguredStops | null = configuredStops([]);
  #nextId = 1;
  /** Those of the run as far as they are known; the first is the one that is driven. */
  #objectives: readonly ObjectiveInfo[] = [];
  /** The script as the configuration names it. */
  #program = '';
  readonly #requested = new Map</* file */ string, readonly Requested[]>();
  #ranges: readonly RequestedRange[] = [];
  #events: ReadonlySet<TrainingEventId> = new Set();

  /** @param changed shows the client what has become of one of its breakpoints */
  constructor(private readonly changed: (breakpoint: DebugProtocol.Breakpoint) => void) {}

  configure({ program, stops }: { readonly program: string; readonly stops: ConfiguredStops | null }): void {
    this.#program = program;
    this.#stops = stops;
  }

  /** There is training now. */
  met(session: DebugTarget): void {
    this.#session = session;
    this.#objectives = [];
    this.#useBreakpoints();
    this.#useEvents();
    this.tell();
  }

  /** It begins: its parameters have norms now. */
  async started(): Promise<void> {
    if (this.#ranges.length > 0) for (const one of await this.#placeRanges()) this.changed(one);
  }

  /** Those on lines of a file, in place of the ones there were. */
  ofFile(file: string, breakpoints: readonly DebugProtocol.SourceBreakpoint[]): DebugProtocol.Breakpoint[] {
    const before = [...(this.#requested.get(file) ?? [])];
    this.#requested.set(
      file,
      breakpoints.map((breakpoint) => {
        // One that was there already goes on counting its hits.
        const same = before.findIndex((one) => isSame(one.breakpoint, breakpoint));
        const [kept] = same < 0 ? [] : before.splice(same, 1);
        if (kept !== undefined) return { ...kept, breakpoint };
        const id = this.#nextId++;
        return { id, breakpoint, point: parsed(id, breakpoint) };
      }),
    );
    this.#useBreakpoints();
    return this.#placed(file);
  }

  /** Training events, in place of the ones there were. */
  ofEvents(filters: readonly string[]): DebugProtocol.Breakpoint[] {
    this.#events = new Set(eventFilters.map((f) => f.id).filter((id) => filters.includes(id)));
    this.#useEvents();
    return filters.map((filter) => {
      const message = eventFilters.some((f) => f.id === filter)
        ? this.#unwatchable(filter)
        : 'Basin knows no such event.';
      return { verified: message === null, ...(message === null ? {} : { message }) };
    });
  }

  /** Why an event cannot come, as far as it is known by now. */
  #unwatchable(filter: string): string | null {
    const session = this.#session;
    if (session === null) return null;
    if (session.isOver) return OVER;
    const { bound, reason } = session.stability;
    if (filter !== 'edge-of-stability' || bound !== null || session.optimizer === null) return null;
    return reason === null ? null : edgeUnwatched(reason);
  }

  /** Norms of parameters that are to stay within bounds, in place of the ones there were. */
  async ofNorms(breakpoints: readonly DebugProtocol.DataBreakpoint[]): Promise<DebugProtocol.Breakpoint[]> {
    const before = [...this.#ranges];
    this.#ranges = breakpoints.map((breakpoint) => {
      // Clients send all of them at every change.
      const same = before.findIndex((one) => isSameRange(one.breakpoint, breakpoint));
      const [kept] = same < 0 ? [] : before.splice(same, 1);
      return kept ?? { id: this.#nextId++, breakpoint, range: null };
    });
    return this.#placeRanges();
  }

  /** Has the client show what has become of its breakpoints. */
  tell(): void {
    this.#tellLines();
    if (this.#session?.isOver === true)
      for (const { id } of this.#ranges) this.changed({ id, verified: false, message: OVER });
  }

  #tellLines(): void {
    for (const file of this.#requested.keys())
      for (const breakpoint of this.#placed(file)) this.changed(breakpoint);
  }

  /** The one place of a script where training can be made to stop is the line that takes the step. */
  #placed(file: string): DebugProtocol.Breakpoint[] {
    const site = this.site;
    return (this.#requested.get(file) ?? []).map(({ id, breakpoint: { line }, point }) => {
      const refuse = (message: string): DebugProtocol.Breakpoint => ({ id, verified: false, line, message });
      if (!(point instanceof StepBreakpoint)) return refuse(point.message);
      if (this.#session?.isOver === true) return refuse(OVER);
      if (site === null) return refuse(WAITING);
      const isHere = isSameFile(site.file, file);
      if (isHere && site.line === line) return { id, verified: true, line };
      const where = isHere ? '' : ` of ${path.basename(site.file)}`;
      const other = this.#objectives
        .slice(1)
        .find(({ callSite: of }) => of !== null && isSameFile(of.file, file) && of.line === line);
      return refuse(
        other === undefined
          ? `Training can be stopped at line ${site.line}${where}, where the first step was taken; this line is the code debugger's.`
          : `Here ${other.name} takes its steps. Training can be stopped at those of ${this.objectiveName} alone, at line ${site.line}${where}.`,
      );
    });
  }

  /** The line that takes the step, as far as is known; null before training. */
  get site(): ObjectiveInfo['callSite'] {
    // A script that takes gradients by itself shows at its first update which line applies them.
    return (this.#objectives[0] ?? this.#session?.connection.description.objective)?.callSite ?? null;
  }

  /** What is driven. */
  get objectiveName(): string {
    return this.#session?.connection.description.objective.name ?? 'training';
  }

  /** Whether the script trains others beside it, as far as is known by now. */
  get isOneOfSeveral(): boolean {
    return this.#objectives.length > 1;
  }

  /** A script's further optimizers become known when they take their first step. */
  async learnObjectives(): Promise<void> {
    const session = this.#session;
    if (session === null) return;
    // What cannot be read is told by whoever needs it.
    const objectives = (await session.run.readManifest().catch(() => null))?.objectives ?? [];
    const sites = (of: readonly ObjectiveInfo[]): string =>
      JSON.stringify(of.map(({ callSite }) => callSite));
    if (sites(objectives) === sites(this.#objectives)) return;
    this.#objectives = objectives;
    this.#useBreakpoints();
    this.#tellLines();
  }

  /** As the client names it, whose folder may be a link. */
  asNamed(file: string): string {
    return [this.#program, ...this.#requested.keys()].find((one) => isSameFile(one, file)) ?? file;
  }

  #useBreakpoints(): void {
    const points = [...this.#requested].flatMap(([file, requested]) => {
      const placed = this.#placed(file);
      return requested.flatMap(({ point }, i) =>
        placed[i]?.verified === true && point instanceof StepBreakpoint ? [point] : [],
      );
    });
    this.#session?.setBreakpoints(this.#stops === null ? [] : [...this.#stops.conditions, ...points]);
  }

  #useEvents(): void {
    const stops = this.#stops;
    this.#session?.setEvents(stops === null ? new Set() : new Set([...this.#events, ...stops.events]));
  }

  /** Ranges over the norms that parameters have by now; they wait for training where there is none. */
  async #placeRanges(): Promise<DebugProtocol.Breakpoint[]> {
    const session = this.#session;
    const requested = this.#ranges;
    const refuse = (message: string) =>
      requested.map(({ id }): DebugProtocol.Breakpoint => ({ id, verified: false, message }));
    if (session === null) return refuse(WAITING);
    if (session.isOver) return refuse(OVER);
    const ranges: NormRange[] = [];
    const norms = requested.length === 0 ? new Map<string, number>() : await normsOf(session);
    const answers = requested.map((one): DebugProtocol.Breakpoint => {
      const { id, breakpoint } = one;
      const { dataId, condition } = breakpoint;
      try {
        const norm = norms.get(dataId);
        if (norm === undefined) throw new BasinError('not-found', `There is no parameter ${dataId}.`);
        const bounds = one.range ?? parseRange(condition, norm);
        const inside = within(bounds, norm);
        one.range ??= { id, parameter: dataId, ...bounds, inside };
        ranges.push(one.range);
        const message = inside
          ? `Stops when the norm of ${dataId}, ${shown(norm)} now, leaves its bounds: ${boundsText(bounds)}.`
          : `The norm of ${dataId} is ${shown(norm)}, outside of its bounds already: ${boundsText(bounds)}. Stops when it has come back and leaves them again.`;
        return { id, verified: true, message };
      } catch (error) {
        return { id, verified: false, message: sentenceOf(error) };
      }
    });
    // Others may have been asked for while these were looked up.
    if (requested === this.#ranges && this.#stops !== null) session.setRanges(ranges);
    return answers;
  }
}

/** By parameter, as they are now. */
async function normsOf(session: DebugTarget): Promise<Map<string, number>> {
  const weights = await session.statistics('current');
  return new Map(
    session.connection.description.objective.parameters.map((p, i) => [p.name, weights[i]?.norm ?? NaN]),
  );
}

function parsed(id: number, breakpoint: DebugProtocol.SourceBreakpoint): Requested['point'] {
  try {
    return StepBreakpoint.parse(id, breakpoint, { values: knownNames, functions: [] });
  } catch (error) {
    return { message: sentenceOf(error) };
  }
}

function isSame(a: DebugProtocol.SourceBreakpoint, b: DebugProtocol.SourceBreakpoint): boolean {
  return (['line', 'condition', 'hitCondition', 'logMessage'] as const).every((key) => a[key] === b[key]);
}

function isSameRange(a: DebugProtocol.DataBreakpoint, b: DebugProtocol.DataBreakpoint): boolean {
  return a.dataId === b.dataId && (a.condition ?? '') === (b.condition ?? '');
}
