import assert from 'node:assert/strict';
import { chosenModels, chosenRuns } from '../../../src/surface/chosenModels.ts';
import type { KnownRun } from '../../../src/surface/workspaceRuns.ts';

const run = { id: 'one' } as KnownRun;
const other = { id: 'two' } as KnownRun;
const snapshot = (of: KnownRun, step: number) => ({ kind: 'snapshot', run: of, step, bytes: 8 });
const model = (of: KnownRun, id: string) => ({ kind: 'model', run: of, model: { id } });

describe('models that a selection names', () => {
  it('are snapshots and built models by themselves, those of other runs by their run, runs by their last', () => {
    const rows = [
      snapshot(run, 12),
      model(run, 'average-1'),
      snapshot(other, 20),
      model(other, 'soup-2'),
      { kind: 'run', run: other },
      { kind: 'run', run },
    ];
    assert.deepEqual(chosenModels(run, rows), [
      '12',
      'average-1',
      'two:20',
      'two:soup-2',
      'two:last',
      'last',
    ]);
    assert.deepEqual(chosenModels(run, ['12', 'two:last']), ['12', 'two:last']);
  });

  it('are none for a selection of one, of rows that are no models, and without a selection', () => {
    assert.equal(chosenModels(run, [snapshot(run, 12), snapshot(run, 12)]), null);
    const rows = [snapshot(run, 12), { kind: 'group', run, group: 'snapshots', count: 2 }];
    assert.equal(chosenModels(run, rows), null);
    assert.equal(
      chosenModels(run, [
        { kind: 'analysis', run },
        { kind: 'analysis', run: other },
      ]),
      null,
    );
    assert.equal(chosenModels(run, undefined), null);
    assert.equal(chosenModels(run, 'average-1'), null);
  });

  it('or the runs themselves', () => {
    assert.deepEqual(chosenRuns([{ kind: 'run', run }, snapshot(run, 1), { kind: 'run', run: other }]), [
      run,
      other,
    ]);
    assert.equal(chosenRuns([{ kind: 'run', run }]), null);
  });
});
