/** Words for λ₁, in the language of the editor that they are shown in. */
import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import { sharpnessText } from '../../src/surface/sharpnessText.ts';

const sgd = { name: 'SGD', config: { learningRate: 0.1 } };

describe('sharpness in the editor’s words', function () {
  before(function () {
    if (!vscode.env.language.startsWith('en')) this.skip();
  });

  it('says λ₁, the bound by its formula, and the verdict', () => {
    assert.equal(sharpnessText(12.34, 20, sgd), 'λ₁ 12.3 · 2/η 20.0 · stable');
    assert.equal(sharpnessText(21, 20, sgd), 'λ₁ 21.0 · 2/η 20.0 · edge of stability');
    assert.equal(sharpnessText(30, 20, sgd), 'λ₁ 30.0 · 2/η 20.0 · unstable');
    assert.equal(sharpnessText(30, null, { name: 'Adam', config: {} }), 'λ₁ 30.0');
  });
});
