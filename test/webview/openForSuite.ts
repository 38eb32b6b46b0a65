/** A workbench for a whole suite: opened before its tests, closed behind them, pictured where one of them fails. */
import { needs } from '../harness/requires.ts';
import { startWorkbench, type Workbench, type WorkbenchOptions } from '../harness/workbench.ts';

/**
 * Call it in `describe`.
 * @param options asked for when it is opened: they may make its folder
 * @param opened is given it before the first test
 * @param prefix of the pictures of failed tests
 */
export function openForSuite(
  options: () => WorkbenchOptions,
  opened: (workbench: Workbench) => void,
  prefix = '',
): void {
  let workbench: Workbench | undefined;
  before(async function () {
    needs(this, 'chromium');
    workbench = await startWorkbench(options());
    opened(workbench);
  });
  after(() => workbench?.close());
  afterEach(async function () {
    if (this.currentTest?.state === 'failed')
      await workbench?.screenshot(`failed-${prefix}${this.currentTest.title.replace(/\W+/g, '-')}`);
  });
}
