/**
 * Composition root of the debug adapter: a process of its own that speaks the Debug Adapter Protocol on stdin and stdout,
 * to VS Code or to any other client of it.
 */
import { DebugSession } from '@vscode/debugadapter';
import { LiveSharpnessTracker } from './analysis/liveSharpness.ts';
import { howToEvaluate, lossAt } from './analysis/model.ts';
import { TrainingDebugAdapter } from './debugger/adapter.ts';
import type { Laboratory } from './debugger/console.ts';
import { KEEP } from './debugger/debuggedRun.ts';
import { withVector } from './debugger/standingWeights.ts';
import { Engine } from './engine/engine.ts';
import { findInstallation } from './engine/installation.ts';
import { limitCycleOf } from './engine/limitCycle.ts';
import { measureWhileTraining } from './engine/liveMeasurements.ts';
import type { TrainingConnection } from './evaluators/connection.ts';
import { keepWatch } from './evaluators/keeper.ts';
import { trainedMode } from './protocol/evaluator.ts';
import { LIVE_BUDGET, type LiveSharpness } from './protocol/run.ts';

const installation = findInstallation();
const engines = new Map</* workspace folder */ string, Engine>();
const trackers = new WeakMap<TrainingConnection, LiveSharpnessTracker>();
let following = new AbortController();

function engineOf(root: string): Engine {
  let engine = engines.get(root);
  if (engine === undefined) engines.set(root, (engine = new Engine({ root, ...installation })));
  return engine;
}

const ignore = (): void => undefined;
/** Samples of an estimate of λ₁ at a stop. */
const SAMPLES = 256;
/** Products of one: nobody trains meanwhile, so it may be a good one. */
const PRODUCTS = 20;

const laboratory: Laboratory = {
  async sharpness(connection): Promise<LiveSharpness> {
    let tracker = trackers.get(connection);
    if (tracker === undefined) {
      const mode = trainedMode(connection.description);
      const data = { split: 'train', samples: SAMPLES } as const;
      tracker = new LiveSharpnessTracker(connection, { data, mode, products: PRODUCTS });
      trackers.set(connection, tracker);
    }
    return tracker.measure({ signal: new AbortController().signal, progress: ignore });
  },
  async loss(connection, split) {
    const { description } = connection;
    const [mode = 'as-trained'] = description.modes;
    const how = howToEvaluate(description, { data: { split }, mode }, false);
    return withVector(connection, 'current', (vector) =>
      lossAt(connection, vector, how, new AbortController().signal),
    );
  },
  async ask(root, job) {
    const { signal } = new AbortController();
    const result = await engineOf(root).run(job, { signal, progress: ignore, standing: true });
    return { result, text: 'trust' in result ? result.trust.join('\n') : '' };
  },
  limitCycle: (run, objective) => limitCycleOf(run, objective, new AbortController().signal),
  follow(run) {
    const { signal } = following;
    void run.readRecordedManifest().then(
      ({ recording: { liveBudget = LIVE_BUDGET } }) =>
        measureWhileTraining(run, { budget: liveBudget, signal }),
      ignore, // a run without a manifest is told of by whoever needs it
    );
  },
  unfollow() {
    following.abort();
    following = new AbortController();
  },
};

class Adapter extends TrainingDebugAdapter {
  constructor() {
    super(installation, laboratory);
  }

  override shutdown(): void {
    laboratory.unfollow();
    const over = [this.endBeginning(), ...[...engines.values()].map((engine) => engine.dispose())];
    void Promise.all(over).finally(() => super.shutdown());
  }
}

if (process.argv[2] === KEEP) void keepWatch(process.stdin);
else DebugSession.run(Adapter);
