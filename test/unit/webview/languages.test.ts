/** What pages say: in every language the same, in the catalogues alone, and numbers as the language writes them. */
import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import ts from 'typescript';
import { languages, spoken } from '../../../webview/language.ts';
import { numerals } from '../../../webview/numerals.ts';
import { german } from '../../../webview/strings.de.ts';
import { english } from '../../../webview/strings.en.ts';
import { eventSentence, type TrainingEvent } from '../../../src/protocol/trainingEvents.ts';
import { calledName, parseAll, textsIn } from '../../fixtures/sourceText.ts';

const root = resolve(import.meta.dirname, '../../..');
const others = { de: german };

type Leaf = string | ((...values: unknown[]) => unknown);

/** Texts and functions of a catalogue by their path; what a function makes of numbers is looked into as well. */
function leaves(value: unknown, at = ''): [path: string, leaf: Leaf][] {
  if (typeof value === 'string' || typeof value === 'function') return [[at, value as Leaf]];
  return Object.entries(value as object).flatMap(([key, one]) =>
    leaves(one, at === '' ? key : `${at}.${key}`),
  );
}

/** They are given more than numbers and names: held against each other below. */
const special = ['direction', 'log.event', 'facts.replayed', 'spectrum.rank'];

/** Numbers that no catalogue has of its own. */
const marks = [7001, 7002, 7003, 7004, 7005, 7006];
const marksIn = (said: unknown): string[] =>
  [
    ...new Set(
      JSON.stringify(said)
        .replaceAll(/(?<=\d)[,\u202f](?=\d{3})/g, '')
        .match(/700\d/g) ?? [],
    ),
  ].sort();

describe('catalogues of the pages', () => {
  it('there is one for every language that is spoken', () => {
    assert.deepEqual([...languages].sort(), ['en', ...Object.keys(others)].sort());
    assert.equal(spoken('de-AT'), 'de');
    assert.equal(spoken('DE'), 'de');
    assert.equal(spoken('en-GB'), 'en');
    assert.equal(spoken('den'), 'en');
    assert.equal(spoken('fr'), 'en');
    assert.equal(spoken(''), 'en');
  });

  for (const [language, catalogue] of Object.entries(others)) {
    const translated = new Map(leaves(catalogue));
    const texts = leaves(english);

    it(`have the same texts in ${language}, none empty, each with all that is put into it`, () => {
      assert.deepEqual([...translated.keys()].sort(), texts.map(([path]) => path).sort());
      for (const [path, leaf] of texts) {
        const other = translated.get(path);
        if (typeof leaf === 'string') {
          assert.ok(typeof other === 'string' && (other.trim() !== '') === (leaf.trim() !== ''), path);
        } else if (!special.includes(path)) {
          const said = leaf(...marks);
          assert.deepEqual(marksIn((other as typeof leaf)(...marks)), marksIn(said), path);
        }
      }
    });

    it(`are translated to ${language}: hardly a sentence is still the English one`, () => {
      const same = texts.filter(([path, leaf]) => {
        const other = translated.get(path);
        return typeof leaf === 'string' && / \p{L}+ /u.test(leaf) && other === leaf;
      });
      assert.deepEqual(same, []);
    });
  }

  it('tell every event with its numbers in German too', () => {
    const at = { objective: 0, step: 7001 };
    const found = { layer: 'dense', parameter: 'kernel' };
    const events = [
      {
        ...at,
        kind: 'spike',
        confirmed: 1,
        median: 7002,
        threshold: 1,
        peak: { step: 1, loss: 7003 },
        until: 7004,
      },
      ...[
        null,
        { from: 7005, to: 7006, first: null },
        { from: 7005, to: 7005, first: null },
        { from: 7005, to: 7006, first: { ...found, what: 'update', step: 7007, times: 7008 } },
        { from: 6990, to: 7006, first: { ...found, what: 'gradient', step: 6999, times: null } },
      ].map((origin) => ({ ...at, kind: 'spike', median: 7002, peak: { loss: 7003 }, until: 7004, origin })),
      { ...at, kind: 'edge', lambda1: 7002, bound: 7003 },
      { ...at, kind: 'dead-units', ...found, units: 7002, of: 7003 },
      { ...at, kind: 'non-finite', seen: 1, found: null },
      ...(['forward', 'gradient', 'weights'] as const).map((what) => ({
        ...at,
        kind: 'non-finite',
        seen: 1,
        found: { what, first: found, last: found, parameters: 7005, operation: 'log' },
      })),
    ] as unknown as TrainingEvent[];
    const numbers = (said: string): string[] =>
      said.replaceAll(/(\d)[.,](\d)/g, '$1$2').match(/\d{3,}/g) ?? [];
    for (const event of events) {
      const [en, de] = [eventSentence(event), german.log.event(event)];
      assert.deepEqual(numbers(de).sort(), numbers(en).sort(), de);
      assert.notEqual(de, en);
      for (const name of ['dense', 'kernel', 'log']) assert.equal(de.includes(name), en.includes(name), de);
    }
  });

  it('tell how a replay went, and which eigenvalue it is, in German too', () => {
    const replay = { exact: true, passed: 4, checked: 4, worstRelativeError: 0, reason: null };
    const checks = [{ of: 'gradient' as const, passed: 4, checked: 4, worstRelativeError: 2e-7 }];
    assert.equal(
      german.facts.replayed({ ...replay, checks } as never),
      'exakt in 4 von 4 Schritten: Gradient (bis 2e−7)',
    );
    assert.equal(
      german.facts.replayed({ ...replay, exact: false, passed: 0, checked: 1, reason: 'dropout' } as never),
      'nicht exakt: dropout',
    );
    for (const [name, said] of [
      ['principal component 2', 'Hauptkomponente 2'],
      ['eigenvector 1 (λ 12.3), orthogonal to the first', 'Eigenvektor 1 (λ 12.3), orthogonal zur ersten'],
      [
        'random direction 1, filter-normalised, biases included',
        'zufällige Richtung 1, filternormalisiert, mit Biases',
      ],
      ['gradient, layer-normalised', 'Gradient, schichtnormalisiert'],
      ['from 0 to 500', '0 bis 500'],
      ['snapshot 600 to average-1', 'Snapshot 600 bis average-1'],
      ['towards snapshot 120, orthogonal to the first', 'hin zu Snapshot 120, orthogonal zur ersten'],
      ['something of a later version', 'something of a later version'],
    ] as const)
      assert.equal(german.direction(name), said);
    assert.equal(german.spectrum.rank('largest', 1), 'größter');
    assert.equal(german.spectrum.rank('smallest', 2), 'kleinster, 2.');
  });
});

describe('numbers of a language', () => {
  it('are written with its decimal sign, and with groups that no decimal sign can be taken for', () => {
    assert.equal(numerals('en').decimal('-1234.5e-7'), '-1234.5e-7');
    assert.equal(numerals('de').decimal('-1234.5e-7'), '-1234,5e-7');
    assert.equal(numerals('en').count(1234567), '1,234,567');
    assert.equal(numerals('de').count(1234567), '1\u202f234\u202f567');
    assert.equal(numerals('de').count(999), '999');
  });

  it('are read as people type them there, and as code writes them', () => {
    const { parse } = numerals('de');
    assert.equal(parse(' 0,5 '), 0.5);
    assert.equal(parse('0.5'), 0.5);
    assert.equal(parse('-1,5e-3'), -0.0015);
    assert.ok(Number.isNaN(parse('')));
    assert.ok(Number.isNaN(parse('1,2,3')));
    assert.ok(Number.isNaN(numerals('en').parse('0,5')));
  });
});

describe('the code of the pages', () => {
  /** What stands in both languages, or is no word: names of formats, frameworks and the product itself. */
  const names =
    /^(PNG|SVG|CSV|JSON|HTML|Basin|TensorFlow\.js|PyTorch|NaN|ms|min|Nesterov|px|min |x|y| · Basin|Basin |y \\ x|Cancelled\.|basin|t = |analyses\/|\.json|λmax|λmin|options |\(prefers-.*\))$/;
  /** Attributes and properties that people read or hear. */
  const read =
    /^['"]?(aria-label|aria-description|title|alt|placeholder|label|caption|text|description|summary|message)['"]?$/;
  /** Functions that show some of their arguments: from which on, and up to which. */
  const shows: Readonly<Record<string, readonly [from: number, to: number]>> = {
    h: [2, Infinity],
    setText: [1, 2],
    fill: [1, Infinity],
    button: [0, 1],
    dropdown: [0, 1],
    numberField: [0, 1],
    checkbox: [0, 1],
    emptyElement: [0, 2],
    tip: [0, Infinity],
    link: [0, 1],
    section: [0, Infinity],
    sparkline: [0, 1],
    xAxis: [2, 3],
    yAxis: [1, 2],
    level: [1, 2],
    curve: [1, 2],
    dots: [1, 2],
    guide: [1, 2],
    upright: [1, 2],
  };

  it('has no words of its own: each stands in the catalogues', () => {
    const wrong: string[] = [];
    for (const source of parseAll(root, 'webview')) {
      if (/strings\.\w+\.ts$/.test(source.fileName)) continue;
      for (const { text, node, place } of textsIn(root, source, silent)) {
        if (!/\p{L}{2,}/u.test(text) || names.test(text)) continue;
        // A piece of a template beside a hole, or several words: nothing else is written so.
        const sentence = ts.isStringLiteral(node)
          ? /\p{L}{2,}[,;:.]? +[\p{L}‖|]{2,}/u.test(text)
          : /(^| )\p{L}{2,}( |$)/u.test(text) && / /.test(text);
        if (sentence || isShown(node)) wrong.push(`${place}: ${text}`);
      }
    }
    assert.deepEqual(wrong, []);
  });

  /** Code whose texts are for machines: styles, selectors, policies, and the headers of CSV files. */
  function silent(node: ts.Node): boolean {
    if (ts.isPropertyAssignment(node))
      return /^(class|id|style|content|fill|stroke|color|shadowColor|halo|isoline|fontFamily|'http-equiv')$/.test(
        node.name.getText(),
      );
    if (ts.isVariableDeclaration(node)) return /^(STYLE|policy)$/.test(node.name.getText());
    if (!ts.isCallExpression(node)) return false;
    return /^csv$|(^|\.)(querySelector|querySelectorAll|matches|pick|matchMedia|watch|getExtension|setProperty)$/.test(
      calledName(node),
    );
  }

  function isShown(node: ts.Node): boolean {
    for (let at = node; !ts.isSourceFile(at); at = at.parent) {
      const { parent } = at;
      if (ts.isPropertyAssignment(parent) && parent.initializer === at) {
        if (read.test(parent.name.getText())) return true;
        if (parent.name.getText() !== 'columns' && parent.name.getText() !== 'rows') return false;
        return true;
      }
      if (ts.isCallExpression(parent) && parent.expression !== at) {
        const [from, to] = shows[calledName(parent).replace(/^.*\./, '')] ?? [0, 0];
        const place = parent.arguments.findIndex((one) => one === at);
        return place >= from && place < to;
      }
      if (ts.isBinaryExpression(parent) && parent.operatorToken.kind === ts.SyntaxKind.EqualsToken)
        return (
          parent.right === at && /\.(textContent|title|innerText|ariaLabel)$/.test(parent.left.getText())
        );
      if (ts.isFunctionLike(parent) || ts.isBlock(parent) || ts.isPropertyAccessExpression(parent))
        return false;
    }
    return false;
  }
});
