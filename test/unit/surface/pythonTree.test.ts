import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { averageInPython, updateBatchNormInPython } from '../../../src/surface/fixes/averagePython.ts';
import { shuffleInPython } from '../../../src/surface/fixes/shufflePython.ts';
import { findLearningRates } from '../../../src/surface/learningRates.ts';
import { findPythonCalls } from '../../../src/surface/pythonCalls.ts';
import { parsePython } from '../../../src/surface/pythonTree.ts';
import { parseAll, visit } from '../../fixtures/sourceText.ts';
import ts from 'typescript';

const script = `import torch
model = torch.nn.Linear(2, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for epoch in range(9):
    for x, y in loader:
        optimizer.zero_grad()
        model(x).sum().backward()
        optimizer.step()
`;

describe('the syntax tree of a Python file', () => {
  it('is made once for everything that a light bulb asks of one text', () => {
    const tree = parsePython(script);
    assert.equal(findPythonCalls(script).length, 1);
    assert.equal(findLearningRates(script, 'python').length, 1);
    assert.notEqual(averageInPython(script), null);
    updateBatchNormInPython(script);
    shuffleInPython(script);
    assert.equal(parsePython(script), tree);
    assert.notEqual(parsePython(`${script}\n`), tree);
  });

  it('is made in one place alone', () => {
    const root = resolve(import.meta.dirname, '../../..');
    const parsing: string[] = [];
    for (const source of parseAll(root, 'src/surface'))
      visit(source, (node) => {
        if (ts.isImportDeclaration(node) && /@lezer\/python/.test(node.moduleSpecifier.getText()))
          parsing.push(source.fileName.replaceAll('\\', '/').replace(/^.*surface\//, ''));
        return true;
      });
    assert.deepEqual(parsing, ['pythonTree.ts']);
  });
});
