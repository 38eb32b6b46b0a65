/** One measurement of λ₁: the number, how it stands to the bound, further eigenvalues, and how far to trust it. */
import type { SharpnessResult } from '../src/protocol/results.ts';
import { table } from './dataTable.ts';
import { h } from './dom.ts';
import { formatNumber, formatPercent, formatWithError } from './format.ts';
import { modelName } from './lineChart.ts';
import { provenanceElement, trustElement } from './provenance.ts';
import { strings } from './strings.ts';

const words = strings.sharpnessFacts;

/** A measurement: the number, a gauge against the bound, further eigenvalues, trust. */
export function sharpnessElements(result: SharpnessResult): HTMLElement[] {
  const lambda1 = result.eigenvalues[0] ?? NaN;
  // The solver's residual is no standard error: without one it stands in words.
  const error = result.standardError;
  return [
    h(
      'div',
      { class: 'figure' },
      h(
        'div',
        { class: 'figure-number' },
        h('span', { class: 'figure-name' }, strings.lambda1),
        formatWithError(lambda1, error),
      ),
      h(
        'div',
        { class: 'figure-words' },
        h('strong', { class: `verdict verdict-${result.verdict}` }, strings.verdict[result.verdict]),
        h(
          'span',
          { class: 'note' },
          [
            modelName(result.at),
            words.method[result.method],
            result.converged ? words.converged : words.notConverged,
            [
              words.products(result.products),
              ...(error === null ? [words.residual(formatNumber(result.residuals[0], 2))] : []),
            ].join(', '),
          ].join(' · '),
        ),
      ),
    ),
    ...(result.stabilityBound === null
      ? []
      : [gauge(lambda1, result.stabilityBound, result.stabilityFormula ?? strings.bound)]),
    ...(result.eigenvalues.length > 1
      ? [
          table({
            caption: strings.tableOf.eigenvaluesAt(modelName(result.at)),
            columns: ['', words.eigenvalue, words.residualColumn],
            rows: result.eigenvalues.map((value, k) => [
              `λ${subscript(k + 1)}`,
              formatNumber(value),
              formatNumber(result.residuals[k], 2),
            ]),
          }),
        ]
      : []),
    h('div', { class: 'below' }, trustElement(result.trust), provenanceElement(result)),
  ];
}

/** λ₁ as a share of the bound, on a bar that ends at twice the bound. */
function gauge(lambda1: number, bound: number, formula: string): HTMLElement {
  const share = lambda1 / bound;
  const text = words.ofBound(formatPercent(share), formula, formatNumber(bound));
  const meter = h(
    'div',
    { class: 'gauge', role: 'img', 'aria-label': text },
    h('div', { class: 'gauge-fill' }),
    h('div', { class: 'gauge-bound' }),
  );
  meter.style.setProperty('--share', String(Math.min(1, Math.max(0, share / 2))));
  return h('div', { class: 'gauge-block' }, meter, h('span', { class: 'note' }, text));
}

const subscript = (n: number): string =>
  String(n).replace(/\d/g, (digit) => String.fromCharCode(0x2080 + Number(digit)));
