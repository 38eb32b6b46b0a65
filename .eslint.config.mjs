import js from '@eslint/js';
import globals from 'globals';
import ts from 'typescript-eslint';

export default ts.config(
  { ignores: ['dist/', 'out/', 'node_modules/', '.basin/', '**/.basin/', 'src/probe/torch/'] },
  js.configs.recommended,
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  {
    files: ['**/*.{js,cjs,mjs,ts}'],
    rules: { eqeqeq: ['error', 'always', { null: 'ignore' }], 'no-else-return': 'error' },
  },
  {
    files: ['**/*.ts'],
    extends: [ts.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/consistent-type-imports': ['error', { disallowTypeAnnotations: false }],
      '@typescript-eslint/no-deprecated': 'error',
      '@typescript-eslint/no-dynamic-delete': 'error',
      // A union such as `string | 'combine'` documents the words that are meant.
      '@typescript-eslint/no-redundant-type-constituents': 'off',
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/no-unnecessary-condition': ['error', { allowConstantLoopConditions: true }],
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true },
      ],
      '@typescript-eslint/return-await': ['error', 'in-try-catch'],
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      // `null` from a codec and a number that says "unknown" read well in a template; objects still don't.
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
    },
  },
  // Wrapping methods of prototypes is the probe's trade.
  {
    files: ['src/probe/**/*.ts', 'test/unit/probe*/**/*.ts'],
    rules: { '@typescript-eslint/unbound-method': 'off' },
  },
  // What runs on both sides of the house must not print; people read the CLI's output and the extension's log channel.
  { files: ['src/**/*.ts', 'webview/**/*.ts'], ignores: ['src/cli.ts'], rules: { 'no-console': 'error' } },
  {
    files: ['webview/**/*.ts'],
    languageOptions: { globals: globals.browser },
    // ECharts' option types carry, on fields that are in use, notes that are meant for an older place of the same name.
    rules: { '@typescript-eslint/no-deprecated': 'off' },
  },
  {
    files: ['**/*.cjs', 'test/harness/vscode/*.js'],
    languageOptions: { sourceType: 'commonjs', globals: globals.node },
  },
  { files: ['**/*.mjs'], languageOptions: { globals: globals.node } },
  {
    files: ['test/**/*.ts'],
    rules: {
      // Assertions look into parsed JSON and recorded messages, and ask what the types already promise.
      '@typescript-eslint/no-unnecessary-condition': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      // node:test-like hooks: mocha waits for what they return.
      '@typescript-eslint/no-unused-expressions': 'off',
    },
  },
  // Training scripts as users write them: only what any script is held to.
  { files: ['test/fixtures/scripts/**'], extends: [ts.configs.disableTypeChecked] },
);
