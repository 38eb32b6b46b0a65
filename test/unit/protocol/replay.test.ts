/** The outcome of the replay checks in words. */
import assert from 'node:assert/strict';
import { replayInWords } from '../../../src/protocol/replay.ts';

const failure = { exact: false, worstRelativeError: 0.3, cure: null };

describe('replay in words', () => {
  it('names each check with its worst error', () => {
    const checks = [
      { of: 'loss' as const, checked: 4, passed: 4, worstRelativeError: 0 },
      { of: 'gradient' as const, checked: 4, passed: 4, worstRelativeError: 2.3e-7 },
      { of: 'later-data' as const, checked: 3, passed: 3, worstRelativeError: 0 },
    ];
    const exact = { exact: true, checked: 4, passed: 4, worstRelativeError: 0, reason: null, cure: null };
    assert.equal(
      replayInWords({ ...exact, checks }),
      'exact on 4 of 4 steps: loss (no difference), gradient (off by 2.3e-7), ' +
        'later data on the first step’s tape (no difference)',
    );
    assert.equal(replayInWords(exact), 'exact on 4 of 4 steps: loss (no difference)');
  });

  it('leaves out a check that was not made', () => {
    const checks = [
      { of: 'loss' as const, checked: 1, passed: 1, worstRelativeError: 0 },
      { of: 'later-data' as const, checked: 0, passed: 0, worstRelativeError: 0 },
    ];
    const once = { exact: true, checked: 1, passed: 1, worstRelativeError: 0, reason: null, cure: null };
    assert.equal(replayInWords({ ...once, checks }), 'exact on 1 of 1 step: loss (no difference)');
    const untried = checks.map((check) =>
      check.of === 'later-data' ? { ...check, why: 'no reason' } : check,
    );
    assert.equal(
      replayInWords({ ...once, checks: untried }),
      'exact on 1 of 1 step: loss (no difference); later data on the first step’s tape not tried: no reason',
    );
  });

  it('tells why and how often it failed', () => {
    const reason = 'the number 0.43 was frozen.';
    assert.equal(
      replayInWords({ ...failure, checked: 4, passed: 1, reason }),
      `not exact (1 of 4 steps pass): ${reason}`,
    );
    assert.equal(
      replayInWords({ ...failure, checked: 1, passed: 0, reason: null }),
      'not exact: the reason is unknown',
    );
  });
});
