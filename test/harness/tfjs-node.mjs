/**
 * Makes @tensorflow/tfjs-node work: by its own download where that can be reached, else (Linux x64) with libtensorflow
 * from the PyPI wheel of TensorFlow and the addon compiled against it, kept in the cache and linked into node_modules.
 */
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { cached, fingerprint } from './cache.mjs';
import { ensurePackages, findCompiler, findPip, findProgram } from './debian.mjs';
import { must, run, say } from './progress.mjs';

/** Newest TensorFlow whose C API the addon has been seen to work with, and the tags of its wheel. */
const tensorflow = { version: '2.21.0', python: '3.11', platform: 'manylinux_2_27_x86_64' };

/** What the addon includes, inside the wheel's tensorflow/include. */
const headers = [
  ...[
    'c_api',
    'c_api_macros',
    'eager/c_api',
    'tf_attrtype',
    'tf_buffer',
    'tf_datatype',
    'tf_status',
    'tf_tensor',
  ],
  'tf_tstring',
]
  .map((name) => `tensorflow/c/${name}.h`)
  .concat(
    ['core/platform/ctstring.h', 'core/platform/ctstring_internal.h'].map((name) => `tensorflow/${name}`),
    ['tsl/platform/ctstring.h', 'tsl/platform/ctstring_internal.h', 'xla/tsl/c/tsl_status.h'],
  );
const libraries = ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2'];
/** Names that the addon links to and that libtensorflow's own archive would have. */
const libraryLinks = {
  'libtensorflow.so': libraries[0],
  'libtensorflow.so.2': libraries[0],
  'libtensorflow.so.2.9.1': libraries[0],
  'libtensorflow_framework.so': libraries[1],
  'libtensorflow_framework.so.2.9.1': libraries[1],
};

const compilerFlags = ['-O2', '-std=c++17', '-fPIC', '-shared', '-DNAPI_VERSION=8'];

const unpackWheel = `
import os, shutil, sys, zipfile
wheel, target, *members = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    for member in members:
        source, _, name = member.partition('>')
        os.makedirs(os.path.dirname(os.path.join(target, name)), exist_ok=True)
        with archive.open(source) as i, open(os.path.join(target, name), 'wb') as o:
            shutil.copyfileobj(i, o, 1 << 20)
`;

/** Node 23 removed the type tests of node:util that tfjs-node 4.22 calls; this brings back those that are gone. */
const utilMend = `/* basin: type tests that Node 23 removed from node:util */
{
  const util = require('util');
  util.isNullOrUndefined ??= (value) => value === null || value === undefined;
  util.isArray ??= Array.isArray;
}
`;

/**
 * @param {string} root the repository
 * @returns {Promise<'native' | 'wasm'>} wasm: tfjs-node cannot be had, why has been said
 */
export async function setUpTfjsNode(root) {
  const place = join(root, 'node_modules/@tensorflow/tfjs-node');
  if (!existsSync(join(place, 'package.json'))) {
    say('@tensorflow/tfjs-node is not installed: samples and tests run on wasm');
    return 'wasm';
  }
  mendForNewNode(place);
  if (existsSync(addon(place)) && works(root)) return 'native';
  if (await regularInstall(root, place)) return 'native';
  const cure = 'samples and tests run on wasm, slower and without convolutions';
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    say(`@tensorflow/tfjs-node has no reachable build for ${process.platform} ${process.arch}: ${cure}`);
    return 'wasm';
  }
  const missing = await ensurePackages(['g++', 'python3-pip'], 'building @tensorflow/tfjs-node');
  if (missing.length > 0) {
    say(`@tensorflow/tfjs-node cannot be built: ${cure}`);
    return 'wasm';
  }
  try {
    const { version } = JSON.parse(readFileSync(join(place, 'package.json'), 'utf8'));
    const recipe = fingerprint(JSON.stringify([tensorflow, headers, libraryLinks, compilerFlags]));
    const built = await cached(
      `tfjs-node-${version}-tensorflow-${tensorflow.version}-${recipe}`,
      (directory) => buildFromWheel(root, place, directory),
    );
    link(built, place);
  } catch (error) {
    say(`@tensorflow/tfjs-node could not be built: ${error.message}`);
    say(cure);
    return 'wasm';
  }
  if (works(root)) return 'native';
  say(`@tensorflow/tfjs-node was built but does not load: ${cure}`);
  return 'wasm';
}

const addon = (place) => join(place, 'lib/napi-v8/tfjs_binding.node');

/** Whether it loads and multiplies matrices, asked in a process of its own. */
function works(root) {
  const script = `
    const tf = require('@tensorflow/tfjs-node');
    const sum = tf.matMul(tf.ones([2, 3]), tf.ones([3, 2])).sum().arraySync();
    process.exit(tf.getBackend() === 'tensorflow' && sum === 12 ? 0 : 1);`;
  const env = { ...process.env, TF_CPP_MIN_LOG_LEVEL: '2', NODE_OPTIONS: '' };
  return spawnSync(process.execPath, ['-e', script], { cwd: root, env, stdio: 'ignore' }).status === 0;
}

function mendForNewNode(place) {
  const file = join(place, 'dist/index.js');
  const text = readFileSync(file, 'utf8');
  if (Number(process.versions.node.split('.')[0]) < 23 || text.startsWith(utilMend)) return;
  writeFileSync(file, utilMend + text);
}

/** Its own install script, if its download host answers soon: where it does not, the script would wait for minutes. */
async function regularInstall(root, place) {
  const { binary } = JSON.parse(readFileSync(join(place, 'package.json'), 'utf8'));
  const reached = await fetch(new URL('/', binary.host), {
    method: 'HEAD',
    signal: AbortSignal.timeout(3000),
  }).then(
    () => true,
    () => false,
  );
  if (!reached) {
    say('the download host of @tensorflow/tfjs-node does not answer: building it from the TensorFlow wheel');
    return false;
  }
  say('installing @tensorflow/tfjs-node by its own script');
  const options = { cwd: root, quiet: true, label: 'tfjs-node', timeoutMs: 600_000 };
  const { code } = await run('npm', ['rebuild', '--ignore-scripts=false', '@tensorflow/tfjs-node'], options);
  return code === 0 && existsSync(join(place, 'lib')) && works(root);
}

async function buildFromWheel(root, place, directory) {
  const python = findPip();
  const wheels = join(directory, 'wheels');
  say(`fetching the wheel of tensorflow-cpu ${tensorflow.version} (about 250 MB, once)`);
  const pip = ['-m', 'pip', 'download', '--quiet', '--no-deps', '--only-binary=:all:', '--dest', wheels];
  const tags = ['--python-version', tensorflow.python, '--platform', tensorflow.platform];
  await must(python, [...pip, ...tags, `tensorflow-cpu==${tensorflow.version}`], {
    quiet: true,
    label: 'pip',
  });
  const wheel = readdirSync(wheels).find((name) => name.endsWith('.whl'));
  if (!wheel) throw new Error('pip downloaded no wheel');

  say('taking libtensorflow and its headers from it');
  const members = [
    ...headers.map((name) => `tensorflow/include/${name}>include/${name}`),
    ...libraries.map((name) => `tensorflow/${name}>lib/${name}`),
  ];
  const deps = join(directory, 'deps');
  await must(python, ['-c', unpackWheel, join(wheels, wheel), deps, ...members], {
    quiet: true,
    label: 'unpacking',
  });
  rmSync(wheels, { recursive: true });
  for (const [name, target] of Object.entries(libraryLinks)) symlinkSync(target, join(deps, 'lib', name));
  const strip = findProgram('strip');
  if (strip) {
    const files = libraries.map((name) => join(deps, 'lib', name));
    await must(strip, ['--strip-unneeded', ...files], { quiet: true, label: 'strip' });
  }

  say('compiling the addon');
  const output = join(directory, 'lib/napi-v8');
  mkdirSync(output, { recursive: true });
  const sources = ['tfjs_backend.cc', 'tfjs_binding.cc'].map((name) => join(place, 'binding', name));
  const includes = [join(root, 'node_modules/node-api-headers/include'), join(deps, 'include')];
  const flags = [...compilerFlags, ...includes.map((path) => `-I${path}`)];
  const libs = [
    `-L${join(deps, 'lib')}`,
    '-ltensorflow',
    '-ltensorflow_framework',
    '-Wl,-rpath,$ORIGIN/../../deps/lib',
  ];
  const result = ['-o', join(output, 'tfjs_binding.node')];
  await must(findCompiler(), [...flags, ...sources, ...libs, ...result], {
    quiet: true,
    label: 'the compiler',
  });
}

/** `npm ci` deletes what lies in node_modules, so that only links to the cache lie there. */
function link(built, place) {
  for (const name of ['deps', 'lib']) {
    const path = join(place, name);
    if (existsSync(path) || lstatSync(path, { throwIfNoEntry: false }))
      rmSync(path, { recursive: true, force: true });
    symlinkSync(join(built, name), path, 'dir');
  }
}
