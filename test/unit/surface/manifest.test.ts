import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import * as ids from '../../../src/surface/ids.ts';

const root = new URL('../../../', import.meta.url);
const json = (name: string) => JSON.parse(readFileSync(new URL(name, root), 'utf8')) as unknown;

interface Menu {
  command: string;
  when?: string;
}
interface Manifest {
  description: string;
  icon: string;
  main: string;
  activationEvents: string[];
  capabilities: { untrustedWorkspaces: { supported: string; restrictedConfigurations: string[] } };
  contributes: {
    commands: { command: string; title: string; category: string; enablement?: string; icon?: string }[];
    views: Record<string, { id: string; type?: string }[]>;
    viewsContainers: { activitybar: { id: string; icon: string }[] };
    viewsWelcome: { view: string; contents: string }[];
    menus: Record<string, Menu[]>;
    configuration: { properties: Record<string, { default: unknown; type: string; enum?: string[] }> };
    taskDefinitions: { type: string }[];
    debuggers: { type: string }[];
    walkthroughs: { id: string; steps: { media: { markdown: string } }[] }[];
  };
}
const manifest = json('package.json') as Manifest;
const strings = json('package.nls.json') as Record<string, string>;
const text = readFileSync(new URL('package.json', root), 'utf8');
const sorted = (xs: Iterable<string>) => [...xs].sort();

describe('manifest and ids', () => {
  it('declare the same commands, each in the one category', () => {
    const declared = manifest.contributes.commands;
    assert.deepEqual(sorted(declared.map((c) => c.command)), sorted(Object.values(ids.commands)));
    for (const c of declared) assert.equal(c.category, '%category%', c.command);
  });

  it('declare the same views', () => {
    const declared = manifest.contributes.views[ids.views.container]?.map((v) => v.id) ?? [];
    assert.deepEqual(sorted(declared), sorted([ids.views.runs, ids.views.landscape]));
    assert.deepEqual(
      manifest.contributes.viewsContainers.activitybar.map((c) => c.id),
      [ids.views.container],
    );
    for (const w of manifest.contributes.viewsWelcome) assert.equal(w.view, ids.views.runs);
  });

  it('declare the same settings', () => {
    assert.deepEqual(
      sorted(Object.keys(manifest.contributes.configuration.properties)),
      sorted(Object.values(ids.settings)),
    );
  });

  it('agree on task, panel and walkthrough', () => {
    assert.deepEqual(
      manifest.contributes.taskDefinitions.map((t) => t.type),
      [ids.TASK_TYPE],
    );
    assert.deepEqual(
      manifest.contributes.debuggers.map((d) => d.type),
      [ids.DEBUG_TYPE],
    );
    assert.ok(manifest.activationEvents.includes(`onDebugResolve:${ids.DEBUG_TYPE}`));
    assert.ok(manifest.activationEvents.includes(`onWebviewPanel:${ids.PANEL_TYPE}`));
    assert.deepEqual(
      manifest.contributes.walkthroughs.map((w) => w.id),
      [ids.WALKTHROUGH],
    );
  });

  it('activate for the languages that the providers serve, and never for everything', () => {
    assert.ok(!manifest.activationEvents.some((e) => e === '*' || e === 'onStartupFinished'));
    for (const language of ids.languages)
      assert.ok(manifest.activationEvents.includes(`onLanguage:${language}`));
  });

  it('use only commands, context keys and view items that exist', () => {
    const known = new Set<string>([...Object.values(ids.commands)]);
    for (const [place, menu] of Object.entries(manifest.contributes.menus)) {
      for (const entry of menu) assert.ok(known.has(entry.command), `${place}: ${entry.command}`);
    }
    const words = new Set<string>([
      ...Object.values(ids.contextKeys),
      ...Object.values(ids.views),
      ...Object.values(ids.settings),
      ...Object.values(ids.commands),
      ids.PANEL_TYPE,
      ids.WALKTHROUGH,
    ]);
    const clauses = [
      ...Object.values(manifest.contributes.menus).flatMap((m) => m.map((e) => e.when ?? '')),
      ...manifest.contributes.commands.map((c) => c.enablement ?? ''),
      ...manifest.activationEvents,
      JSON.stringify(manifest.contributes.walkthroughs),
      ...Object.values(strings),
    ];
    for (const clause of clauses) {
      for (const [word] of clause.matchAll(/\bbasin\.[A-Za-z]\w*/g))
        assert.ok(words.has(word), `${word} in ${clause}`);
    }
    const items = new Set<string>([...Object.values(ids.treeItems), 'run held']);
    for (const clause of clauses) {
      for (const m of clause.matchAll(/viewItem == "?([\w ]+?)"?(?: |$)/g))
        assert.ok(items.has(m[1] ?? ''), clause);
    }
  });

  it('keep everything that runs code of the workspace behind trust', () => {
    const untrusted = manifest.capabilities.untrustedWorkspaces;
    assert.equal(untrusted.supported, 'limited');
    for (const setting of [ids.settings.nodePath, ids.settings.relaunch]) {
      assert.ok(untrusted.restrictedConfigurations.includes(setting));
    }
    const running: string[] = [
      ids.commands.train,
      ids.commands.debug,
      ids.commands.showContour,
      ids.commands.average,
      ids.commands.ensemble,
      ids.commands.sharpness,
      ids.commands.score,
      ids.commands.exportModel,
    ];
    for (const c of manifest.contributes.commands) {
      if (running.includes(c.command)) assert.match(c.enablement ?? '', /isWorkspaceTrusted/, c.command);
    }
  });

  it('have a string for every key and a key for every string', () => {
    const used = new Set([...text.matchAll(/"%([\w.]+)%"/g)].map((m) => m[1] ?? ''));
    assert.deepEqual(sorted(used), sorted(Object.keys(strings)));
    for (const [key, value] of Object.entries(strings)) assert.ok(value.trim().length > 0, key);
  });

  it('name files that exist', () => {
    for (const file of [
      manifest.icon,
      ...manifest.contributes.viewsContainers.activitybar.map((c) => c.icon),
      ...manifest.contributes.walkthroughs.flatMap((w) => w.steps.map((s) => s.media.markdown)),
    ]) {
      assert.ok(existsSync(new URL(file, root)), file);
    }
  });
});
