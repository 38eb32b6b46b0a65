import assert from 'node:assert/strict';
import { boundFormula, verdictOf } from '../../../src/protocol/stability.ts';
import { sharpnessText, shortNumber } from '../../../src/surface/sharpnessText.ts';

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

  it('says λ₁, the bound by its formula, and the verdict', () => {
    assert.equal(sharpnessText(12.34, 20, sgd), 'λ₁ 12.3 · 2/η 20.0 · stable');
    assert.equal(sharpnessText(21, 20, sgd), 'λ₁ 21.0 · 2/η 20.0 · edge of stability');
    assert.equal(sharpnessText(30, 20, sgd), 'λ₁ 30.0 · 2/η 20.0 · unstable');
    assert.equal(sharpnessText(30, null, { name: 'Adam', config: {} }), 'λ₁ 30.0');
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
