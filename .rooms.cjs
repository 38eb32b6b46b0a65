/**
 * The rooms of Basin and what each may import: the one table that the dependency rules and their test are made from.
 * The README shows the same table; if a wall turns out to be wrong, it is moved here and there together.
 */
'use strict';

/**
 * at: the room's folders and files; mayImport: other rooms; vscode, node: whether the room may import the
 * editor's API and Node's own modules; root: a composition root, which nobody imports.
 */
const rooms = {
  protocol: { at: ['src/protocol/'], mayImport: [], node: false },
  probe: { at: ['src/probe/'], mayImport: ['protocol'], node: true },
  runs: { at: ['src/runs/'], mayImport: ['protocol'], node: true },
  analysis: { at: ['src/analysis/'], mayImport: ['protocol'], node: false },
  evaluators: { at: ['src/evaluators/'], mayImport: ['protocol', 'analysis', 'runs'], node: true },
  engine: { at: ['src/engine/'], mayImport: ['protocol', 'runs', 'analysis', 'evaluators'], node: true },
  debugger: { at: ['src/debugger/'], mayImport: ['protocol', 'runs', 'evaluators'], node: true },
  surface: { at: ['src/surface/'], mayImport: ['protocol', 'runs'], node: true, vscode: true },
  extension: {
    at: ['src/extension.ts'],
    mayImport: ['protocol', 'runs', 'analysis', 'evaluators', 'engine', 'surface'],
    node: true,
    vscode: true,
    root: true,
  },
  cli: {
    at: ['src/cli.ts', 'src/cli/'],
    mayImport: ['protocol', 'runs', 'analysis', 'evaluators', 'engine'],
    node: true,
    root: true,
  },
  debugAdapter: {
    at: ['src/debugAdapter.ts'],
    mayImport: ['protocol', 'runs', 'analysis', 'evaluators', 'engine', 'debugger'],
    node: true,
    root: true,
  },
  webview: { at: ['webview/'], mayImport: ['protocol'], node: false },
};

/**
 * dependency-cruiser's rules for the table.
 * @param {string} [base] folder that the paths are relative to, as a prefix: for breaches that are planted elsewhere
 */
function rules(base = '') {
  const at = (room) => {
    const places = room.at.map((place) => place.replaceAll('.', '\\.') + (place.endsWith('/') ? '' : '$'));
    return `^${base}(${places.join('|')})`;
  };
  const everywhere = `^${base}(src|webview)/`;
  const list = [
    {
      name: 'no-cycles',
      comment: 'Files that import each other in a circle.',
      from: { path: everywhere },
      to: { circular: true },
    },
    {
      name: 'resolves',
      comment: 'An import of something that is not there.',
      from: { path: everywhere },
      to: { couldNotResolve: true, pathNot: '^vscode$' },
    },
    {
      name: 'room-known',
      comment: 'A file that is in no room has no walls.',
      from: { path: everywhere, pathNot: Object.values(rooms).map((room) => at(room)) },
      to: {},
    },
    {
      name: 'tests-stay-out',
      comment:
        'What ships imports no tests, and nothing outside of the rooms but the version in package.json.',
      from: { path: everywhere },
      to: {
        path: `^${base}`,
        pathNot: [everywhere, 'node_modules', '^vscode$', `^${base}package\\.json$`],
        dependencyTypesNot: ['core'],
      },
    },
  ];
  for (const [name, room] of Object.entries(rooms)) {
    const allowed = [name, ...room.mayImport].map((other) => at(rooms[other]));
    list.push({
      name: `${name}-imports`,
      comment: `${name} may import ${room.mayImport.join(', ') || 'no other room'}.`,
      from: { path: at(room) },
      to: { path: everywhere, pathNot: allowed },
    });
    if (!room.node) {
      list.push({
        name: `${name}-without-node`,
        comment: `${name} runs outside of Node too.`,
        from: { path: at(room) },
        to: { dependencyTypes: ['core'] },
      });
    }
    if (!room.vscode) {
      list.push({
        name: `${name}-without-vscode`,
        comment: `${name} runs without VS Code.`,
        from: { path: at(room) },
        to: { path: '(^|/)vscode$' },
      });
    }
    if (room.root) {
      list.push({
        name: `${name}-is-a-root`,
        comment: `${name} puts the parts together; nobody imports it.`,
        from: { path: everywhere, pathNot: at(room) },
        to: { path: at(room) },
      });
    }
  }
  return list.map((rule) => ({ severity: 'error', ...rule }));
}

module.exports = { rooms, rules };
