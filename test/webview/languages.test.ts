/** The pages in German: every word of it, and room for words that are longer. Pictures go to out/screenshots/de-*. */
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Browser } from 'playwright-core';
import type { RunView } from '../../src/protocol/page.ts';
import { german } from '../../webview/strings.de.ts';
import { english } from '../../webview/strings.en.ts';
import { resultsOf } from '../../webview/panelState.ts';
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

const pictures = resolve(import.meta.dirname, '../../out/screenshots');

/** Every text of a catalogue that is no function. */
function texts(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(texts) : [];
}
const alike = new Set(texts(german));
const onlyEnglish = new Set(texts(english).filter((text) => text.length > 2 && !alike.has(text)));
/** Words that no German sentence has, beside names that the engine gave and words of the trade. */
const words = /\b(the|of|and|with|from|is|are|not|steps?|samples of|loss on|layers|members|of variance)\b/;

/** What stands in the run's own files: its notes, the names of what was built, the files of results. */
const ownWords = ({ run, models, results }: RunView): string[] => [
  JSON.stringify([run, models]),
  ...results.map(({ id }) => `analyses/${id}.json`),
];

/** What is drawn on canvases, by every chart from the beginning on, and where in the latest picture of each. */
const recorder = `{
  globalThis.drawnTexts = new Set();
  globalThis.drawnBoxes = new Map();
  const { fillText, clearRect } = CanvasRenderingContext2D.prototype;
  CanvasRenderingContext2D.prototype.clearRect = function (x, y, width, height) {
    if (width >= this.canvas.width && height >= this.canvas.height) globalThis.drawnBoxes.delete(this.canvas);
    return clearRect.call(this, x, y, width, height);
  };
  CanvasRenderingContext2D.prototype.fillText = function (text, x, y, ...rest) {
    globalThis.drawnTexts.add(String(text));
    const m = this.measureText(text);
    const at = this.getTransform();
    const corners = [-m.actualBoundingBoxLeft, m.actualBoundingBoxRight].flatMap((dx) =>
      [-m.actualBoundingBoxAscent, m.actualBoundingBoxDescent].map((dy) => at.transformPoint({ x: x + dx, y: y + dy })));
    const xs = corners.map((c) => c.x);
    const ys = corners.map((c) => c.y);
    const box = { text: String(text), left: Math.min(...xs), right: Math.max(...xs), top: Math.min(...ys), bottom: Math.max(...ys) };
    if (this.canvas.isConnected) globalThis.drawnBoxes.set(this.canvas, [...(globalThis.drawnBoxes.get(this.canvas) ?? []), box]);
    return fillText.call(this, text, x, y, ...rest);
  };
}`;

/** What can be read or heard on the page, but for what says itself that it is English, commands and the run's own words. */
const saidOnPage = `[...(function* () {
  yield* globalThis.drawnTexts;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    if (node instanceof Element) {
      for (const name of ['aria-label', 'title', 'alt', 'placeholder'])
        if (node.hasAttribute(name) && !node.closest('[lang=en]')) yield node.getAttribute(name);
    } else if (!node.parentElement.closest('[lang=en], code, script, style')) yield node.textContent;
  }
})()].map((text) => text.trim()).filter(Boolean)`;

/** Labels that are cut off, and controls that lie over each other. */
const crowded = `[...(function* () {
  const found = [];
  const seen = (one) => one.checkVisibility?.({ checkVisibilityCSS: true }) ?? one.offsetParent !== null;
  for (const one of document.body.querySelectorAll('*')) {
    const text = [...one.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim() !== '');
    const scrolls = one.closest('.table-scroll, .data.rows, .visually-hidden, svg');
    if (text && !scrolls && one.clientWidth > 0 && seen(one) && one.scrollWidth > one.clientWidth + 1)
      yield 'cut off: ' + one.textContent;
  }
  for (const row of document.querySelectorAll('.toolbar, .fields, .actions, .export, .head, .slider, .scrubber, .field, [role=tablist]')) {
    const children = [...row.children].filter(seen).map((one) => [one, one.getBoundingClientRect()]);
    for (const [one, a] of children) {
      if (a.right > document.documentElement.clientWidth + 1) yield 'outside: ' + one.textContent;
      for (const [other, b] of children)
        if (one !== other && a.width > 0 && b.width > 0 && a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1)
          yield 'over each other: ' + one.textContent + ' | ' + other.textContent;
    }
  }
  for (const [canvas, boxes] of globalThis.drawnBoxes ?? []) {
    // Labels within a contour go where the contour leaves them room.
    if (!canvas.isConnected || canvas.offsetParent === null || canvas.closest('.chart-contour, .chart-side, .chart-live')) continue;
    boxes.forEach((a, k) => {
      if (a.text.trim() === '') return;
      if (a.left < -1 || a.right > canvas.width + 1 || a.top < -1 || a.bottom > canvas.height + 1) found.push('outside of its chart: ' + a.text);
      for (const b of boxes.slice(k + 1))
        if (a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1)
          found.push('drawn over each other: ' + a.text + ' | ' + b.text);
    });
  }
  yield* found;
  if (document.documentElement.scrollWidth > document.documentElement.clientWidth + 1) yield 'wider than the window';
})()]`;

describe('pages in German', function () {
  this.timeout(120_000);
  let browser: Browser;
  let page: HostedPage | undefined;
  before(async () => {
    mkdirSync(pictures, { recursive: true });
    browser = await launchBrowser();
  });
  after(async () => browser.close());
  afterEach(async () => {
    const problems = page?.problems ?? [];
    await page?.close();
    page = undefined;
    assert.deepEqual(problems, []);
  });

  /** English that is left on the page. Commands, scripts and notes of the run are the run's own. */
  async function leftOver(own: readonly string[]): Promise<string[]> {
    const said = await page!.page.evaluate<string[]>(saidOnPage);
    return [...new Set(said)].filter(
      (text) => (onlyEnglish.has(text) || words.test(text)) && !own.some((one) => one.includes(text)),
    );
  }

  for (const theme of ['dark', 'light'] as const) {
    for (const [name, view] of [
      ['digits', digits],
      ['asked', { ...asked, noise: liveNoise }],
    ] as const) {
      for (const width of [1100, 520]) {
        it(`panel: every lens (${name}, ${theme}, ${width} px)`, async () => {
          page = await HostedPage.open(browser, 'panel', {
            theme,
            width,
            language: 'de-AT',
            initScript: recorder,
          });
          page.notify('showRun', view);
          assert.equal(await page.page.evaluate('document.documentElement.lang'), 'de');
          for (const lens of lenses) {
            page.notify('showLens', { lens });
            await page.settle();
            await until(`${lens} to be drawn`, async () =>
              page!.page.evaluate<boolean>(
                `[...document.querySelectorAll('#lens-${lens} [role=img]')].every((one) => one.offsetParent === null || one.hasAttribute('aria-label'))`,
              ),
            );
            await page.page.evaluate(
              `document.querySelectorAll('#lens-${lens} details').forEach((one) => (one.open = true))`,
            );
            await page.settle();
            const own = ownWords(view);
            assert.deepEqual(await leftOver(own), [], lens);
            assert.deepEqual(await page.page.evaluate(crowded), [], lens);
            await page.page.evaluate(
              `document.querySelectorAll('#lens-${lens} details').forEach((one) => (one.open = false))`,
            );
            await page.settle();
            await page.page.screenshot({
              path: resolve(pictures, `de-${name}-${lens}-${theme}-${width}.png`),
              fullPage: true,
            });
          }
        });
      }
    }
  }

  it('panel is accessible, and a field takes a comma', async () => {
    page = await HostedPage.open(browser, 'panel', { language: 'de' });
    page.notify('showRun', digits);
    await page.settle();
    assert.deepEqual(await violations(page), []);
    const x = page.page.locator('#lens-contour .picked vscode-text-field').first();
    await x.click();
    await page.page.keyboard.press('Control+a');
    await page.page.keyboard.type('0,25');
    await page.page.keyboard.press('Tab');
    await page.page.getByText('nächster Snapshot').waitFor();
    assert.equal(await x.evaluate((one) => (one as HTMLInputElement).value), '0,25');
  });

  it('empty lenses say in German what they will show', async () => {
    page = await HostedPage.open(browser, 'panel', { language: 'de', initScript: recorder });
    page.notify('showRun', { ...digits, results: [], models: [], snapshots: [], steps: [], live: [] });
    for (const lens of lenses) {
      page.notify('showLens', { lens });
      await page.settle();
      assert.deepEqual(await leftOver([JSON.stringify(digits.run)]), [], lens);
    }
  });

  for (const theme of ['dark', 'light'] as const) {
    it(`landscape (${theme})`, async () => {
      page = await HostedPage.open(browser, 'landscape', {
        theme,
        width: 300,
        height: 640,
        language: 'de',
        initScript: recorder,
      });
      const [contour] = resultsOf(digits, 'contour');
      const plain = { objective: 0, message: null, progress: null, error: null };
      const { run, steps, live } = digits;
      page.notify('showLandscape', { run, steps, live, contour: contour!, ...plain });
      await page.page.getByText('Loss-Kontur zeigen').waitFor();
      await page.page.getByText('Schritt').first().waitFor();
      await page.settle();
      assert.deepEqual(await leftOver([]), []);
      assert.deepEqual(await page.page.evaluate(crowded), []);
      await page.page.screenshot({ path: resolve(pictures, `de-landscape-${theme}.png`) });
      page.notify('showLandscape', { run: null, steps: [], live: [], contour: null, ...plain });
      await page.page.getByText('Diese Datei trainieren').waitFor();
    });

    it(`report (${theme})`, async () => {
      page = await HostedPage.openReport(browser, asked, { dark: theme === 'dark', language: 'de' });
      await page.settle();
      assert.equal(await page.page.evaluate('document.documentElement.lang'), 'de');
      await page.page.evaluate('globalThis.drawnTexts = []');
      assert.deepEqual(await leftOver(ownWords(asked)), []);
      assert.deepEqual(await page.page.evaluate(crowded), []);
      await page.page.screenshot({ path: resolve(pictures, `de-report-${theme}.png`), fullPage: true });
    });
  }

  it('speaks English where the editor’s language is not spoken, and says so', async () => {
    page = await HostedPage.open(browser, 'panel', { language: 'fr' });
    page.notify('showRun', digits);
    await page.page.getByRole('tab', { name: english.lenses.averaging }).waitFor();
    assert.equal(await page.page.evaluate('document.documentElement.lang'), 'en');
  });
});
