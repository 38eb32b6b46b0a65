/** Running the fixture scripts with the probe, as it is bundled, and without. */
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import * as esbuild from 'esbuild';
import type { Probes } from '../../../src/evaluators/probes.ts';
import { launchTraining, type Training, type TrainingOptions } from '../../../src/evaluators/training.ts';
import type { RunManifest } from '../../../src/protocol/run.ts';
import type { Run } from '../../../src/runs/run.ts';
import { RunStore } from '../../../src/runs/runStore.ts';

const repository = resolve(import.meta.dirname, '../../..');
export const scripts = join(repository, 'test/fixtures/scripts');
export type Backend = 'cpu' | 'wasm' | 'tensorflow';

export interface Outcome {
  readonly run: Run;
  readonly manifest: RunManifest;
  readonly output: string;
  readonly errors: string;
}

export class Recording {
  readonly folder = mkdtempSync(join(tmpdir(), 'basin-record-'));
  readonly probe = join(this.folder, 'probe with a space.cjs');
  readonly probes: Probes = { tfjs: this.probe, torch: join(repository, 'src/probe/torch') };
  readonly store = new RunStore(this.folder);
  private logs = 0;

  /** Bundles the probe from its present sources, as esbuild.config.mjs does. */
  async build(): Promise<void> {
    await esbuild.build({
      absWorkingDir: repository,
      entryPoints: ['src/probe/tfjs/main.ts'],
      bundle: true,
      platform: 'node',
      format: 'cjs',
      target: 'node20',
      mainFields: ['module', 'main'],
      outfile: this.probe,
      logLevel: 'silent',
    });
  }

  close(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** The command line of a script; its Math.random is seeded, so that two runs draw the same. */
  command(script: string): string[] {
    const loader = script.endsWith('.ts') ? ['--import', 'tsx'] : [];
    return [process.execPath, '--random-seed=7', ...loader, join(scripts, script)];
  }

  environment(backend: Backend, more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
    return {
      ...process.env,
      TFJS_BACKEND: backend,
      TF_CPP_MIN_LOG_LEVEL: '3',
      NODE_NO_WARNINGS: '1',
      ...more,
    };
  }

  /** Starts a script under the probe. */
  async start(
    script: string,
    backend: Backend,
    options: Partial<TrainingOptions> = {},
  ): Promise<{ training: Training; ended: Promise<Outcome> }> {
    const log = join(this.folder, `output-${++this.logs}`);
    const out = openSync(`${log}.txt`, 'w');
    const err = openSync(`${log}.err`, 'w');
    const training = await launchTraining({
      store: this.store,
      command: this.command(script),
      cwd: repository,
      probes: this.probes,
      version: '0.0.0',
      environment: this.environment(backend),
      stdio: ['ignore', out, err],
      ...options,
    });
    closeSync(out);
    closeSync(err);
    const ended = training.ended.then(({ manifest }) => ({
      run: training.run,
      manifest,
      output: readFileSync(`${log}.txt`, 'utf8'),
      errors: readFileSync(`${log}.err`, 'utf8'),
    }));
    return { training, ended };
  }

  async record(script: string, backend: Backend, options: Partial<TrainingOptions> = {}): Promise<Outcome> {
    return (await this.start(script, backend, options)).ended;
  }

  /** The same without the probe. */
  plain(
    script: string,
    backend: Backend,
    more: Readonly<Record<string, string>> = {},
  ): Pick<Outcome, 'output' | 'errors'> {
    const [program = '', ...args] = this.command(script);
    const { stdout, stderr } = spawnSync(program, args, {
      cwd: repository,
      env: this.environment(backend, more),
      encoding: 'utf8',
    });
    return { output: stdout, errors: stderr };
  }
}
