/** What to stop at, changed while training runs free: it counts from the next step on. */
import assert from 'node:assert/strict';
import { needs } from '../../harness/requires.ts';
import { stepLine, third } from './client.ts';
import { debugging, frameworks, until } from './debugging.ts';

for (const framework of frameworks)
  describe(`what to stop at, set while training runs (${framework})`, function () {
    this.timeout(120_000);
    const on = debugging();
    const launch = { env: { STEPS: '10000000' } };
    before(function () {
      if (framework === 'torch') needs(this, 'torch');
    });
    afterEach(() => on.client.disconnectRequest({ terminateDebuggee: true }));

    const step = async (): Promise<number> => Number((await on.client.variables('Step')).get('step')?.value);
    const breakpoints = (conditions: readonly string[]) =>
      on.client.setBreakpointsRequest({
        source: { path: on.workspace.programs[framework] },
        breakpoints: conditions.map((condition) => ({ line: stepLine[framework], condition })),
      });

    /** Training is on its way, and has come past its first steps. */
    async function running(): Promise<void> {
      await on.client.begin(framework, { launch });
      await until(async () => {
        const [newest] = await on.workspace.store.list();
        if (newest === undefined) return false;
        const run = await on.workspace.store.open(newest.id);
        return (await run.readSteps()).length > 10;
      });
    }

    it('stops where a breakpoint is set, and no more once it is removed', async () => {
      await running();
      const stop = await on.client.halt(breakpoints(['step >= 5']));
      assert.equal(stop.reason, 'breakpoint');
      const at = await step();
      assert.equal((await on.client.go()).reason, 'breakpoint');
      assert.equal(await step(), at + 1);

      // Between two steps that are looked at there is time to change them.
      await breakpoints([`step > ${at + 100} && step % 2 == 0`, `step == ${at + 9000000}`]);
      await on.client.continueRequest({ threadId: 1 });
      await breakpoints([]);
      const paused = await on.client.halt(on.client.pauseRequest({ threadId: 1 }));
      assert.equal(paused.reason, 'pause');
    });

    it('stops at an event whose filter is switched on', async () => {
      await on.client.begin(framework, {
        launch: { env: { STEPS: '10000000', PLANT_NAN: '300' } },
        breakpoints: [{ line: stepLine[framework], condition: 'step == 2' }],
      });
      await on.client.waitForEvent('stopped');
      await breakpoints([]);
      await on.client.continueRequest({ threadId: 1 });
      // From the first NaN on every step has one: whenever the switch comes, there is something to stop at.
      const { reason } = await on.client.halt(
        on.client.setExceptionBreakpointsRequest({ filters: ['non-finite'] }),
      );
      assert.equal(reason, 'exception');
      assert.ok((await step()) >= 300);
    });

    it('watches a norm from then on', async () => {
      await running();
      const { dataId } = (await on.client.dataBreakpointInfoRequest({ name: third[framework] })).body;
      const { reason } = await on.client.halt(async () => {
        // It is inside of these bounds now, and has drifted out of them after some steps.
        const { breakpoints: placed } = (
          await on.client.setDataBreakpointsRequest({
            breakpoints: [{ dataId: dataId ?? '', condition: '' }],
          })
        ).body;
        assert.deepEqual(
          placed.map(({ verified }) => verified),
          [true],
        );
      });
      assert.equal(reason, 'data breakpoint');
    });
  });
