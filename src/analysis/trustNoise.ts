/** Sentences on the noise of minibatch gradients. */
import type { NoiseResult, WithError } from '../protocol/noise.ts';
import { figures, finiteDifferences, percent } from './trust.ts';

/** @param finiteDifference why products are no exact ones; null where that is not known */
export function noiseSentences(
  result: Pick<NoiseResult, 'batches' | 'batchSizes' | 'scale' | 'rank' | 'hessian'>,
  finiteDifference: string | null,
): string[] {
  const { scale, batches, hessian } = result;
  const sizes = [...result.batchSizes].sort((a, b) => a - b);
  const size = sizes[sizes.length >> 1] ?? 0;
  const [low, high] = scale.interval;
  const range = high === null ? `above ${figures(low, 2)}` : `${figures(low, 2)} to ${figures(high, 2)}`;
  const first =
    scale.value === null
      ? `The gradient is not told from the noise of ${batches} batches; the noise scale is ${range} samples (95 %).`
      : `The gradient noise scale is ${plusMinus(scale)} samples (95 %: ${range}); the batches have ${size}. ` +
        'Batches far smaller than the scale are mostly noise, far larger ones waste samples (McCandlish et al. 2018).';
  return [
    first,
    ...rankSentences(result.rank, batches),
    ...(hessian === null ? [] : hessianSentences(hessian, finiteDifference)),
    'Standard errors are the jackknife’s over batches, which count as independent draws.',
  ];
}

function rankSentences(rank: NoiseResult['rank'], batches: number): string[] {
  const { directions, limit, parameters, growth, resolved, participation, share } = rank;
  const half = growth.at(-2);
  const fewer =
    half === undefined ? '' : `; ${half.batches} of the batches would show ${figures(half.directions, 2)}`;
  return [
    `${percent(share)} of the noise lies in ${directions} of ${parameters} directions (${figures((100 * directions) / parameters, 2)} %). ` +
      `${batches} batches can show ${limit} at most${fewer}: ` +
      (resolved
        ? 'more batches would change little.'
        : 'a lower bound, since it still grows with the number of batches.'),
    participation.value === null
      ? 'Its participation ratio (tr Σ)²/tr Σ² is too large for so few batches to tell.'
      : `Its participation ratio (tr Σ)²/tr Σ², to which the number of batches sets no limit, is ${plusMinus(participation)}.`,
  ];
}

function hessianSentences(h: NonNullable<NoiseResult['hessian']>, finiteDifference: string | null): string[] {
  const k = h.eigenvalues.length;
  return [
    `The top ${k} eigenvectors of the Hessian hold ${percentage(h.noise)} of the noise` +
      (h.gradient.value === null ? '' : ` and ${percentage(h.gradient)} of the squared gradient`) +
      `; ${k} random directions would hold ${figures(100 * h.noise.isotropic, 2)} %.` +
      (h.converged ? '' : ' Not all of them have converged.'),
    h.anisotropy.value === null
      ? 'The trace of the Hessian may be zero, so the noise’s curvature has nothing to be held against.'
      : `Noise sees ${plusMinus(h.anisotropy)} times the curvature that noise alike in all directions would: Tr(HΣ)·d/(Tr H·Tr Σ).`,
    `${h.products} products with the Hessian, ${h.method === 'exact' ? 'all exact.' : `by ${finiteDifferences(finiteDifference)}`}`,
  ];
}

function plusMinus({ value, standardError }: WithError): string {
  return standardError === null
    ? figures(value ?? NaN, 3)
    : `${figures(value ?? NaN, 3)} ± ${figures(standardError, 2)}`;
}

function percentage({ value, standardError }: WithError): string {
  const words = percent(value ?? NaN);
  return standardError === null ? words : `${words} (± ${figures(100 * standardError, 2)})`;
}
