import assert from 'node:assert/strict';
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { BasinError } from '../../../src/protocol/errors.ts';
import { trainCommand, type TrainOptions } from '../../../src/surface/trainCommand.ts';

describe('the command that trains a file', () => {
  let root: string;
  beforeEach(async () => {
    root = await realpath(await mkdtemp(path.join(tmpdir(), 'basin train ')));
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  const options = (script: string, more: Partial<TrainOptions> = {}): TrainOptions => ({
    script: path.join(root, script),
    scriptArguments: [],
    root,
    nodePath: process.execPath,
    pythonPath: '',
    activePython: null,
    cli: '/basin/cli.cjs',
    snapshotEvery: 0,
    holdSeconds: 0,
    liveBudget: null,
    ...more,
  });
  const failsWith = (code: string, cure: RegExp) => (error: unknown) => {
    assert.ok(error instanceof BasinError);
    assert.equal(error.code, code);
    assert.match(error.cure ?? '', cure);
    return true;
  };

  it('records a JavaScript file by node', async () => {
    const command = await trainCommand(options('a b.mjs'));
    assert.equal(command.program, process.execPath);
    assert.equal(command.cwd, root);
    assert.deepEqual(command.arguments, [
      ...['/basin/cli.cjs', 'train', '--root', root, '--', process.execPath, path.join(root, 'a b.mjs')],
    ]);
  });

  it('passes arguments and recording options on, each to its own program', async () => {
    const { arguments: all } = await trainCommand(
      options('a.js', {
        scriptArguments: ['--every', '3'],
        snapshotEvery: 10,
        holdSeconds: 60,
        liveBudget: 2,
      }),
    );
    assert.deepEqual(all.slice(4, 11), ['--every', '10', '--hold', '60', '--live-budget', '2', '--']);
    assert.deepEqual(all.slice(-2), ['--every', '3']);
  });

  it('runs in the script’s package, but never outside of the workspace folder', async () => {
    const nested = path.join(root, 'packages', 'one', 'src');
    await mkdir(nested, { recursive: true });
    assert.equal((await trainCommand(options('packages/one/src/a.js'))).cwd, root);
    await writeFile(path.join(root, 'packages', 'one', 'package.json'), '{}');
    assert.equal(
      (await trainCommand(options('packages/one/src/a.js'))).cwd,
      path.join(root, 'packages', 'one'),
    );
  });

  it('runs TypeScript by tsx where it is installed, and says how to get it elsewhere', async () => {
    await assert.rejects(trainCommand(options('a.ts')), failsWith('not-found', /npm install --save-dev tsx/));
    await mkdir(path.join(root, 'node_modules', 'tsx'), { recursive: true });
    await writeFile(path.join(root, 'node_modules', 'tsx', 'package.json'), '{}');
    const { arguments: all } = await trainCommand(options('a.ts'));
    assert.deepEqual(all.slice(-3), ['--import', 'tsx', path.join(root, 'a.ts')]);
  });

  it('refuses what neither Node nor Python runs', async () => {
    await assert.rejects(trainCommand(options('a.rb')), failsWith('unsupported', /\.py/));
  });

  it('names the way from a notebook to a script', async () => {
    await assert.rejects(
      trainCommand(options('my digits.ipynb')),
      failsWith('unsupported', /nbconvert --to script "my digits\.ipynb"/),
    );
  });

  it('finds node on the PATH, or says what to do', async () => {
    const found = await trainCommand(options('a.js', { nodePath: '' }), {
      PATH: path.dirname(process.execPath),
    });
    assert.equal(found.program, process.execPath);
    await assert.rejects(
      trainCommand(options('a.js', { nodePath: '' }), { PATH: root }),
      failsWith('not-found', /basin\.nodePath/),
    );
    await assert.rejects(
      trainCommand(options('a.js', { nodePath: 'no/such' })),
      failsWith('not-found', /basin\.nodePath/),
    );
  });

  describe('in Python', () => {
    const python = async (folder: string): Promise<string> => {
      const program = path.join(root, folder, 'bin', 'python');
      await mkdir(path.dirname(program), { recursive: true });
      await writeFile(path.join(root, folder, 'pyvenv.cfg'), 'home = /usr/bin');
      await writeFile(program, '#!/bin/sh', { mode: 0o755 });
      return program;
    };
    const runOf = (all: readonly string[]) => all.slice(all.indexOf('--') + 1);

    it('takes the setting, the Python extension’s choice, a virtual environment, and the PATH, in this order', async () => {
      const env = { PATH: path.join(root, 'path') };
      const script = 'models/träin it.py';
      await assert.rejects(trainCommand(options(script), env), failsWith('not-found', /basin\.pythonPath/));
      await mkdir(path.join(root, 'path'));
      const onPath = path.join(root, 'path', 'python3');
      await writeFile(onPath, '#!/bin/sh', { mode: 0o755 });
      const file = path.join(root, script);
      assert.deepEqual(runOf((await trainCommand(options(script), env)).arguments), [onPath, file]);
      assert.equal((await trainCommand(options(script), env)).interpreter, `${onPath} (python3 on the PATH)`);
      const active = await python('conda');
      const conda = { ...env, CONDA_PREFIX: path.join(root, 'conda') };
      assert.equal(runOf((await trainCommand(options(script), conda)).arguments)[0], active);
      const venv = await python('.venv');
      assert.equal(runOf((await trainCommand(options(script), conda)).arguments)[0], venv);
      const chosen = options(script, { activePython: '/chosen/python' });
      assert.equal(runOf((await trainCommand(chosen, env)).arguments)[0], '/chosen/python');
      const set = { ...chosen, pythonPath: 'conda' };
      assert.equal(runOf((await trainCommand(set, env)).arguments)[0], active);
      await assert.rejects(
        trainCommand({ ...chosen, pythonPath: 'nowhere/python' }, env),
        failsWith('not-found', /basin\.pythonPath/),
      );
    });

    it('needs no Node of the user’s own, and runs in the workspace folder', async () => {
      const chosen = options('src/train.py', { activePython: '/chosen/python', nodePath: '/no/node' });
      const command = await trainCommand(chosen, {});
      assert.equal(command.program, process.execPath);
      assert.deepEqual(command.env, { ELECTRON_RUN_AS_NODE: '1' });
      assert.equal(command.cwd, root);
    });

    it('runs a module of a package as one', async () => {
      await mkdir(path.join(root, 'src', 'vision', 'digits'), { recursive: true });
      for (const folder of ['src/vision', 'src/vision/digits']) {
        await writeFile(path.join(root, folder, '__init__.py'), '');
      }
      const inPackage = async (script: string) => {
        const chosen = options(script, { activePython: '/chosen/python', scriptArguments: ['--lr', '1'] });
        const command = await trainCommand(chosen, {});
        assert.equal(command.cwd, path.join(root, 'src'));
        return runOf(command.arguments).slice(1);
      };
      assert.deepEqual(await inPackage('src/vision/digits/train.py'), [
        '-m',
        'vision.digits.train',
        '--lr',
        '1',
      ]);
      assert.deepEqual(await inPackage('src/vision/__main__.py'), ['-m', 'vision', '--lr', '1']);
    });
  });
});
