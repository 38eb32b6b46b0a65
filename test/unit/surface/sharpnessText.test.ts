import assert from 'node:assert/strict';
import { boundFormula, verdictOf } from '../../../src/protocol/stability.ts';
import { shortNumber } from '../../../src/surface/shortNumber.ts';

const sgd = { name: 'SGD', config: { learningRate: 0.1 } };

describe('sharpness in words', () => {
  it('calls the neighbourhood of the bound its edge', () => {
    assert.equal(verdictOf(12.3, 20), 'below');
    assert.equal(verdictOf(18, 20), 'edge');
    assert.equal(verdictOf(22, 20), 'edge');
    assert.equal(verdictOf(22.1, 20), 'above');
    assert.equal(verdictOf(12, null), 'unknown');
    assert.equal(verdictOf(NaN, 20), 'unknown');
  });

  it('names the bound that belongs to the optimizer', () => {
    const momentum = (useNesterov: boolean) => ({ name: 'Momentum', config: { momentum: 0.9, useNesterov } });
    assert.equal(boundFormula(momentum(false)), '(2+2β)/η');
    assert.equal(boundFormula(momentum(true)), '(2+2β)/(η(1+2β))');
    assert.equal(boundFormula(sgd), '2/η');
    assert.equal(boundFormula(null), 'bound');
  });

  it('keeps three digits', () => {
    assert.deepEqual(
      [0, 0.01234, 1.234, 12.34, 123.4, 12345, 1.234e6, 1e-5, -2.5, NaN, Infinity].map(shortNumber),
      ['0', '0.0123', '1.23', '12.3', '123', '12345', '1.23e+6', '1.00e−5', '−2.50', 'NaN', '∞'],
    );
  });
});
