/** Every sentence that people read in VS Code is there in every language, with the same holes, and none is left over. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import ts from 'typescript';
import { calledName, parseAll, placeOf, textsIn, visit } from '../../fixtures/sourceText.ts';

const root = resolve(import.meta.dirname, '../../..');
const json = <T = Record<string, string>>(name: string): T =>
  JSON.parse(readFileSync(join(root, name), 'utf8')) as T;

const LANGUAGES = ['de'];
const manifest = json<Record<string, unknown>>('package.json');
const english = json('package.nls.json');
const sources = [...parseAll(root, 'src/surface'), ...parseAll(root, 'src/extension.ts')];

const sorted = (xs: Iterable<string>): string[] => [...xs].sort();
const all = (pattern: RegExp, text: string): string[] => sorted(text.match(pattern) ?? []);

/** Titles of commands as a text speaks of them: “Basin: Show Log”. */
const titles = (strings: Record<string, string>): string[] =>
  Object.entries(strings)
    .filter(([key]) => key.startsWith('command.') || key.startsWith('debug.snippet.'))
    .map(([, title]) => title.replace(/^Basin: /, ''));

describe('the manifest in other languages', () => {
  it('has no text of its own: each stands in package.nls.json', () => {
    const read = new Set([
      ...['displayName', 'description', 'title', 'label', 'contents', 'category', 'contextualTitle'],
      ...['markdownDescription', 'enumDescriptions', 'markdownEnumDescriptions'],
    ]);
    const wrong: string[] = [];
    const look = (value: unknown, at: string, shown: boolean): void => {
      if (typeof value === 'string') {
        if (shown && !/^%[\w.]+%$/.test(value)) wrong.push(`${at}: ${value}`);
      } else if (Array.isArray(value)) {
        value.forEach((one, k) => look(one, `${at}[${k}]`, shown));
      } else if (typeof value === 'object' && value !== null) {
        for (const [key, one] of Object.entries(value)) {
          // A view and a launch configuration have names that people read; the others are ids.
          const named = key === 'name' && /\.views\.|\.body$/.test(at);
          look(one, `${at}.${key}`, read.has(key) || named);
        }
      }
    };
    look({ ...manifest, scripts: null, keywords: null, categories: null }, '', false);
    assert.deepEqual(wrong, []);
  });

  for (const language of LANGUAGES) {
    it(`is complete in ${language}, with the same links and names of settings`, () => {
      const translated = json(`package.nls.${language}.json`);
      assert.deepEqual(sorted(Object.keys(translated)), sorted(Object.keys(english)));
      for (const [key, text] of Object.entries(english)) {
        const other = translated[key] ?? '';
        assert.ok(other.trim() !== '', key);
        for (const kept of [/\(command:[\w.]+\)/g, /`[^`]+`/g, /λ₁|η/g])
          assert.deepEqual(all(kept, other), all(kept, text), `${key}: ${String(kept)}`);
      }
    });

    it(`has its walkthrough in ${language}, by the name that VS Code looks for`, () => {
      const folder = join(root, 'media/walkthrough');
      for (const file of readdirSync(folder).filter((name) => /^[\w-]+\.md$/.test(name)))
        assert.ok(existsSync(join(folder, file.replace(/\.md$/, `.nls.${language}.md`))), file);
    });

    it(`does not give two commands the same title in ${language}`, () => {
      const translated = json(`package.nls.${language}.json`);
      const of = Object.keys(translated).filter((key) => key.startsWith('command.'));
      assert.equal(new Set(of.map((key) => translated[key])).size, of.length);
    });
  }
});

describe('vscode.l10n', () => {
  const used = new Map</* text */ string, { readonly place: string; readonly values: number }[]>();
  const composed: string[] = [];
  for (const source of sources) {
    visit(source, (node) => {
      if (ts.isCallExpression(node) && calledName(node) === 'vscode.l10n.t') {
        const [text, ...values] = node.arguments;
        const place = placeOf(root, node);
        if (text && ts.isStringLiteralLike(text))
          used.set(text.text, [...(used.get(text.text) ?? []), { place, values: values.length }]);
        else composed.push(place);
      }
      return true;
    });
  }

  it('is asked for whole texts, each with as many values as it has holes', () => {
    assert.deepEqual(composed, []);
    for (const [text, calls] of used) {
      const holes = new Set(text.match(/\{\d+\}/g) ?? []);
      for (const { place, values } of calls) assert.equal(values, holes.size, `${place}: ${text}`);
    }
  });

  it('is asked for many texts', () => {
    assert.ok(used.size > 200, String(used.size));
  });

  for (const language of LANGUAGES) {
    const bundle = json(join(String(manifest.l10n), `bundle.l10n.${language}.json`));

    it(`has every text in ${language}, and none that is asked for no more`, () => {
      assert.deepEqual(sorted(Object.keys(bundle)), sorted(used.keys()));
    });

    it(`has the same holes and marks in ${language}`, () => {
      for (const [text, other] of Object.entries(bundle)) {
        assert.ok(other.trim() !== '', text);
        for (const kept of [/\{\d+\}/g, /\$\([\w-]+\)/g, /`[^`]+`/g, /\bbasin\.\w+/g, /λ\w*₁?|η/g])
          assert.deepEqual(all(kept, other), all(kept, text), `${text}: ${String(kept)}`);
      }
    });

    it(`names commands as the palette does in ${language}`, () => {
      const translated = json(`package.nls.${language}.json`);
      for (const [text, other] of Object.entries(bundle)) {
        for (const strings of [
          { said: text, titles: titles(english), pattern: /Basin: ([A-Z][^.,“”]*)/g },
          { said: other, titles: titles(translated), pattern: /„Basin: ([^“]*)“/g },
        ]) {
          for (const [, name = ''] of strings.said.matchAll(strings.pattern))
            assert.ok(
              strings.titles.some((title) => name.startsWith(title)),
              `${strings.said}: no command ${name}`,
            );
        }
        assert.equal(
          [...other.matchAll(/„Basin: /g)].length,
          [...text.matchAll(/Basin: [A-Z]/g)].length,
          text,
        );
      }
    });
  }

  it('is asked for every sentence: no other text stands where people read', () => {
    /** What is no text of ours, or is for those who mend Basin: scripts that are edited, pages, reports of problems, the log. */
    const files =
      /src\/surface\/(fixes\/.*|issueReport|pageHtml|trainingCalls|pythonCalls|learningRates)\.ts$/;
    const names =
      /^(Basin|TensorFlow\.js|PyTorch|safetensors|train\.(mjs|py)|HTML|html|Cancelled\.| MB|λ₁ ?|basin-.*)$/;
    const skipped = (node: ts.Node): boolean =>
      ts.isCallExpression(node) &&
      (calledName(node) === 'vscode.l10n.t' ||
        /(^|[.#])(log|info|debug|warn|error|join|resolve|test|split|replace|executeCommand)$/.test(
          calledName(node),
        ));
    const wrong: string[] = [];
    for (const source of sources) {
      if (files.test(source.fileName.replaceAll('\\', '/'))) continue;
      for (const { text: whole, node, place } of textsIn(root, source, skipped)) {
        // Icons and the targets of links say nothing to people.
        const text = whole.replaceAll(/\$\([\w~-]+\)|\]\(command:/g, '');
        const word = /\p{L}{2,}/u.test(text);
        const words =
          /\p{L}{2,}[^\p{L}]* [^\p{L}]*\p{L}{2,}/u.test(text) ||
          (!ts.isStringLiteral(node) && / /.test(text));
        if (names.test(text) || !word || (!words && !isShown(node))) continue;
        wrong.push(`${place}: ${text}`);
      }
    }
    assert.deepEqual(wrong, []);
  });
});

/** Whether a text goes where VS Code shows it: into a message, an input, a row, or an error. */
function isShown(node: ts.Node): boolean {
  const shows =
    /show\w+Message|showInputBox|showQuickPick|TreeItem$|BasinError$|MarkdownString$|appendMarkdown|appendText/;
  const properties =
    /^(title|label|description|detail|tooltip|placeHolder|prompt|message|openLabel|saveLabel|text)$/;
  for (let at = node; !ts.isStatement(at); at = at.parent) {
    const { parent } = at;
    if (ts.isPropertyAssignment(parent) && parent.initializer === at)
      return properties.test(parent.name.getText());
    if (ts.isCallExpression(parent) && parent.arguments.some((one) => one === at))
      return shows.test(calledName(parent));
    if (ts.isNewExpression(parent) && parent.arguments?.some((one) => one === at))
      return shows.test(parent.expression.getText()) && parent.arguments[0] !== at;
    if (ts.isBinaryExpression(parent) && parent.operatorToken.kind === ts.SyntaxKind.EqualsToken)
      return ts.isPropertyAccessExpression(parent.left) && properties.test(parent.left.name.text);
    if (ts.isFunctionLike(parent)) return false;
  }
  return false;
}
