/**
 * The walls between the rooms bite: a rule that matches nothing looks exactly like a rule that is kept. Plants every
 * import that the table forbids, and every one that it allows, and holds the rules against both.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { cruise, type IFlattenedRuleSet, type IViolation } from 'dependency-cruiser';

interface Room {
  readonly at: readonly string[];
  readonly mayImport: readonly string[];
  readonly node: boolean;
  readonly vscode?: boolean;
  readonly root?: boolean;
}
type Rule = NonNullable<IFlattenedRuleSet['forbidden']>[number];
const require = createRequire(import.meta.url);
const { rooms, rules } = require('../../.rooms.cjs') as {
  rooms: Readonly<Record<string, Room>>;
  rules: (base?: string) => Rule[];
};

const repository = resolve(import.meta.dirname, '../..');
/** The folder of a room, or the file that it starts from. */
const place = (room: Room): string => (room.at[0] ?? '').replace(/\/$/, '');
const isFile = (room: Room): boolean => place(room).endsWith('.ts');

describe('walls between the rooms', function () {
  this.timeout(120_000);
  const base = `out/walls-${process.pid}`;
  const planted = new Map</* file */ string, string>();
  let violations: readonly IViolation[] = [];

  const plant = (file: string, text: string): string => {
    planted.set(file, (planted.get(file) ?? '') + text);
    return file;
  };
  const broken = (file: string, rule: string): boolean =>
    violations.some((v) => v.from === `${base}/${file}` && v.rule.name === rule);

  /** A file of the room that imports something: the room's only file where it is one. */
  const importer = (room: Room, name: string): string =>
    isFile(room) ? place(room) : `${place(room)}/${name}.ts`;
  const target = (room: Room): string => (isFile(room) ? place(room) : `${place(room)}/item.ts`);

  before(async () => {
    for (const room of Object.values(rooms)) plant(target(room), 'export const item = 1;\n');
    for (const [name, room] of Object.entries(rooms)) {
      for (const [other, to] of Object.entries(rooms)) {
        if (other === name) continue;
        plant(importer(room, `imports-${other}`), `export * as ${other} from '/${target(to)}';\n`);
      }
      plant(importer(room, 'imports-node'), `export * as fs from 'node:fs';\n`);
      plant(importer(room, 'imports-vscode'), `export type { Uri } from 'vscode';\n`);
    }
    plant('src/protocol/circle-a.ts', `import './circle-b.ts';\n`);
    plant('src/protocol/circle-b.ts', `import './circle-a.ts';\n`);
    plant('src/protocol/unresolved.ts', `import './nowhere.ts';\n`);
    plant('src/attic/no-room.ts', `import '../protocol/item.ts';\n`);
    plant('test/item.ts', 'export const item = 1;\n');
    plant('src/protocol/imports-test.ts', `import '../../test/item.ts';\n`);

    for (const [file, text] of planted) {
      const path = join(repository, base, file);
      mkdirSync(dirname(path), { recursive: true });
      const up = '../'.repeat(file.split('/').length - 1);
      writeFileSync(path, text.replaceAll(`'/`, `'./${up}`));
    }
    const { output } = await cruise(
      [`${base}/src`, `${base}/webview`],
      {
        ruleSet: { forbidden: rules(`${base}/`) },
        validate: true,
        tsPreCompilationDeps: true,
        doNotFollow: { path: 'node_modules' },
        baseDir: repository,
      },
      { extensions: ['.ts'] },
    );
    assert.ok(typeof output !== 'string');
    violations = output.summary.violations;
  });
  after(() => {
    rmSync(join(repository, base), { recursive: true, force: true });
  });

  for (const [name, room] of Object.entries(rooms)) {
    it(`${name} imports ${room.mayImport.join(', ') || 'no other room'}, and nothing else of ours`, () => {
      for (const [other, to] of Object.entries(rooms)) {
        if (other === name) continue;
        const file = importer(room, `imports-${other}`);
        const crossed = violations.some(
          (v) =>
            v.from === `${base}/${file}` &&
            v.to === `${base}/${target(to)}` &&
            v.rule.name === `${name}-imports`,
        );
        assert.equal(crossed, !room.mayImport.includes(other), `${name} → ${other}`);
      }
    });
    it(`${name} ${room.node ? 'may' : 'may not'} import Node's modules, ${room.vscode ? 'may' : 'may not'} import vscode`, () => {
      assert.equal(broken(importer(room, 'imports-node'), `${name}-without-node`), !room.node);
      assert.equal(broken(importer(room, 'imports-vscode'), `${name}-without-vscode`), !room.vscode);
    });
    if (room.root) {
      it(`nobody imports ${name}`, () => {
        for (const [other, from] of Object.entries(rooms)) {
          if (other === name) continue;
          assert.ok(broken(importer(from, `imports-${name}`), `${name}-is-a-root`), `${other} → ${name}`);
        }
      });
    }
  }

  it('circles, missing files, files outside of the rooms and imports of tests are refused', () => {
    assert.ok(broken('src/protocol/circle-a.ts', 'no-cycles'));
    assert.ok(broken('src/protocol/unresolved.ts', 'resolves'));
    assert.ok(broken('src/attic/no-room.ts', 'room-known'));
    assert.ok(broken('src/protocol/imports-test.ts', 'tests-stay-out'));
  });

  it('the table in the README is the table that is kept', () => {
    const rows = readFileSync(join(repository, 'README.md'), 'utf8').matchAll(
      /^\| (`(?:src|webview)[^|]*) \|.*\| ([^|]+) \|$/gm,
    );
    const stated = new Map<string, string>();
    for (const [, places, imports] of rows) {
      for (const [, path] of (places ?? '').matchAll(/`([^`]+)`/g))
        stated.set(path ?? '', imports?.trim() ?? '');
    }
    for (const [name, room] of Object.entries(rooms)) {
      const imports = [...stated].find(([path]) => path.startsWith(place(room)))?.[1];
      const kept = room.root ? 'all' : room.mayImport.join(', ') || 'nothing';
      assert.equal(
        imports?.split(', ').sort().join(),
        kept.split(', ').sort().join(),
        `the README on ${name}`,
      );
    }
  });

  it('every rule has been broken by a planted import', () => {
    const hit = new Set(violations.map((v) => v.rule.name));
    assert.deepEqual(
      rules()
        .map((rule) => rule.name ?? '')
        .filter((name) => !hit.has(name)),
      [],
    );
  });
});
