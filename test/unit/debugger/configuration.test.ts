/** Configurations as people write them: what is wrong is refused before anything starts, what is unknown is told. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { checkAttach, checkLaunch } from '../../../src/debugger/configuration.ts';
import { eventFilters } from '../../../src/debugger/events.ts';
import { needs, testPython } from '../../harness/requires.ts';
import { debugging } from './debugging.ts';

const manifest = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
  readonly contributes: {
    readonly debuggers: readonly {
      readonly configurationAttributes: Readonly<
        Record<
          string,
          {
            readonly properties: {
              readonly breakpoints: {
                readonly items: { readonly anyOf: readonly { readonly enum?: readonly string[] }[] };
              };
            };
          }
        >
      >;
    }[];
  };
};

describe('debug configurations', function () {
  this.timeout(180_000);
  const on = debugging();

  const runs = (): string[] => {
    const folder = path.join(on.workspace.root, '.basin/runs');
    return existsSync(folder) ? readdirSync(folder) : [];
  };

  it('are refused where a value is wrong, with its cure, and no run is made', async () => {
    const { root, programs } = on.workspace;
    const wrong: readonly [object, RegExp][] = [
      [{ snapshotEvery: 'x' }, /"snapshotEvery" is no number of updates\. Write "snapshotEvery": 100/],
      [{ snapshotEvery: 0 }, /"snapshotEvery"/],
      [{ stopOnEntry: 'yes' }, /"stopOnEntry" is neither true nor false/],
      [{ env: { A: 3 } }, /"env" is no object of texts/],
      [{ args: '--epochs 3' }, /"args" is no list of texts/],
      [{ cwd: 7 }, /"cwd" is no text/],
      [{ runtimeArgs: [1] }, /"runtimeArgs" is no list/],
      [{ hold: -1 }, /"hold" is no number of seconds/],
      [{ liveBudget: 80 }, /"liveBudget" is no percentage/],
      [{ whenGone: 'stop' }, /"whenGone" cannot be "stop"/],
      [{ program: '' }, /"program" is no text/],
    ];
    for (const [given, expected] of wrong)
      await assert.rejects(
        on.client.launchRequest({
          program: programs.tfjs,
          root,
          ...given,
        } as DebugProtocol.LaunchRequestArguments),
        expected,
      );
    await assert.rejects(on.client.send('attach', { root, snapshot: 1.5 }), /"snapshot" cannot be 1\.5/);
    assert.deepEqual(runs(), []);
  });

  it('are told of attributes that there are none of, and of no other', async () => {
    const launch = { stopOnEntry: true, stopAtEntry: true, name: 'x', preLaunchTask: 'y', __sessionId: 'z' };
    await on.client.halt(on.client.begin('tfjs', { launch }));
    const told = on.client.output.filter((line) => line.includes('does not know'));
    assert.equal(told.length, 1);
    assert.match(told[0] ?? '', /has "stopAtEntry", which Basin does not know.*it knows .*stopOnEntry/);
    await on.client.disconnectRequest({});
  });

  it('that start nothing but training stand nowhere', async () => {
    const launch = { stopOnEntry: true, noDebug: true, breakpoints: ['step == 3'] };
    const ended = on.client.waitForEvent('terminated');
    let stops = 0;
    on.client.on('stopped', () => stops++);
    await on.client.begin('tfjs', { launch });
    await ended;
    assert.equal(stops, 0);
    assert.match(on.client.output.join(''), /finished: 40 steps/);
  });

  it('attach again after one that failed, start nothing for a snapshot that is not there, and let a session live', async function () {
    needs(this, 'torch');
    await on.client.begin('torch', { launch: { env: { STEPS: '6' } } });
    await on.client.waitForEvent('terminated');
    const { id } = await on.workspace.store.open('last');
    await on.reopen();
    const { root } = on.workspace;
    await assert.rejects(on.client.send('attach', { root, run: 'nobody' }), /nobody/);
    await assert.rejects(
      on.client.send('attach', { root, run: id, snapshot: 99 }),
      /no snapshot 99.*those of steps/,
    );
    assert.doesNotMatch(on.client.output.join(''), /again for questions/);
    await on.client.halt(on.client.join({ run: id, snapshot: 2 }));
    let isOver = false;
    on.client.on('terminated', () => (isOver = true));
    await assert.rejects(on.client.send('attach', { root, run: id }), /has its training already/);
    await assert.rejects(
      on.client.send('launch', { root, program: on.workspace.programs.torch, runtime: testPython() }),
      /has its training already/,
    );
    assert.match(await on.client.evaluate('loss("train")'), /on 96 train samples/);
    assert.ok(!isOver);
  });

  for (const [stops, step] of [
    [['step == 5'], 5],
    [['loss > 1e9', 'step == 7'], 7],
    [['non-finite'], 9],
  ] as const)
    it(`stop where their breakpoints say: ${stops.join(', ')}`, async () => {
      const launch = { breakpoints: stops, env: { PLANT_NAN: '9' } };
      const { reason } = await on.client.halt(on.client.begin('tfjs', { launch }));
      assert.equal(reason, stops[0] === 'non-finite' ? 'exception' : 'breakpoint');
      assert.equal((await on.client.variables('Step')).get('step')?.value, String(step));
      await on.client.disconnectRequest({});
    });

  it('have the attributes in the editor that the adapter knows', () => {
    const checks = { launch: checkLaunch, attach: checkAttach };
    for (const [request, check] of Object.entries(checks)) {
      const told = check({ program: 'train.py', nonsense: 1 }) ?? '';
      const known = /it knows (.*)\.$/.exec(told)?.[1]?.split(', ') ?? [];
      const offered = manifest.contributes.debuggers[0]!.configurationAttributes[request]?.properties ?? {};
      assert.deepEqual(Object.keys(offered).sort(), known.sort(), request);
    }
  });

  it('are offered every training event in the editor', () => {
    for (const { properties } of Object.values(manifest.contributes.debuggers[0]!.configurationAttributes))
      assert.deepEqual(
        properties.breakpoints.items.anyOf.flatMap((one) => one.enum ?? []),
        eventFilters.map(({ id }) => id),
      );
  });

  it('are refused with breakpoints that are none', async () => {
    const { root, programs } = on.workspace;
    const wrong: readonly [unknown, RegExp][] = [
      ['loss > 2', /"breakpoints" is no list of texts/],
      [['los > 2'], /"breakpoints" cannot have "los > 2".*los.*loss.*non-finite/s],
      [['spike'], /"breakpoints" cannot have "spike".*loss-spike/s],
      [['loss >'], /"breakpoints" cannot have "loss >"/],
      [[''], /"breakpoints" cannot have ""/],
    ];
    for (const [breakpoints, expected] of wrong)
      await assert.rejects(on.client.send('launch', { program: programs.tfjs, root, breakpoints }), expected);
  });
});
