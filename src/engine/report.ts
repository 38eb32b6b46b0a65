/** One self-contained HTML file: the page's own code and a run's data, nothing fetched from anywhere. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { BasinError } from '../protocol/errors.ts';
import type { RunView } from '../protocol/page.ts';
import { writeAtomically } from '../runs/files.ts';

/** Where the page finds the RunView, as JSON. */
export const REPORT_DATA_ID = 'basin-run';

/**
 * @param pageFolder dist/webview, with report.js and, when the page has styles of its own, report.css
 * @param language tag of the language that the page is to speak
 * @throws BasinError `internal` when the page is not built
 */
export async function writeReport(
  view: RunView,
  pageFolder: string,
  file: string,
  language?: string,
): Promise<void> {
  const script = path.join(pageFolder, 'report.js');
  if (!existsSync(script)) {
    throw new BasinError('internal', `The report's page is missing: ${script}.`, 'Run `npm run build`.');
  }
  const style = path.join(pageFolder, 'report.css');
  const css = existsSync(style) ? await readFile(style, 'utf8') : '';
  try {
    await writeAtomically(file, renderReport(view, await readFile(script, 'utf8'), css, language));
  } catch (error) {
    throw new BasinError(
      'bad-input',
      `Cannot write ${file}: ${(error as Error).message}.`,
      'Name another file.',
    );
  }
}

/** The policy lets the inlined code and styles run and forbids every connection. */
export function renderReport(view: RunView, script: string, css: string, language = 'en'): string {
  const policy =
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; font-src data:";
  return `<!doctype html>
<html lang="${escapeText(language)}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeText(`${view.run.name}: Basin report`)}</title>
<style>${css.replaceAll(/<\/(style)/gi, '<\\/$1')}</style>
</head>
<body class="basin-report">
<div id="root"></div>
<script type="application/json" id="${REPORT_DATA_ID}">${jsonForScript(view)}</script>
<script>${codeForScript(script)}</script>
</body>
</html>
`;
}

/** JSON in which nothing can end the element around it or open a comment. */
export function jsonForScript(value: unknown): string {
  return JSON.stringify(value)
    .replaceAll('<', '\\u003c')
    .replaceAll('\u2028', '\\u2028')
    .replaceAll('\u2029', '\\u2029');
}

/** Inside strings, templates and expressions `<\/script` means what `</script` does, but does not end the element. */
function codeForScript(script: string): string {
  return script.replaceAll(/<\/(script)/gi, '<\\/$1').replaceAll('<!--', '<\\!--');
}

function escapeText(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
