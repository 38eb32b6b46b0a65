/** The built pages in a browser, under the extension's own policy and wire, with a recorded real run. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Browser } from 'playwright-core';
import type { LandscapeView } from '../../src/protocol/page.ts';
import { BasinError } from '../../src/protocol/errors.ts';
import type { ContourResult } from '../../src/protocol/results.ts';
import type { LandscapesJob, LandscapesResult } from '../../src/protocol/landscapes.ts';
import type { PointJob } from '../../src/protocol/points.ts';
import { packSteps } from '../../src/runs/stepColumns.ts';
import { formatNumber } from '../../webview/format.ts';
import { resultsOf } from '../../webview/panelState.ts';
import { sweepFor } from '../fixtures/sweptDigits.ts';
import {
  asked,
  digits,
  HostedPage,
  launchBrowser,
  lenses,
  liveNoise,
  until,
  violations,
} from './pageHarness.ts';
import type { ThemeName } from './vscodeThemes.ts';

const contour = resultsOf(digits, 'contour')[0]!;
const landscape: LandscapeView = {
  objective: 0,
  run: digits.run,
  steps: digits.steps,
  live: digits.live,
  contour,
  message: null,
  progress: null,
  error: null,
};
const without = { ...digits, results: [], models: [] };

/** Colours in a canvas: a drawn contour has many, an empty one has one. */
async function colours({ page }: HostedPage, selector: string): Promise<number> {
  return page.evaluate((at) => {
    const canvas = document.querySelector<HTMLCanvasElement>(`${at} canvas`);
    if (canvas === null || canvas.width === 0 || canvas.height === 0) return 0;
    // Of a copy that is made to be read: Chrome warns of canvases that are read again and again, and no page may warn.
    const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', {
      willReadFrequently: true,
    });
    copy?.drawImage(canvas, 0, 0);
    const data = copy?.getImageData(0, 0, canvas.width, canvas.height).data ?? [];
    const seen = new Set<number>();
    for (let i = 0; i < data.length; i += 4 * 7)
      seen.add(((data[i] ?? 0) << 16) | ((data[i + 1] ?? 0) << 8) | (data[i + 2] ?? 0));
    return seen.size;
  }, selector);
}

/** Waits until a chart is drawn: with more colours than its axes have. */
async function drawn(page: HostedPage, selector: string, least = 40): Promise<void> {
  await until(`${selector} to be drawn`, async () => (await colours(page, selector)) > least);
}

/** The first jobs that the page has asked for; a request comes some time after the click. */
async function jobs(
  { requests }: HostedPage,
  count = 1,
): Promise<{ number: number; job: { kind: string; objective?: number } }[]> {
  const asked = (): { number: number; job: { kind: string; objective?: number } }[] =>
    requests.flatMap(({ method, params }) =>
      method === 'runJob' ? [params as { number: number; job: { kind: string; objective?: number } }] : [],
    );
  await until(`${count} jobs`, () => Promise.resolve(asked().length >= count));
  return asked();
}

const compared = JSON.parse(
  readFileSync(new URL('../fixtures/compared-contours.json', import.meta.url), 'utf8'),
) as ContourResult[];

const landscapes = JSON.parse(
  readFileSync(new URL('../fixtures/landscapes.json', import.meta.url), 'utf8'),
) as LandscapesResult;
/** The page of the run that keeps them. */
const home = { ...digits, run: { ...digits.run, id: landscapes.run }, results: [landscapes] };

const pictures = fileURLToPath(new URL('../../out/screenshots', import.meta.url));

/** Keeps what is on screen in out/screenshots/, to be looked at. */
async function picture({ page }: HostedPage, name: string): Promise<void> {
  await page.screenshot({ path: `${pictures}/${name}.png`, fullPage: true });
}

const formatCell = (value: number | null): string => (value === null ? '–' : String(value));

describe('pages', function () {
  this.timeout(120_000);
  let browser: Browser;
  let open: HostedPage[] = [];
  before(async () => (browser = await launchBrowser()));
  after(async () => browser.close());
  afterEach(async () => {
    const problems = open.flatMap((page) => page.problems);
    for (const page of open) await page.close();
    open = [];
    assert.deepEqual(problems, []);
  });
  const keep = async (page: Promise<HostedPage>): Promise<HostedPage> => {
    open.push(await page);
    return page;
  };

  for (const theme of ['dark', 'light', 'high-contrast', 'high-contrast-light'] satisfies ThemeName[]) {
    for (const view of [digits, asked]) {
      it(`panel, every lens, is accessible (${theme}, ${view.run.name})`, async () => {
        const page = await keep(HostedPage.open(browser, 'panel', { theme }));
        page.notify('showRun', view === asked ? { ...view, noise: liveNoise } : view);
        for (const lens of lenses) {
          page.notify('showLens', { lens });
          await page.settle();
          // A chart is named with its first drawing.
          await until(`${lens} to be drawn`, async () =>
            page.page.evaluate<boolean>(
              `[...document.querySelectorAll('[role=img]')].every((one) => one.offsetParent === null || one.hasAttribute('aria-label'))`,
            ),
          );
          if (lens === 'log') {
            await page.page.locator('#lens-log .step-log summary').click();
            await page.page.locator('#lens-log .step-log tbody tr').first().waitFor();
          }
          await picture(page, `${lens}-${view === asked ? 'asked' : 'digits'}-${theme}`);
          assert.deepEqual(await violations(page), [], lens);
        }
      });
    }
  }

  describe('landscapes of several runs', () => {
    const slider = ({ page }: HostedPage) => page.locator('#lens-contour .landscapes input[type=range]');
    const name = async (page: HostedPage): Promise<string> =>
      (await slider(page).getAttribute('aria-valuetext')) ?? '';
    /** The picture in words, its range of losses among them. */
    const described = async ({ page }: HostedPage): Promise<string> =>
      (await page.locator('#lens-contour .chart-contour').first().getAttribute('aria-label')) ?? '';

    for (const theme of ['dark', 'light', 'high-contrast'] satisfies ThemeName[]) {
      it(`go from run to run by keyboard on one plane and one colour scale (${theme})`, async () => {
        const page = await keep(HostedPage.open(browser, 'panel', { theme }));
        page.notify('showRun', home);
        page.notify('showLens', { lens: 'contour', result: landscapes.id });
        await drawn(page, '.chart-contour');
        assert.equal(await name(page), 'labels as they are', 'the run’s own is in front');
        const chart = page.page.locator('.chart-contour').first();
        await picture(page, `landscapes-own-${theme}`);
        const own = await chart.screenshot();
        await slider(page).focus();
        await page.page.keyboard.press('ArrowRight');
        assert.equal(await name(page), 'a third wrong');
        await page.settle();
        const other = await chart.screenshot();
        assert.notDeepEqual(other, own, 'another landscape');
        await picture(page, `landscapes-other-${theme}`);
        assert.deepEqual(await violations(page), []);
        await page.page.keyboard.press('End');
        assert.equal(await name(page), 'smaller batches');
        await page.page.keyboard.press('Home');
        await page.settle();
        assert.equal(await name(page), 'labels as they are');
        await until('the same picture as before', async () => own.equals(await chart.screenshot()));
      });
    }

    it('have one scale, from the least loss of all to the greatest', async () => {
      const page = await keep(HostedPage.open(browser, 'panel'));
      page.notify('showRun', home);
      page.notify('showLens', { lens: 'contour', result: landscapes.id });
      await drawn(page, '.chart-contour');
      const all = landscapes.landscapes.flatMap(({ contour }) => contour!.loss.flat() as number[]);
      const [lowest, highest] = [Math.min(...all), Math.max(...all)];
      const [from, to] = [lowest, highest].map((loss) => formatNumber(loss));
      const bars: Buffer[] = [];
      for (let k = 0; k < 3; k++) {
        await slider(page).focus();
        await page.page.keyboard.press(k === 0 ? 'Home' : 'ArrowRight');
        await page.settle();
        const said = await described(page);
        assert.ok(said.includes(`from ${from} to ${to}`), said);
        // The bar beside the picture: the same colours at the same numbers.
        const box = await page.page.locator('#lens-contour .chart-contour canvas').first().boundingBox();
        assert.ok(box);
        const clip = { x: box.x + box.width - 90, y: box.y, width: 90, height: box.height };
        bars.push(await page.page.screenshot({ clip }));
      }
      for (const bar of bars) assert.ok(bar.equals(bars[0]!));
    });

    it('stand in a table, run by run, and a run without an answer is told in place', async () => {
      const page = await keep(HostedPage.open(browser, 'panel'));
      const [one, two, three] = landscapes.landscapes;
      assert.ok(one && two && three);
      const error = { code: 'process-ended', message: 'The script ended.', cure: 'Mend it.' } as const;
      const partly = { ...landscapes, landscapes: [one, { ...two, contour: null, error }, three] };
      page.notify('showRun', { ...home, results: [partly] });
      page.notify('showLens', { lens: 'contour', result: landscapes.id });
      await drawn(page, '.chart-contour');
      const told = page.page.locator('#lens-contour .landscapes .error');
      assert.match((await told.textContent()) ?? '', /No landscape of a third wrong: The script ended\./);
      assert.equal(await slider(page).getAttribute('max'), '1', 'the others are there');
      await page.page.locator('#lens-contour summary:visible', { hasText: 'Show as table' }).first().click();
      const table = page.page.locator('#lens-contour table').first();
      await table.locator('tbody tr').first().waitFor();
      const rows = await table
        .locator('tbody tr')
        .evaluateAll((all) => all.map((row) => [...row.children].map((cell) => cell.textContent ?? '')));
      assert.deepEqual(
        rows.map(([run, , , , on]) => [run, on]),
        [
          ['labels as they are', '256 samples'],
          ['a third wrong', 'The script ended.'],
          ['smaller batches', '256 samples'],
        ],
      );
      assert.deepEqual(await violations(page), []);
    });

    it('come one after the other while they are asked, and the hand stays on the one it chose', async () => {
      const page = await keep(HostedPage.open(browser, 'panel'));
      page.notify('showRun', { ...home, results: [] });
      page.notify('showLens', { lens: 'contour' });
      const [one, two, three] = landscapes.landscapes;
      assert.ok(one && two && three);
      const { job } = landscapes.provenance as { job: LandscapesJob };
      const number = -1;
      page.notify('jobProgress', { number, job, progress: { fraction: 0.2, message: 'contour' } });
      const soFar = (contours: readonly boolean[]): LandscapesResult => ({
        ...landscapes,
        complete: false,
        landscapes: landscapes.landscapes.map((l, k) => (contours[k] === true ? l : { ...l, contour: null })),
      });
      page.notify('jobPartial', { number, result: soFar([true, false, false]) });
      await drawn(page, '.chart-contour');
      assert.equal(await name(page), 'labels as they are');
      page.notify('jobPartial', { number, result: soFar([true, true, false]) });
      await until('the second', async () => (await name(page)) === 'a third wrong');
      await slider(page).focus();
      await page.page.keyboard.press('Home');
      page.notify('jobPartial', { number, result: soFar([true, true, true]) });
      await until('three stops', async () => (await slider(page).getAttribute('max')) === '2');
      assert.equal(await name(page), 'labels as they are');
      page.notify('jobDone', { number, result: landscapes, error: null });
      await page.settle();
      assert.equal(await name(page), 'labels as they are');
      await page.page
        .locator('#lens-contour summary', { hasText: /command|Computed|from/i })
        .first()
        .waitFor();
      const line = await page.page.locator('#lens-contour .command-line code').first().textContent();
      assert.match(line ?? '', /^basin landscapes \S+ --members \S+ --size 21 --data train$/);
    });

    it('leave points of another run’s landscape to that run’s panel', async () => {
      const page = await keep(HostedPage.open(browser, 'panel'));
      page.notify('showRun', home);
      page.notify('showLens', { lens: 'contour', result: landscapes.id });
      await drawn(page, '.chart-contour');
      const become = page.page.locator('#lens-contour .picked vscode-button');
      const offered = (): Promise<boolean> =>
        become.evaluate((one) => !(one as HTMLElement & { disabled: boolean }).disabled);
      assert.equal(await offered(), false, 'no point yet');
      const canvas = await page.page.locator('#lens-contour .chart-contour canvas').first().boundingBox();
      assert.ok(canvas);
      const position = { x: canvas.width / 2, y: canvas.height / 2 };
      await page.page.locator('.chart-contour').first().click({ position });
      await until('an offer', offered);
      await slider(page).focus();
      await page.page.keyboard.press('ArrowRight');
      await until('no offer', async () => !(await offered()));
      await page.page.keyboard.press('ArrowLeft');
      await until('an offer of the same point', offered);
    });
  });

  describe('a comparison of runs', () => {
    const [beside, through] = compared;
    assert.ok(beside && through);
    const scrubber = (page: HostedPage) => page.page.locator('#lens-contour .compared input[type=range]');

    it('has one plane, and goes between its models by keyboard', async () => {
      const page = await keep(HostedPage.open(browser, 'panel'));
      await page.page.emulateMedia({ reducedMotion: 'reduce' });
      page.notify('showRun', { ...digits, results: [beside] });
      page.notify('showLens', { lens: 'contour', result: beside.id });
      await drawn(page, '.chart-contour');
      const name = async (): Promise<string> => (await scrubber(page).getAttribute('aria-valuetext')) ?? '';
      await scrubber(page).focus();
      await page.page.keyboard.press('Home');
      assert.match(await name(), /^step 500: loss 0\.132 ± 0\.028$/);
      const chart = page.page.locator('.chart-contour').first();
      const own = await chart.screenshot();
      await page.page.keyboard.press('ArrowRight');
      assert.match(
        await name(),
        /^smaller rate, step 500: loss 0\.090 ± 0\.028, [-−]0\.042 against step 500$/,
      );
      await page.settle();
      assert.notDeepEqual(await chart.screenshot(), own, 'the other run stands out');
      await page.page.keyboard.press('End');
      assert.match(await name(), /^seed 8, step 500: loss 0\.072/);
      // Played with reduced motion it jumps, and stops at the last one.
      await page.page.locator('#lens-contour .compared button').click();
      await until('the first model', async () => /^step 500/.test(await name()));
      await until('the last model', async () => /^seed 8/.test(await name()), 20);

      await page.page.locator('#lens-contour summary:visible', { hasText: 'Show as table' }).first().click();
      const tables = page.page.locator('#lens-contour table');
      // A table is written when its fold is opened, in the page's own time.
      await tables.first().locator('tbody tr').first().waitFor();
      const rows = await tables
        .first()
        .locator('tbody tr')
        .evaluateAll((all) => all.map((row) => [...row.children].map((cell) => cell.textContent ?? '')));
      assert.deepEqual(
        rows.map(([model]) => model),
        ['step 500', 'smaller rate, step 500', 'step 0', 'seed 8, step 500'],
      );
      assert.deepEqual(
        rows.map((row) => row.at(-1)),
        ['0', '0', '0', '39.89'],
        'distances from the plane',
      );
      const captions = await tables.locator('caption').allTextContents();
      assert.ok(captions.includes('Path of smaller rate') && captions.includes('Path of seed 8'));
      assert.deepEqual(await violations(page), []);
    });

    for (const theme of ['dark', 'light', 'high-contrast'] satisfies ThemeName[]) {
      it(`is accessible through three runs (${theme})`, async () => {
        const page = await keep(HostedPage.open(browser, 'panel', { theme }));
        page.notify('showRun', { ...digits, results: [through] });
        page.notify('showLens', { lens: 'contour', result: through.id });
        await drawn(page, '.chart-contour');
        await scrubber(page).focus();
        await page.page.keyboard.press('Home');
        await page.page.keyboard.press('ArrowRight');
        await page.settle();
        assert.deepEqual(await violations(page), []);
        await picture(page, `comparison-${theme}`);
      });
    }

    it('speaks German', async () => {
      const page = await keep(HostedPage.open(browser, 'panel', { language: 'de' }));
      page.notify('showRun', { ...digits, results: [through] });
      page.notify('showLens', { lens: 'contour', result: through.id });
      await drawn(page, '.chart-contour');
      await scrubber(page).focus();
      await page.page.keyboard.press('End');
      assert.match(
        (await scrubber(page).getAttribute('aria-valuetext')) ?? '',
        /^seed 8, Schritt 500: Loss 0,072 ± 0,031, −0,06 gegenüber Schritt 500$/,
      );
    });
  });

  it('panel draws every kind of result that is kept, each with its sentences', async () => {
    const page = await keep(HostedPage.open(browser, 'panel'));
    page.notify('showRun', { ...asked, noise: liveNoise });
    for (const [lens, charts] of [
      ['contour', ['contour', 'seed', 'repeats']],
      ['trajectory', ['plane', 'along', 'structure', 'layers-heat', 'autocorrelation', 'power']],
      ['spectrum', ['density', 'live-noise', 'noise', 'noise-curvature']],
      ['sharpness', ['stability', 'flatness']],
      [
        'averaging',
        [
          'ensemble-count',
          'ensemble-diversity',
          'soup',
          'sweep',
          'side',
          'average-line',
          'scores',
          'uncertainty',
        ],
      ],
      ['generalisation', ['reliability', 'margins']],
    ] as const) {
      page.notify('showLens', { lens });
      await page.settle();
      for (const chart of charts) await drawn(page, `#lens-${lens} .chart-${chart}`, 5);
    }
    const [path] = resultsOf(asked, 'trajectory');
    await page.page.getByText(path!.trust[0]!).waitFor({ state: 'attached' });
  });

  it('panel shows the one of several results that is asked for, and its table by keyboard', async () => {
    const page = await keep(HostedPage.open(browser, 'panel'));
    page.notify('showRun', asked);
    const layered = resultsOf(asked, 'spectrum').find(({ blocks }) => blocks.length > 1)!;
    page.notify('showLens', { lens: 'spectrum', result: layered.id });
    const lens = page.page.locator('#lens-spectrum');
    await lens.getByRole('heading', { name: 'Layer by layer' }).waitFor();
    await lens.locator('.chart-layers ~ .fold summary').focus();
    await page.page.keyboard.press('Enter');
    const rows = lens.getByRole('region', { name: 'Eigenvalues and trace by block' }).locator('tbody tr');
    // The table is written when its fold is opened, in the page's own time.
    await rows.first().waitFor();
    assert.equal(await rows.count(), layered.blocks.length);
    assert.deepEqual(await rows.nth(1).locator('th, td').first().innerText(), layered.blocks[1]!.name);
  });

  it('panel asks with the options that were set, which can be undone and reset', async () => {
    const page = await keep(HostedPage.open(browser, 'panel'));
    page.notify('showRun', asked);
    page.notify('showLens', { lens: 'spectrum' });
    const lens = page.page.locator('#lens-spectrum');
    const largest = lens.locator('vscode-text-field').first();
    await largest.click();
    await page.page.keyboard.press('Control+a');
    await page.page.keyboard.type('7');
    await page.page.keyboard.press('Tab');
    await lens.locator('vscode-checkbox', { hasText: 'Density' }).click();
    await lens.getByRole('button', { name: 'Undo' }).click();
    await lens.getByText('Compute the spectrum', { exact: true }).first().click();
    const job = { kind: 'spectrum', at: 'last', matrix: 'hessian', bottom: 1, trace: true, perLayer: false };
    assert.deepEqual(
      (await jobs(page)).map((one) => one.job),
      [{ ...job, run: asked.run.id, top: 7, density: true }],
    );
    await lens.getByRole('button', { name: 'Reset' }).click();
    assert.equal(await largest.evaluate((field) => (field as HTMLInputElement).value), '5');
    await lens.getByRole('button', { name: 'Reset' }).waitFor({ state: 'detached' });
  });

  it('panel goes back over the choices of a contour, one by one', async () => {
    const page = await keep(HostedPage.open(browser, 'panel'));
    page.notify('showRun', { ...asked, results: [contour] });
    page.notify('showLens', { lens: 'contour' });
    const lens = page.page.locator('#lens-contour');
    const field = (label: string) => lens.locator(`vscode-dropdown[aria-label="${label}"]`);
    const chosen = (label: string): Promise<string> =>
      field(label).evaluate((one) => (one as HTMLSelectElement).value);
    const last = async (label: string): Promise<void> => {
      await field(label).focus();
      await page.page.keyboard.press('End');
    };
    const before = { colour: await chosen('Colour'), grid: await chosen('Grid') };
    await last('Colour');
    await last('Grid');
    assert.deepEqual([await chosen('Colour'), await chosen('Grid')], ['linear', '81']);
    const undo = lens.getByRole('button', { name: 'Undo' });
    await undo.click();
    assert.deepEqual([await chosen('Colour'), await chosen('Grid')], ['linear', before.grid]);
    await undo.click();
    assert.equal(await chosen('Colour'), before.colour);
    await undo.waitFor({ state: 'hidden' });
  });

  it('panel plays the path, and asks for the plane through the average on both splits', async () => {
    const page = await keep(HostedPage.open(browser, 'panel', { width: 900 }));
    page.notify('showRun', asked);
    page.notify('showLens', { lens: 'trajectory' });
    const slider = page.page.getByRole('slider', { name: 'Place on the path' });
    // The lens is drawn in its own time; before that there is no path to go along.
    await until('the start of the path', async () => {
      await slider.focus();
      await page.page.keyboard.press('Home');
      return (await slider.getAttribute('aria-valuetext')) === 'step 0';
    });
    await page.page.locator('#lens-trajectory').getByText('Play', { exact: true }).click();
    await until('the path to play', async () => Number(await slider.inputValue()) > 3);
    await page.page.locator('#lens-trajectory').getByText('Pause', { exact: true }).click();
    page.notify('showLens', { lens: 'averaging' });
    await page.page.getByText('Draw the plane through the average', { exact: true }).click();
    assert.deepEqual(
      (await jobs(page, 3)).map(({ job }) => {
        const { kind, plane, split } = job as { kind: string; plane?: unknown; split?: string };
        return [kind, plane, split];
      }),
      [
        ['contour', [600, 'average-1', 120], 'train'],
        ['contour', [600, 'average-1', 120], 'validation'],
        ['line', undefined, undefined],
      ],
    );
  });

  it('panel draws the contour and follows a refinement in place', async () => {
    const page = await keep(HostedPage.open(browser, 'panel'));
    page.notify('showRun', without);
    await page.page.getByRole('heading', { name: 'No contour yet' }).waitFor();
    await page.page.getByText('Compute the contour', { exact: true }).click();
    const { number, job } = (await jobs(page))[0]!;
    assert.deepEqual([job.kind, (job as { plane?: string }).plane], ['contour', 'pca']);
    const coarse = contour.loss.map((row, j) =>
      row.map((loss, i) => (i % 8 === 0 && j % 8 === 0 ? loss : null)),
    );
    page.notify('jobPartial', {
      number,
      result: { ...contour, loss: coarse, complete: false, evaluated: 36 },
    });
    await page.page.getByText('Coarse: 6 × 6 of 41 × 41').waitFor();
    await drawn(page, '.chart-contour');
    page.notify('jobDone', { number, result: contour, error: null });
    await page.page.getByText('Compute again').waitFor();
    await page.page.getByText('Coarse:').waitFor({ state: 'detached' });
  });

  it('panel shows a plane on training and validation data side by side, in one colour scale', async () => {
    const page = await keep(HostedPage.open(browser, 'panel'));
    // The recorded landscape once more, higher by half, as of other samples.
    const higher = contour.loss.map((row) => row.map((loss) => (loss === null ? null : 1.5 * loss)));
    const validation: ContourResult = {
      ...contour,
      id: 'contour-pca-validation',
      loss: higher,
      data: { split: 'validation', samples: 384 },
    };
    page.notify('showRun', { ...digits, results: [contour, validation] });
    await drawn(page, '.chart-contour');
    const side = page.page.locator('#lens-contour .pair').first().locator('> :nth-child(2)');
    assert.equal(await side.isVisible(), false);
    const data = page.page.locator('#lens-contour').getByRole('combobox', { name: 'Data' });
    await data.focus();
    for (const key of ['End', 'Enter']) await page.page.keyboard.press(key);
    await drawn(page, '.pair .chart-side');
    const said = await page.page
      .locator('#lens-contour .pair [role=img]:visible')
      .evaluateAll((charts) => charts.map((chart) => chart.getAttribute('aria-label') ?? ''));
    assert.equal(said.length, 2, said.join());
    const all = [...contour.loss.flat(), ...higher.flat()] as number[];
    const range = `from ${formatNumber(Math.min(...all))} to ${formatNumber(Math.max(...all))}`;
    for (const [k, split] of ['training', 'validation'].entries())
      assert.ok(said[k]?.includes(range) && said[k].includes(split), said[k]);
    await picture(page, 'contour-both');
    const [left, right] = await Promise.all(
      ['.chart-contour', '.chart-side'].map((at) =>
        page.page.locator(`#lens-contour .pair ${at}`).first().boundingBox(),
      ),
    );
    assert.ok(left && right && left.y === right.y && left.x + left.width <= right.x, 'side by side');
    assert.deepEqual(await violations(page), []);
    await page.page.locator('#lens-contour .toolbar vscode-button').click();
    const asked = (await jobs(page, 2)).map(({ job }) => [job.kind, 'split' in job ? job.split : '']);
    assert.deepEqual(asked, [
      ['contour', 'train'],
      ['contour', 'validation'],
    ]);
  });

  it('panel shows one of several objectives at a time, and asks about that one', async () => {
    const own = digits.run.objectives[0]!;
    const critic = { ...own, name: 'critic', parameterCount: 77 };
    const two = {
      ...digits,
      run: { ...digits.run, objectives: [own, critic] },
      steps: [...digits.steps, { ...digits.steps.at(-1)!, objective: 1, loss: 0.125 }],
      objectiveSnapshots: [digits.snapshots, [0, 7]],
    };
    const page = await keep(HostedPage.open(browser, 'panel'));
    page.notify('showRun', digits);
    const choice = page.page.getByRole('combobox', { name: 'Objective' });
    const head = page.page.locator('.head');
    await head.getByText('digits').first().waitFor();
    assert.equal(await choice.isVisible(), false);
    page.notify('showRun', two);
    await choice.waitFor();
    await choice.focus();
    await page.page.keyboard.press('ArrowDown');
    await page.page.keyboard.press('Enter');
    await head.getByText('77 parameters').waitFor();
    await head.getByText('2 snapshots').waitFor();
    await head.getByText('0.125').waitFor();
    // The results that are kept are the other's.
    await page.page.locator('#lens-contour canvas').first().waitFor({ state: 'hidden' });
    await page.page.getByText('Compute the contour', { exact: true }).click();
    assert.equal((await jobs(page))[0]?.job.objective, 1);
    // The sidebar is told which one it is.
    assert.deepEqual(
      page.requests.filter(({ method }) => method === 'chooseObjective').map(({ params }) => params),
      [{ objective: 1 }],
    );
    assert.deepEqual(await violations(page), []);
    await picture(page, 'panel-objectives');
    page.notify('showLens', { lens: 'contour', result: contour.id });
    await drawn(page, '#lens-contour');
    await head.getByText('77 parameters').waitFor({ state: 'detached' });
    assert.deepEqual(page.problems, []);
  });

  it('panel cancels, and shows a failure with its cure', async () => {
    let fail: (error: Error) => void = () => undefined;
    const page = await keep(
      HostedPage.open(browser, 'panel', {
        handlers: { runJob: () => new Promise((_, reject) => (fail = reject)) },
      }),
    );
    page.notify('showRun', without);
    await page.page.getByText('Compute the contour', { exact: true }).click();
    await page.page.getByText('Cancel', { exact: true }).click();
    await page.page.getByText('Cancelling…').waitFor();
    await until('the cancellation', () =>
      Promise.resolve(page.requests.some(({ method }) => method === 'cancelJob')),
    );
    fail(new BasinError('not-replayable', 'The loss does not replay.', 'Seed the noise.'));
    const alert = page.page.getByRole('alert');
    await alert.waitFor();
    assert.equal(await alert.textContent(), 'The loss does not replay.Seed the noise.');
  });

  it('panel tells of a point that is clicked or typed, and makes it a model', async () => {
    const page = await keep(
      HostedPage.open(browser, 'panel', { handlers: { runJob: () => new Promise(() => undefined) } }),
    );
    page.notify('showRun', digits);
    await drawn(page, '#lens-contour .chart-contour');
    const lens = page.page.locator('#lens-contour');
    const become = lens.getByRole('button', { name: 'Become this model' });
    const picked = lens.getByRole('group', { name: 'A point of the plane' });
    await page.settle();
    const box = (await lens.locator('.chart-contour canvas').first().boundingBox())!;
    await page.page.mouse.click(box.x + box.width / 2, box.y + box.height / 2);
    await picked.getByText(/loss \S+ · nearest snapshot \d+, \S+ away/).waitFor();
    // By keyboard: the coordinates of a snapshot that lies in the plane have that snapshot as the nearest.
    const place = contour.trajectory.at(-1)!;
    for (const [name, value] of [
      ['x', place.x],
      ['y', place.y],
    ] as const) {
      await picked
        .locator('vscode-text-field')
        .nth(name === 'x' ? 0 : 1)
        .click();
      await page.page.keyboard.press('Control+a');
      await page.page.keyboard.type(value.toPrecision(4));
      await page.page.keyboard.press('Tab');
    }
    await picked.getByText(`nearest snapshot ${place.step}, `).waitFor();
    await become.press('Enter');
    const [asked] = await jobs(page);
    const job = asked!.job as unknown as PointJob;
    assert.equal(job.kind, 'point');
    assert.ok(Math.abs(job.x - place.x) <= 1e-3 * Math.abs(place.x) + 1e-9);
    assert.deepEqual(
      job.norms,
      contour.plane.directions.map((d) => d.norm),
    );
    assert.equal(job.plane, (contour.provenance.job as { plane: unknown }).plane);
  });

  it('panel tabs move with the arrow keys and the lens outlives a reload', async () => {
    const page = await keep(HostedPage.open(browser, 'panel', { state: { lens: 'line' } }));
    page.notify('showRun', digits);
    const selected = page.page.locator('[role=tab][aria-selected=true]');
    await selected.waitFor();
    assert.equal(await selected.textContent(), 'Line');
    await selected.focus();
    await page.page.keyboard.press('ArrowRight');
    assert.equal(await selected.textContent(), 'Trajectory');
    await page.page.keyboard.press('End');
    assert.equal(await selected.textContent(), 'Log');
    assert.deepEqual(await page.page.evaluate('[basinState.lens, basinState.run]'), ['log', digits.run.id]);
  });

  it('panel loads 3-D code only when it is asked for', async () => {
    const page = await keep(HostedPage.open(browser, 'panel'));
    const loaded: string[] = [];
    page.page.on('request', (request) => loaded.push(request.url()));
    page.notify('showRun', digits);
    await page.settle();
    assert.deepEqual(loaded, []);
    page.notify('showLens', { lens: 'surface' });
    await page.page.locator('.chart-contour:not([hidden]) canvas').waitFor();
    await until('its code', () => Promise.resolve(loaded.length > 0));
  });

  it('panel falls back to 2-D where there is no WebGL, and says so', async () => {
    const plain = await launchBrowser(false);
    const page = await HostedPage.open(plain, 'panel');
    try {
      page.notify('showRun', digits);
      page.notify('showLens', { lens: 'surface' });
      await page.page.getByText('This window has no WebGL').waitFor();
      await drawn(page, '.chart-contour');
    } finally {
      await plain.close();
    }
  });

  it('panel exports the picture as PNG, SVG and one HTML, the numbers as CSV and JSON, and copies it', async () => {
    const files: { name: string; content: string }[] = [];
    const page = await keep(
      HostedPage.open(browser, 'panel', {
        handlers: { saveFile: (file) => (files.push(file), { saved: file.name }) },
      }),
    );
    page.notify('showRun', digits);
    await page.settle();
    for (const name of ['PNG', 'SVG', 'CSV', 'JSON', 'HTML']) {
      await page.page.locator('#lens-contour').getByRole('button', { name, exact: true }).click();
      await page.page.getByText(`.${name.toLowerCase()}`).first().waitFor();
    }
    const content = (ending: string): string =>
      files.find(({ name }) => name.endsWith(ending))?.content ?? '';
    assert.ok(Buffer.from(content('.png'), 'base64').subarray(1, 4).equals(Buffer.from('PNG')));
    assert.match(content('.svg'), /^<svg[\s\S]*PC\u00a01/);
    const broken = (text: string): string | null | undefined =>
      new DOMParser().parseFromString(text, 'image/svg+xml').querySelector('parsererror')?.textContent;
    assert.equal(await page.page.evaluate(broken, content('.svg')), undefined, 'it is well-formed XML');
    assert.equal(content('.csv').trim().split('\r\n').length, 1 + 41 * 41);
    assert.deepEqual(JSON.parse(content('.json')), contour);

    // The document stands alone: opened by itself it shows the picture, its sentences and its numbers.
    const alone = await browser.newPage();
    try {
      await alone.setContent(content('.html'), { waitUntil: 'load' });
      const shown = await alone.evaluate(() => ({
        width: document.querySelector('img')?.naturalWidth ?? 0,
        sentences: [...document.querySelectorAll('li')].map((li) => li.textContent),
        rows: document.querySelectorAll('tbody tr').length,
        scripts: document.scripts.length,
        command: document.querySelector('dd')?.textContent,
      }));
      assert.ok(shown.width > 300, 'the picture is drawn');
      assert.deepEqual(shown.sentences, contour.trust);
      assert.ok(shown.rows >= contour.trajectory.length + contour.y.length);
      assert.equal(shown.scripts, 0);
      assert.match(shown.command ?? '', /^basin contour /);
    } finally {
      await alone.close();
    }

    await page.page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await page.page.bringToFront();
    await page.page
      .locator('#lens-contour')
      .getByRole('button', { name: 'Copy picture', exact: true })
      .click();
    await page.page.getByText('Copied', { exact: true }).first().waitFor();
    const types = await page.page.evaluate(async () =>
      (await navigator.clipboard.read()).flatMap(({ types }) => [...types]),
    );
    assert.deepEqual(types, ['image/png']);
  });

  it('panel compares averages: the map, its sliders by keyboard, a click, and builds what is chosen', async () => {
    const swept = await sweepFor(digits);
    const page = await keep(HostedPage.open(browser, 'panel'));
    page.notify('showRun', { ...digits, results: [swept, ...digits.results] });
    page.notify('showLens', { lens: 'averaging' });
    await page.settle();
    assert.deepEqual(await violations(page), []);
    await drawn(page, '.chart-sweep', 20);
    const lens = page.page.locator('#lens-averaging');
    await lens.getByText(swept.trust[0]!).waitFor();
    const best = swept.best!;
    const words = (w: { snapshots: number; from: number; to: number }): string =>
      `Average of ${w.snapshots} snapshots, steps ${w.from} to ${w.to}`;
    const shown = lens.locator('.sweep-side strong');
    assert.equal(await shown.innerText(), words(best));
    // The first step cannot pass the last: End takes both to the end, where the last block holds five snapshots.
    await lens.getByRole('slider', { name: 'First step' }).focus();
    await page.page.keyboard.press('End');
    const end = swept.windows.filter((w) => w.to === swept.blocks.at(-1)!.to)[0]!;
    assert.equal(await shown.innerText(), words(end));
    await page.page.keyboard.press('Home');
    const whole = swept.windows.find((w) => w.from === 0 && w.to === end.to)!;
    assert.equal(await shown.innerText(), words(whole));
    // In the middle of the map's lower left corner stands the first block alone.
    const map = lens.locator('.chart-sweep');
    const { height } = (await map.boundingBox())!;
    await map.click({ position: { x: 78, y: height - 48 - 8 } });
    assert.equal(await shown.innerText(), words(swept.windows[0]!));
    await lens.getByText('Build this average', { exact: true }).click();
    const { from, to } = swept.windows[0]!;
    assert.deepEqual((await jobs(page))[0]!.job, { kind: 'average', run: digits.run.id, from, to });
    await lens.locator('.sweep summary', { hasText: 'Show as table' }).click();
    await lens.getByRole('region', { name: 'Loss of the average' }).waitFor();
    assert.equal(await lens.locator('.sweep table.data tbody tr').count(), swept.windows.length + 1);
  });

  /** The averaging lens with a sweep of the digits in it. */
  async function openSweep() {
    const swept = await sweepFor(digits);
    const page = await keep(HostedPage.open(browser, 'panel'));
    page.notify('showRun', { ...digits, results: [swept, ...digits.results] });
    page.notify('showLens', { lens: 'averaging' });
    const lens = page.page.locator('#lens-averaging');
    await lens.getByText(swept.trust[0]!).waitFor();
    return { swept, page, lens };
  }

  it('panel shows moving averages by a slider over their decays, with accuracy and calibration, and builds one', async () => {
    const { swept, page, lens } = await openSweep();
    const shown = lens.locator('.sweep-side strong');
    const window = await shown.innerText();
    const decay = lens.getByRole('slider', { name: 'Decay' });
    await decay.focus();
    await page.page.keyboard.press('End');
    const slow = [...swept.moving].sort((a, b) => a.decay! - b.decay!).at(-1)!;
    assert.equal(
      await shown.innerText(),
      `Moving average, decay ${slow.decay}, of ${slow.snapshots} snapshots to step ${slow.to}`,
    );
    const told = await lens.locator('.sweep-side dl').innerText();
    for (const what of [/Validation loss/, /Accuracy/, /Calibration/, /Training loss/])
      assert.match(told, what);
    await decay.focus();
    await page.page.keyboard.press('Home');
    assert.equal(await shown.innerText(), window);
    await page.page.keyboard.press('End');
    await lens.getByText('Build this average', { exact: true }).click();
    const moving = { from: slow.from, to: slow.to, ema: slow.decay };
    assert.deepEqual((await jobs(page))[0]!.job, { kind: 'average', run: digits.run.id, ...moving });
  });

  it('panel averages any window, stride and decay that its fields and its slider name', async () => {
    const { page, lens } = await openSweep();
    // From, to, decay.
    for (const [i, value] of ['40', '120', '0.8'].entries()) {
      await lens.locator('.toolbar vscode-text-field').nth(i).click();
      await page.page.keyboard.press('Control+a');
      await page.page.keyboard.type(value);
      await page.page.keyboard.press('Tab');
    }
    // From every snapshot inside to the first and last of them alone.
    const stride = lens.getByRole('slider', { name: 'Every n-th' });
    const inside = digits.snapshots.filter((step) => step >= 40 && step <= 120).length;
    assert.equal(await stride.getAttribute('max'), String(inside - 1));
    await stride.focus();
    await page.page.keyboard.press('End');
    assert.equal(await stride.inputValue(), String(inside - 1));
    await page.page.keyboard.press('Home');
    await page.page.keyboard.press('ArrowRight');
    assert.equal(await stride.getAttribute('aria-valuetext'), '2');
    await lens.getByText('Average snapshots (SWA)', { exact: true }).click();
    const options = { from: 40, to: 120, stride: 2, ema: 0.8 };
    assert.deepEqual((await jobs(page))[0]!.job, { kind: 'average', run: digits.run.id, ...options });
  });

  it('log holds 200,000 steps: only rows in sight are there, events are found and filtered, all by keyboard', async () => {
    const last = digits.steps.at(-1)!;
    const count = 200_000;
    const steps = Array.from({ length: count }, (_, step) => ({ ...last, step, loss: 1 + step }));
    const spike = (step: number) => ({
      kind: 'spike' as const,
      objective: 0,
      step,
      confirmed: step + 2,
      median: 1,
      threshold: 2,
      peak: { step, loss: 9 },
      until: step + 5,
    });
    const edge = { kind: 'edge' as const, objective: 0, step: 777, lambda1: 45, bound: 40 };
    const page = await keep(
      HostedPage.open(browser, 'panel', { handlers: { readSteps: () => packSteps(steps) } }),
    );
    page.notify('showRun', { ...digits, events: [edge, spike(150_000), spike(199_000)] });
    page.notify('showLens', { lens: 'log' });
    const log = page.page.locator('#lens-log .step-log');
    await log.locator('summary').focus();
    await page.page.keyboard.press('Enter');
    const rows = log.locator('tbody tr');
    await rows.first().waitFor();
    assert.ok((await rows.count()) < 60, 'rows out of sight are not in the page');
    const grid = log.getByRole('grid');
    assert.equal(await grid.getAttribute('aria-rowcount'), String(count + 1));
    await grid.focus();
    await page.page.keyboard.press('End');
    const current = log.locator('tr.current');
    const cells = async (): Promise<string[]> => current.locator('td').allInnerTexts();
    assert.equal((await cells())[0], '199,999');
    assert.equal(await current.getAttribute('aria-rowindex'), String(count + 1));
    await page.page.keyboard.press('ArrowUp');
    assert.deepEqual((await cells()).slice(0, 3), ['199,998', formatCell(last.epoch), '200000']);
    // Round the end to the first event, then the next.
    await log.getByRole('button', { name: 'Next event' }).click();
    assert.equal((await cells())[0], '777');
    assert.match((await cells()).at(-1)!, /Edge of stability crossed at step 777/);
    await log.getByRole('button', { name: 'Next event' }).press('Enter');
    assert.equal((await cells())[0], '150,000');
    await log.locator('vscode-dropdown, select').first().focus();
    await page.page.keyboard.press('End');
    await page.page.keyboard.press('ArrowUp');
    await log.getByText('1 steps, 3 events in the run').waitFor();
    assert.deepEqual(await violations(page), []);
    // Work of the page for a jump through the whole table.
    const frame = await page.page.evaluate<number>(`new Promise((done) => {
      const box = document.querySelector('#lens-log .virtual-scroll');
      const start = performance.now();
      box.scrollTop = box.scrollHeight / 2;
      requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - start)));
    })`);
    if (process.env['BASIN_VERBOSE']) console.log(`      ${frame} ms to jump`);
  });

  it('a table behind the chart is reached and opened by keyboard', async () => {
    const page = await keep(HostedPage.open(browser, 'panel'));
    page.notify('showRun', digits);
    const summary = page.page.locator('#lens-contour summary:visible', { hasText: 'Show as table' }).first();
    await summary.focus();
    await page.page.keyboard.press('Enter');
    await page.page.getByRole('region', { name: 'Snapshots on the plane' }).waitFor();
    assert.equal(
      await page.page.locator('#lens-contour table').first().locator('tbody tr').count(),
      contour.trajectory.length,
    );
  });

  it('landscape is accessible, and keeps up with ten updates a second', async () => {
    const page = await keep(HostedPage.open(browser, 'landscape', { width: 300, height: 640 }));
    page.notify('showLandscape', landscape);
    await page.settle();
    assert.deepEqual(await violations(page), []);
    await drawn(page, '.chart-live');
    // Frames that the page manages while the path grows ten times a second.
    const counted = page.page.evaluate<number>(`new Promise((done) => {
      let frames = 0;
      const start = performance.now();
      const tick = () => { frames++; performance.now() - start < 2000 ? requestAnimationFrame(tick) : done(frames / 2); };
      requestAnimationFrame(tick);
    })`);
    for (let k = 1; k <= 20; k++) {
      page.notify('showLandscape', {
        ...landscape,
        run: { ...digits.run, state: 'training' },
        steps: [...digits.steps, { ...digits.steps.at(-1)!, step: 1200 + k }],
        contour: { ...contour, trajectory: contour.trajectory.slice(0, 3 * k) },
      });
      await page.page.waitForTimeout(100);
    }
    await page.page.getByText('step 1,220').waitFor();
    const framesPerSecond = await counted;
    if (process.env['BASIN_VERBOSE']) console.log(`      ${framesPerSecond} frames a second`);
  });

  it('landscape keeps a coarse picture that nobody refines, and says so below it', async () => {
    const page = await keep(HostedPage.open(browser, 'landscape', { width: 300, height: 640 }));
    const message = 'Coarse: training ended before this picture was refined.';
    // Every second point along both axes, as a first pass leaves it.
    const coarse = (row: number, column: number): boolean => row % 2 === 0 && column % 2 === 0;
    const loss = contour.loss.map((losses, i) => losses.map((value, j) => (coarse(i, j) ? value : null)));
    page.notify('showLandscape', { ...landscape, message, contour: { ...contour, loss, complete: false } });
    await drawn(page, '.chart-live');
    const below = page.page.getByText(message);
    await below.waitFor();
    const [chart, words] = await Promise.all([
      page.page.locator('.chart-live').boundingBox(),
      below.boundingBox(),
    ]);
    assert.ok(chart !== null && words !== null && words.y >= chart.y + chart.height);
    assert.deepEqual(await violations(page), []);
  });

  it('landscape shows one of several objectives, with its own bound, and has another one chosen', async () => {
    const own = digits.run.objectives[0]!;
    const optimizer = { name: 'SGD', config: { learningRate: 0.5, momentum: 0.5 } };
    const run = { ...digits.run, objectives: [own, { ...own, name: 'critic', optimizer }] };
    const page = await keep(HostedPage.open(browser, 'landscape', { width: 300, height: 640 }));
    page.notify('showLandscape', landscape);
    const choice = page.page.getByRole('combobox', { name: 'Objective' });
    await page.page.locator('.landscape-head').getByText('step').waitFor();
    assert.equal(await choice.isVisible(), false);
    page.notify('showLandscape', { ...landscape, run });
    await choice.focus();
    await page.page.keyboard.press('ArrowDown');
    await page.page.keyboard.press('Enter');
    await until('the choice', () =>
      Promise.resolve(page.requests.some(({ method }) => method === 'chooseObjective')),
    );
    assert.deepEqual(page.requests.at(-1), { method: 'chooseObjective', params: { objective: 1 } });
    page.notify('showLandscape', { ...landscape, run, objective: 1, contour: null });
    await page.page.getByText('(2+2β)/η').waitFor();
    assert.deepEqual(await violations(page), []);
    await picture(page, 'landscape-objectives');
  });

  it('landscape says what to do when there is no run', async () => {
    const page = await keep(HostedPage.open(browser, 'landscape', { width: 300 }));
    page.notify('showLandscape', { ...landscape, run: null, steps: [], live: [], contour: null });
    await page.page.getByText('Train This File').click();
    await until('the command', () => Promise.resolve(page.requests.at(-1)?.method === 'runCommand'));
    assert.deepEqual(page.requests.at(-1), { method: 'runCommand', params: { command: 'basin.train' } });
  });

  for (const dark of [true, false]) {
    it(`report is self-contained and accessible (${dark ? 'dark' : 'light'})`, async () => {
      const page = await keep(HostedPage.openReport(browser, digits, { dark }));
      await page.settle();
      assert.deepEqual(await violations(page), []);
      await drawn(page, 'figure .chart');
      assert.equal(await page.page.locator('figure canvas').count(), 4);
    });
  }

  it('report has the pictures of everything that was asked', async () => {
    const page = await keep(HostedPage.openReport(browser, asked));
    await page.settle();
    assert.deepEqual(await violations(page), []);
    for (const id of [
      'repeats',
      'plane',
      'layers-heat',
      'autocorrelation',
      'density',
      'noise',
      'stability',
      'flatness',
      'sweep',
      'ensemble-count',
      'soup',
      'scores',
      'point',
      'reliability',
      'margins',
    ]) {
      const chart = page.page.locator(`.chart-${id}`);
      await chart.scrollIntoViewIfNeeded();
      await until(`${id} to be drawn`, async () => (await chart.locator('canvas').count()) === 1);
    }
  });

  it('shows names from a run as text, never as markup', async () => {
    const page = await keep(
      HostedPage.openReport(browser, {
        ...digits,
        run: { ...digits.run, name: '<img src=x onerror=alert(1)>' },
      }),
    );
    assert.equal(await page.page.locator('h1').textContent(), '<img src=x onerror=alert(1)>');
    assert.equal(await page.page.locator('img').count(), 0);
  });
});
