/**
 * Bundles everything that ships into dist/.
 *
 *   node esbuild.config.mjs [--production] [--watch]
 *
 * dist/extension.cjs   the VS Code extension          dist/engine.cjs   the analysis process
 * dist/probe-tfjs.cjs  the preload for training       dist/cli.cjs      the `basin` command
 * dist/debugAdapter.cjs  the Debug Adapter Protocol on stdio
 * dist/probe-torch/    the package that Python loads, as it is
 * dist/webview/        the pages; 3-D is a chunk that loads on demand, the report is one self-contained script
 */
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  watch as watchFolder,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import * as esbuild from 'esbuild';

const root = import.meta.dirname;
const production = process.argv.includes('--production');
const watch = process.argv.includes('--watch');

/**
 * echarts-gl 2.1 under echarts 6 and a content security policy without `unsafe-eval`:
 * it imports `echarts/lib/…` and `zrender/lib/…` without the `.js` that their export maps ask for, and claygl
 * compiles size expressions such as "expr(width * 1.0 / 2)" with `new Function`, which leaves an empty canvas.
 * Replaces that one call by an evaluator of products and quotients, all that the expressions are made of.
 */
const echartsGl = {
  name: 'echarts-gl',
  setup(build) {
    build.onResolve({ filter: /^(echarts|zrender)\/lib\// }, (request) =>
      request.path.endsWith('.js')
        ? undefined
        : build.resolve(`${request.path}.js`, {
            resolveDir: request.resolveDir,
            importer: request.importer,
            kind: request.kind,
          }),
    );
    build.onLoad({ filter: /claygl[\\/]src[\\/]createCompositor\.js$/ }, ({ path }) => {
      const source = readFileSync(path, 'utf8');
      const evaluated = "new Function('width', 'height', 'dpr', 'return ' + exprRes[1])";
      if (!source.includes(evaluated)) {
        return {
          errors: [{ text: 'claygl no longer has the expression that is replaced here; look at it again.' }],
        };
      }
      return {
        contents: source.replace(evaluated, 'compileExpression(exprRes[1])') + compileExpression.toString(),
      };
    });
  },
};

/** Runs in the page: "width * 1.0 / 2" or "[width, height / 2]" to a function of width, height and dpr. */
function compileExpression(text) {
  const list = /^\s*\[(.*)\]\s*$/.exec(text);
  if (list) {
    const parts = list[1].split(',').map(compileExpression);
    return (width, height, dpr) => parts.map((part) => part(width, height, dpr));
  }
  const tokens = text.trim().split(/\s+/);
  return (width, height, dpr) => {
    const names = { width, height, dpr };
    const value = (token) => (token in names ? names[token] : Number(token));
    let result = value(tokens[0]);
    for (let i = 1; i < tokens.length; i += 2) {
      result = tokens[i] === '*' ? result * value(tokens[i + 1]) : result / value(tokens[i + 1]);
    }
    return result;
  };
}

const common = {
  absWorkingDir: root,
  bundle: true,
  minify: production,
  sourcemap: production ? false : 'linked',
  // Notices of bundled libraries ship beside the bundles, in *.LEGAL.txt.
  legalComments: production ? 'external' : 'none',
  logLevel: 'warning',
  metafile: true,
};
const node = { ...common, platform: 'node', format: 'cjs', target: 'node20', mainFields: ['module', 'main'] };
const page = { ...common, platform: 'browser', target: 'es2022', plugins: [echartsGl] };

const builds = [
  { ...node, entryPoints: ['src/extension.ts'], outfile: 'dist/extension.cjs', external: ['vscode'] },
  { ...node, entryPoints: ['src/engine/main.ts'], outfile: 'dist/engine.cjs' },
  { ...node, entryPoints: ['src/probe/tfjs/main.ts'], outfile: 'dist/probe-tfjs.cjs' },
  { ...node, entryPoints: ['src/cli.ts'], outfile: 'dist/cli.cjs' },
  { ...node, entryPoints: ['src/debugAdapter.ts'], outfile: 'dist/debugAdapter.cjs' },
  {
    ...page,
    entryPoints: ['webview/panel.ts', 'webview/landscape.ts'],
    outdir: 'dist/webview',
    format: 'esm',
    splitting: true,
    chunkNames: '[name]-[hash]',
  },
  { ...page, entryPoints: ['webview/report.ts'], outdir: 'dist/webview', format: 'iife', sourcemap: false },
];

/** Python files ship as they are; what Python itself left beside them does not. @returns the files copied */
function copyTorchProbe() {
  const from = join(root, 'src/probe/torch');
  const copied = [];
  for (const entry of readdirSync(from, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith('.py')) continue;
    const file = join(entry.parentPath, entry.name);
    const target = join(root, 'dist/probe-torch', relative(from, file));
    mkdirSync(dirname(target), { recursive: true });
    // Left alone when unchanged: a training process may be reading it.
    if (!existsSync(target) || !readFileSync(file).equals(readFileSync(target))) cpSync(file, target);
    copied.push(relative(root, target));
  }
  return copied;
}

if (watch) {
  copyTorchProbe();
  watchFolder(join(root, 'src/probe/torch'), { recursive: true }, copyTorchProbe);
  for (const build of builds) await (await esbuild.context({ ...build, logLevel: 'info' })).watch();
} else {
  const results = await Promise.all(builds.map((build) => esbuild.build(build))).catch(() => process.exit(1));
  const sizes = results.flatMap(({ metafile }) => Object.entries(metafile.outputs));
  for (const [file, { bytes }] of sizes) {
    if (!file.endsWith('.map')) console.log(`${file.padEnd(44)} ${(bytes / 1000).toFixed(0).padStart(6)} kB`);
  }
  removeStale(new Set([...sizes.map(([file]) => file), ...copyTorchProbe()]));
  refuseEager3d(results.map(({ metafile }) => metafile.outputs));
}

/** 3-D code is large and rarely wanted: no page may load it before it is asked for, and a report has none. */
function refuseEager3d(builds) {
  for (const outputs of builds) {
    const heavy = (file) =>
      Object.keys(outputs[file].inputs).some((input) => /node_modules\/(echarts-gl|claygl)\//.test(input));
    const loadsAtOnce = (file, seen = new Set()) => {
      if (seen.has(file)) return seen;
      seen.add(file);
      for (const { path, kind } of outputs[file].imports)
        if (kind === 'import-statement') loadsAtOnce(path, seen);
      return seen;
    };
    for (const [file, { entryPoint }] of Object.entries(outputs)) {
      if (!entryPoint?.startsWith('webview/') || !/\/(panel|landscape|report)\.ts$/.test(entryPoint))
        continue;
      const culprit = [...loadsAtOnce(file)].find(heavy);
      if (culprit) {
        console.error(
          `${file} loads 3-D code at once, in ${culprit}: import it with import() where it is wanted.`,
        );
        process.exitCode = 1;
      }
    }
  }
}

/** Removes what an earlier build left (chunks have their content's hash in their name). */
function removeStale(kept) {
  for (const entry of readdirSync(join(root, 'dist'), { recursive: true, withFileTypes: true })) {
    const file = join(entry.parentPath, entry.name);
    if (entry.isFile() && !kept.has(relative(root, file).replaceAll('\\', '/'))) rmSync(file);
  }
}
