/** Sentences on how far estimates of curvature can be trusted. */
import type { PreconditionedPoint, SpectrumResult, StabilityResult } from '../protocol/curvature.ts';
import { figures, finiteDifferences, percent, productsSentence } from './trust.ts';

/** @param finiteDifference why products are no exact ones; null where that is not known */
export function spectrumSentences(
  result: Pick<SpectrumResult, 'blocks' | 'matrix' | 'products' | 'method'>,
  finiteDifference: string | null,
): string[] {
  const sentences: string[] = [];
  const named = (name: string): string => (result.blocks.length > 1 ? ` of ${name}` : '');
  const ends = result.blocks.flatMap(({ name, largest, smallest }) => [
    { name, which: 'largest', end: largest },
    { name, which: 'smallest', end: smallest },
  ]);
  const open = ends.filter(({ end }) => end !== null && !end.converged);
  if (ends.some(({ end }) => end !== null)) {
    sentences.push(
      open.length === 0
        ? `Every eigenvalue has converged (within ${figures(Math.max(...ends.flatMap(({ end }) => end?.residuals ?? [])), 2)}), multiple ones listed as often as they occur; a search outside of them found none beyond.`
        : `Not converged: ${open.map(({ name, which }) => `the ${which} eigenvalues${named(name)}`).join(', ')}; each lies within its residual of a true one, but others may be missing.`,
    );
  }
  for (const { name, trace, density, dimension } of result.blocks) {
    if (trace !== null) {
      sentences.push(
        trace.samples === 0
          ? `The trace${named(name)} is no estimate: all ${dimension} dimensions were seen.`
          : `The trace${named(name)} lies in ${figures(trace.interval[0], 4)} .. ${figures(trace.interval[1], 4)} with 95 % confidence (Hutch++, ${trace.samples} random vectors, standard error ${figures(trace.standardError, 2)})${trace.converged ? '' : ': wider than was aimed at'}.`,
      );
    }
    if (density !== null) {
      const peak = Math.max(...density.density);
      const error = Math.max(...density.standardError);
      sentences.push(
        `The density${named(name)} is smoothed with a bandwidth of ${figures(density.bandwidth, 2)}: nothing narrower can be seen in it (${density.probes} probes of ${density.steps} steps; standard error up to ${percent(error / peak)} of the peak).`,
      );
    }
  }
  sentences.push(
    `${result.products} products with the ${result.matrix === 'hessian' ? 'Hessian' : 'generalised Gauss–Newton matrix'}, ${
      result.method === 'exact' ? 'all exact.' : `by ${finiteDifferences(finiteDifference)}`
    }`,
  );
  return sentences;
}

/** @param told why there is no bound, and why products are no exact ones; null where that does not apply */
export function stabilitySentences(
  result: Pick<StabilityResult, 'points' | 'method' | 'preconditioned' | 'withoutPreconditioned'>,
  told: { readonly bound: string | null; readonly finiteDifference: string | null },
): string[] {
  const { points } = result;
  const judged = points.filter((p) => p.verdict !== 'unknown');
  const at = judged.filter((p) => p.verdict !== 'below');
  const broken = points.filter((p) => p.lambda1 === null).map((p) => p.step);
  const open = points.filter((p) => p.lambda1 !== null && !p.converged).map((p) => p.step);
  const sentences: string[] = [];
  if (result.preconditioned !== null) sentences.push(...preconditionedSentences(result.preconditioned));
  if (judged.length === 0) {
    sentences.push(`λ₁ is held against no stability bound: ${told.bound ?? 'none is known'}.`);
  } else if (at.length === 0) {
    const nearest = Math.max(...judged.map((p) => p.ratio ?? 0));
    sentences.push(`λ₁ stays below the stability bound: at most ${percent(nearest)} of it.`);
  } else {
    sentences.push(
      `λ₁ is at the edge of stability or above it at ${at.length} of ${judged.length} snapshots, first at step ${at[0]?.step ?? 0}.`,
    );
  }
  if (result.withoutPreconditioned !== null) {
    sentences.push(`The preconditioned λ₁ is not known: ${result.withoutPreconditioned}`);
  }
  if (judged.length > 0) {
    sentences.push('The bound holds for full-batch steps; the noise of small batches keeps λ₁ below it.');
  }
  if (open.length > 0) {
    sentences.push(`Not converged at ${open.join(', ')}: there λ₁ is at least about what is stated.`);
  }
  if (broken.length > 0) {
    sentences.push(`Without λ₁, because weights or curvature are NaN or infinite: ${broken.join(', ')}.`);
  }
  sentences.push(productsSentence(result.method, told.finiteDifference));
  return sentences;
}

function preconditionedSentences(point: PreconditionedPoint): string[] {
  const { step, lambda1, residual, converged, ratio, verdict, apart, correction, mode } = point;
  if (lambda1 === null || ratio === null) {
    return [`The preconditioned λ₁ at step ${step} is NaN or infinite.`];
  }
  const where = {
    below: 'below the bound',
    edge: 'at the edge of stability',
    above: 'above the bound',
    unknown: 'beside no bound',
  }[verdict];
  const sentences = [
    `Divided by what the optimizer divides its steps by, λ₁ is ${figures(lambda1, 3)} at step ${step}: ${where}, at ${percent(ratio)} of it (for full-batch steps${mode === 'as-trained' ? ', of the loss as it was trained' : ''}).`,
  ];
  if (!converged) {
    sentences.push(
      `The preconditioned λ₁ has not converged: it is at least about what is stated (an eigenvalue lies within ${figures(residual ?? NaN, 2)}).`,
    );
  }
  if (apart > 0) {
    sentences.push(`Training went on by up to ${apart} steps between the weights and the second moments.`);
  }
  if (correction !== null) {
    sentences.push(
      `So early Adam's steps are ${figures(1 / correction, 3)} times as long as the bound takes them to be.`,
    );
  }
  return sentences;
}
