import assert from 'node:assert/strict';
import { readTheme } from '../../../webview/theme.ts';

describe('the page’s theme', () => {
  const read = (variables: Readonly<Record<string, string>>) =>
    readTheme({
      variable: (name) => variables[name] ?? '',
      hasClass: (name) => name === 'vscode-dark',
      matches: () => false,
    });

  it('has colours of data without the transparency that the editor gives its marks, and others as they are', () => {
    const theme = read({
      '--vscode-charts-orange': ' #ea5c0055',
      '--vscode-charts-blue': 'rgba(26, 133, 255, 0.5)',
      '--vscode-charts-green': '#8d88',
      '--vscode-charts-red': '#f14c4c',
      '--vscode-descriptionForeground': 'rgba(204, 204, 204, 0.7)',
    });
    assert.equal(theme.sharpness, '#ea5c00');
    assert.equal(theme.loss, 'rgb(26, 133, 255)');
    assert.equal(theme.accuracy, '#8d8');
    assert.equal(theme.bound, '#f14c4c');
    assert.equal(theme.muted, 'rgba(204, 204, 204, 0.7)');
    assert.equal(read({}).sharpness, '#e08f45');
  });
});
