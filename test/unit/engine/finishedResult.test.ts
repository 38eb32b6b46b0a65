import assert from 'node:assert/strict';
import { byRun, finishedResult, type Circumstances } from '../../../src/engine/finishedResult.ts';
import { readContents } from '../../../src/engine/references.ts';
import { dataSentence } from '../../../src/analysis/trust.ts';
import { countingBatches } from '../../../src/engine/countingBatches.ts';
import { resultText } from '../../../src/cli/tables.ts';
import type { ScoreResult } from '../../../src/protocol/results.ts';
import { BasinError } from '../../../src/protocol/errors.ts';
import { holdRun, type HeldRun } from '../../fixtures/heldRun.ts';
import { makeWorkspace, type Workspace } from '../../fixtures/runs.ts';

const nothing = { lossStandardError: null, accuracy: null, accuracyStandardError: null, samples: 0 };
const draft = {
  kind: 'score' as const,
  at: '3',
  data: { split: 'train' as const, samples: 0 },
  score: { train: { loss: NaN, ...nothing }, validation: null },
  trust: ['What matters most.'],
  refreshedStatistics: false,
};

describe('a finished result', () => {
  let workspace: Workspace;
  let held: HeldRun;
  let circumstances: Circumstances;
  before(async () => {
    workspace = await makeWorkspace();
    held = await holdRun(workspace.store);
    const contents = await readContents(held.run, 0);
    circumstances = {
      id: 'score-1',
      contents,
      job: { kind: 'score', run: held.run.id, at: 3 },
      version: '1.2.3',
      by: byRun(contents),
      started: performance.now(),
    };
  });
  after(async () => {
    await held.server.stop();
    await workspace.remove();
  });

  it("says of one that the run's files gave that no process was asked", () => {
    const result = finishedResult<ScoreResult>(draft, circumstances);
    const { created, seconds, ...provenance } = result.provenance;
    assert.ok(Date.parse(created) > 0 && seconds >= 0);
    assert.deepEqual(provenance, {
      basin: '1.2.3',
      job: circumstances.job,
      mode: null,
      framework: 'tfjs',
      backend: null,
      versions: circumstances.contents.manifest.versions,
      evaluator: 'none',
      refreshedStatistics: false,
    });
    assert.match(resultText(result), /kept as score-1 \(from the run's files\)$/);
  });

  it('is as its file has it: not a number is null, and what belongs to the provenance is there alone', () => {
    const result = finishedResult<ScoreResult>(draft, circumstances);
    assert.equal(result.score.train.loss, null);
    assert.ok(!('refreshedStatistics' in result));
    assert.deepEqual(result.trust, draft.trust);
  });

  it('says how many of the validation samples are among those that the script trains on, where it is about them', () => {
    const split = (samples: number) => ({ samples, batches: 2, source: 'its own' });
    const told = (
      alsoTraining: number | undefined,
      data: typeof draft,
      mayBeTrained?: true,
    ): readonly string[] => {
      const validation = {
        ...split(500),
        ...(alsoTraining === undefined ? {} : { alsoTraining }),
        ...(mayBeTrained === undefined ? {} : { mayBeTrained }),
      };
      const evaluationSet = { train: split(1024), validation };
      const manifest = { ...circumstances.contents.manifest, evaluationSet };
      const contents = { ...circumstances.contents, manifest };
      return finishedResult<ScoreResult>(data, { ...circumstances, contents }).trust.slice(1);
    };
    const both = { ...draft, score: { ...draft.score, validation: draft.score.train } };
    assert.deepEqual(told(20, both as never), [
      '20 of the 500 validation samples are among the 1024 training samples that were kept, too: they may be part of what the script trains on.',
    ]);
    assert.deepEqual(told(20, draft), []);
    assert.deepEqual(told(undefined, both as never), []);
    assert.equal(told(20, { ...draft, data: { split: 'validation', samples: 500 } } as never).length, 1);
    assert.match(told(undefined, both as never, true).join(), /trains on them later cannot be told\.$/);
    assert.deepEqual(told(undefined, draft, true), []);
  });

  it('speaks of batches where samples cannot be counted', () => {
    const on = { split: 'validation' as const, samples: 7 };
    const trust = [dataSentence(on, 'as-trained', false), 'λ₁ has 9 samples.'];
    const counted = countingBatches({ ...draft, data: on, trust });
    assert.deepEqual(counted.data, { ...on, unit: 'batches' });
    assert.deepEqual(counted.trust, [
      'Evaluated on 7 validation batches, with the loss as it was trained, noise replayed.',
      'λ₁ has 9 samples.',
      'How many samples are behind this loss cannot be told from what it reads: each batch counts as one.',
    ]);
    const result = finishedResult<ScoreResult>(counted as never, circumstances);
    assert.match(resultText(result), /validation batches/);
  });

  it('names damaged snapshots after the sentence that matters most', () => {
    const damaged = [4, 5].map((step) => ({ step, error: new BasinError('corrupt-run', 'torn') }));
    const contents = { ...circumstances.contents, damaged };
    const { trust } = finishedResult<ScoreResult>(draft, { ...circumstances, contents });
    assert.deepEqual(trust, [...draft.trust, 'Left out, because their files are damaged: snapshots 4, 5.']);
  });
});
