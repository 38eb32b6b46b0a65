/** The walls between the rooms, made from the table in .rooms.cjs. */
const { rules } = require('./.rooms.cjs');

module.exports = {
  forbidden: rules(),
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'types', 'node', 'default'],
    },
  },
};
