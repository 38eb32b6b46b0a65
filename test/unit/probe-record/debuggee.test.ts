/** The first stop of a process that waits for its debugger: for how long, and whose it is once one has come. */
import assert from 'node:assert/strict';
import { Debuggee, type Ground } from '../../../src/probe/tfjs/debuggee.ts';
import type { WhenGone } from '../../../src/protocol/standing.ts';

/** The clock's hands move only while the process waits, to what comes next: a word of a client, or the deadline. */
class Simulation implements Ground {
  readonly shown: string[] = [];
  rounds = 0;
  now = 0;
  constructor(private readonly events: { at: number; happens: (debuggee: Debuggee) => void }[]) {}
  debuggee!: Debuggee;

  serveUntil(done: () => boolean, deadline = Infinity): void {
    this.rounds++;
    assert.ok(this.rounds < 50, 'it goes round without waiting');
    while (!done()) {
      const [next] = this.events;
      if (next === undefined && deadline === Infinity) throw new Stuck();
      if (next !== undefined && next.at < deadline) {
        this.events.shift();
        this.now = next.at;
        next.happens(this.debuggee);
      } else {
        this.now = Math.max(this.now, deadline);
        return;
      }
    }
  }
  show(state: 'paused' | 'training'): void {
    this.shown.push(`${state} at ${this.now}`);
  }
  answer(): void {}
  fail(): void {}
}

/** It waits, and nobody is going to come. */
class Stuck extends Error {}

describe('a process that stands first', () => {
  const real = performance.now.bind(performance);
  afterEach(() => (performance.now = real));

  /** @returns how it went on, or that it stands for good */
  const start = (
    ...events: { at: number; happens: (debuggee: Debuggee) => void }[]
  ): Simulation & { stands: boolean } => {
    const simulation = new Simulation(events);
    performance.now = () => simulation.now;
    simulation.debuggee = new Debuggee(simulation, 60_000);
    let stands = false;
    try {
      simulation.debuggee.reached({ place: 'gradient', objective: 0, step: 0, epoch: 0, values: () => null });
    } catch (error) {
      if (!(error instanceof Stuck)) throw error;
      stands = true;
    }
    return Object.assign(simulation, { stands });
  };
  const comes = (at: number, whenGone: WhenGone) => ({
    at,
    happens: (d: Debuggee) => d.pause(1, 7, 0, { whenGone }),
  });
  const goes = (at: number) => ({ at, happens: (d: Debuggee) => d.closed(7) });
  const proceeds = (at: number) => ({
    at,
    happens: (d: Debuggee) =>
      d.proceed(2, 7, 0, { target: { place: 'boundary' }, norms: false, whenGone: 'continue' }),
  });

  it('trains alone when none has come for a minute', () => {
    const { shown, stands } = start();
    assert.equal(stands, false);
    assert.match(shown.at(-1) ?? '', /^training at 6000\d$/);
  });

  it('waits for its debugger’s word however long that takes, and hears it', () => {
    const { shown, stands, rounds } = start(comes(10_000, 'continue'), proceeds(600_000));
    assert.equal(stands, false);
    assert.equal(shown.at(-1), 'training at 600000');
    assert.ok(rounds <= 4, `${rounds} rounds`);
  });

  it('goes on when its debugger is gone and wanted that', () => {
    assert.equal(start(comes(10_000, 'continue'), goes(20_000)).shown.at(-1), 'training at 20000');
    assert.equal(start(comes(10_000, 'continue'), goes(90_000)).shown.at(-1), 'training at 90000');
  });

  it('stays for the next one where its debugger wanted that, and goes on at that one’s word', () => {
    assert.equal(start(comes(10_000, 'hold'), goes(20_000)).stands, true);
    assert.equal(start(comes(10_000, 'hold'), goes(90_000)).stands, true);
    const { shown } = start(comes(10_000, 'hold'), goes(20_000), comes(200_000, 'hold'), proceeds(300_000));
    assert.equal(shown.at(-1), 'training at 300000');
  });
});
