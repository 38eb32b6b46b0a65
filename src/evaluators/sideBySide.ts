/** Several processes of one run behind one evaluator: the points of a loss request are shared out among them. */
import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { isCancelled } from '../protocol/errors.ts';
import type { EvaluatorRequests, LossValue } from '../protocol/evaluator.ts';
import type { EvaluatorConnection } from './connection.ts';

type LossRequest = EvaluatorRequests['loss']['params'];
type LossAnswer = EvaluatorRequests['loss']['result'];

/** One of the others: which version of each vector it holds. */
interface Helper {
  readonly evaluator: EvaluatorConnection;
  readonly holds: Map<string, number>;
}

/**
 * An evaluator that keeps its vectors in `first`, and asks the others for their share of every request for the losses of
 * several points. A vector goes to them through a file, once for each time it was written. One that fails is left, and
 * its share is evaluated by the first.
 * @param folder private, for those files
 */
export function sideBySide(
  first: EvaluatorConnection,
  others: readonly EvaluatorConnection[],
  folder: string,
): EvaluatorConnection {
  const helpers = new Set<Helper>(others.map((evaluator) => ({ evaluator, holds: new Map() })));
  const versions = new Map<string, number>();
  const written = (...names: readonly string[]): void => {
    for (const name of names) versions.set(name, (versions.get(name) ?? 0) + 1);
  };

  /** Brings a helper's copies of the vectors up to date; the files are made once for all helpers. */
  const share = async (names: readonly string[], signal: AbortSignal | undefined): Promise<void> => {
    for (const name of new Set(names)) {
      const version = versions.get(name) ?? 0;
      const behind = [...helpers].filter(({ holds }) => holds.get(name) !== version);
      if (behind.length === 0) continue;
      const file = path.join(folder, `${randomUUID()}.safetensors`);
      try {
        await first.save({ vector: name, file, metadata: {} }, signal);
        await Promise.all(
          behind.map(async (helper) => {
            try {
              await helper.evaluator.load({ into: name, from: { file } }, signal);
              helper.holds.set(name, version);
            } catch (error) {
              leave(helper, error);
            }
          }),
        );
      } finally {
        await rm(file, { force: true });
      }
    }
  };
  const leave = (helper: Helper, error: unknown): void => {
    if (isCancelled(error)) throw error;
    helpers.delete(helper);
    helper.evaluator.close();
  };

  const loss = async (request: LossRequest, signal?: AbortSignal): Promise<LossAnswer> => {
    const { coefficients } = request;
    if (coefficients.length < 2 || helpers.size === 0) return first.loss(request, signal);
    await share([request.origin, ...request.directions], signal);
    const workers = [null, ...helpers];
    const each = Math.ceil(coefficients.length / workers.length);
    const started = performance.now();
    const parts = await Promise.all(
      workers.map(async (helper, i): Promise<readonly LossValue[]> => {
        const part = { ...request, coefficients: coefficients.slice(i * each, (i + 1) * each) };
        if (part.coefficients.length === 0) return [];
        if (helper === null) return (await first.loss(part, signal)).points;
        try {
          return (await helper.evaluator.loss(part, signal)).points;
        } catch (error) {
          leave(helper, error);
          return (await first.loss(part, signal)).points;
        }
      }),
    );
    return { points: parts.flat(), seconds: (performance.now() - started) / 1000 };
  };

  return {
    ...first,
    load: (p, s) => (written(p.into), first.load(p, s)),
    combine: (p, s) => (written(p.into), first.combine(p, s)),
    random: (p, s) => (written(p.into), first.random(p, s)),
    normalise: (p, s) => (written(p.vector), first.normalise(p, s)),
    restrict: (p, s) => (written(p.into), first.restrict(p, s)),
    elementwise: (p, s) => (written(p.into), first.elementwise(p, s)),
    orthogonalise: (p, s) => (written(p.vector), first.orthogonalise(p, s)),
    gradient: (p, s) => (written(p.into, ...(p.keepState === true ? [p.at] : [])), first.gradient(p, s)),
    hvp: (p, s) => (written(p.into), first.hvp(p, s)),
    refreshStatistics: (p, s) => (written(p.vector), first.refreshStatistics(p, s)),
    release: async (p, s) => {
      written(...p.vectors);
      await Promise.all(
        [...helpers].map(async (helper) => {
          const held = p.vectors.filter((name) => helper.holds.delete(name));
          if (held.length > 0) await helper.evaluator.release({ vectors: held }, s).catch(() => undefined);
        }),
      );
      return first.release(p, s);
    },
    loss,
    close: () => {
      for (const { evaluator } of helpers) evaluator.close();
      first.close();
    },
  };
}
