/** Jobs about a run that stands in the debugger: what means its last snapshot is the weights that stand, and nothing else is touched. */
import assert from 'node:assert/strict';
import type { Job } from '../../../src/protocol/engine.ts';
import { atStanding } from '../../../src/surface/standingJob.ts';

const run = 'r';

describe('a job at the weights that stand', () => {
  const cases: readonly (readonly [Job, object])[] = [
    [{ kind: 'sharpness', run, top: 1 }, { at: 7 }],
    [{ kind: 'sharpness', run, top: 1, at: 'last' }, { at: 7 }],
    [{ kind: 'sharpness', run, top: 1, at: 3 }, { at: 3 }],
    [{ kind: 'score', run, at: 'swa-1' }, { at: 'swa-1' }],
    [
      { kind: 'line', run, from: 'first', to: 'last', points: 3 },
      { from: 'first', to: 7 },
    ],
    [{ kind: 'contour', run, plane: 'pca', size: 5 }, { at: 7 }],
    [
      { kind: 'contour', run, plane: ['last', 'other:last', 'first'], size: 5 },
      { plane: [7, 'other:last', 'first'] },
    ],
    [{ kind: 'soup', run, members: ['last', 2] }, { members: [7, 2] }],
    [
      { kind: 'export', run, model: 'last', format: 'pt', to: 'last' },
      { model: 7, to: 'last' },
    ],
    [{ kind: 'report', run, to: 'last' }, { to: 'last' }],
    [{ kind: 'sweep', run }, {}],
  ];
  for (const [job, expected] of cases)
    it(JSON.stringify(job), () => assert.deepEqual(atStanding(job, 7), { ...job, ...expected }));
});
