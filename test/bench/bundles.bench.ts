/** What is shipped, in kB: the host's bundle, and what the page loads before a surface is asked for. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { report, root } from './measure.ts';

const dist = join(root, 'dist');
const kilobytes = (file: string): number => statSync(join(dist, file)).size / 1000;

/** A page's script with every chunk that it imports statically, which is what the page waits for. */
function atOnce(entry: string, seen = new Set<string>()): Set<string> {
  if (seen.has(entry)) return seen;
  seen.add(entry);
  const text = readFileSync(join(dist, entry), 'utf8');
  for (const [, specifier] of text.matchAll(/(?:from|import)\s*"\.\/([\w-]+\.js)"/g)) {
    if (specifier !== undefined) atOnce(`webview/${specifier}`, seen);
  }
  return seen;
}
const sum = (files: Iterable<string>): number => [...files].reduce((s, file) => s + kilobytes(file), 0);

console.log('Bundles in kB:');
report('extension host', kilobytes('extension.cjs'), { atMost: 400 });
for (const name of ['engine.cjs', 'probe-tfjs.cjs', 'cli.cjs']) report(name, kilobytes(name), {});
const panel = atOnce('webview/panel.js');
report('panel, loaded at once', sum(panel), {});
report('sidebar, loaded at once', sum(atOnce('webview/landscape.js')), {});
const later = readdirSync(join(dist, 'webview'))
  .filter((file) => file.endsWith('.js') && !['report.js', 'landscape.js'].includes(file))
  .map((file) => `webview/${file}`)
  .filter((file) => !panel.has(file));
report('panel, loaded with the first surface (3-D)', sum(later), {});
