/** Stochastic weight averaging by `torch.optim.swa_utils`, written into a script. */
import type { SyntaxNode } from '@lezer/common';
import { findPythonLoop } from './pythonLoop.ts';
import { endOfStatement, indentAt, insertion, lineEnd, lineStart, type SourceEdit } from './sourceEdit.ts';

const MODULE = 'torch.optim.swa_utils';

/**
 * From three quarters of the outermost loop on, an average at the end of each of its rounds (Izmailov et al. 2018); where it
 * has no counter, an exponential moving average at every step. Batch-norm statistics are computed anew at the end where the
 * data loader has a name.
 * @returns null where no loop was found, or the script averages already
 */
export function averageInPython(source: string): SourceEdit[] | null {
  const loop = findPythonLoop(source);
  if (loop === null || /\bAveragedModel\b/.test(source)) return null;
  const { step, loops, outermost, model, loader, counter } = loop;
  const eol = lineEnd(source);
  const unit = indentUnit(source);
  const names = ['AveragedModel'];
  let made = `AveragedModel(${model})`;
  if (counter === null) {
    names.push('get_ema_multi_avg_fn');
    made = `AveragedModel(${model}, multi_avg_fn=get_ema_multi_avg_fn(0.999))`;
  }
  if (loader !== null) names.push('update_bn');
  const around = indentAt(source, outermost.from);

  // At the end of a round: behind the loop over its batches, or behind the step where there is no such loop.
  const behind = counter !== null && loops.length > 1 ? (loops.at(-2) ?? step) : step;
  const indent = indentAt(source, behind.from);
  const update = `swa_model.update_parameters(${model})`;
  const lines =
    counter === null
      ? [`${indent}${update}`]
      : [`${indent}if ${counter.name} >= 3 * (${counter.end}) // 4:`, `${indent}${unit}${update}`];
  return [
    importOf(source, names),
    insertion(lineStart(source, outermost.from), `${around}swa_model = ${made}${eol}`),
    insertion(endOfStatement(source, behind.to), lines.map((line) => eol + line).join('')),
    ...(loader === null ? [] : [updateBehind(source, outermost, loader, 'swa_model')]),
  ];
}

/** @returns null where there is nothing to update, the loader has no name, or it is done already */
export function updateBatchNormInPython(source: string): SourceEdit[] | null {
  const loop = findPythonLoop(source);
  const [, average] = /([A-Za-z_]\w*)\s*=\s*(?:[\w.]+\.)?AveragedModel\(/.exec(source) ?? [];
  if (loop?.loader == null || average === undefined || /\bupdate_bn\s*\(/.test(source)) return null;
  return [importOf(source, ['update_bn']), updateBehind(source, loop.outermost, loop.loader, average)];
}

/** The average's batch-norm statistics, behind a loop. */
function updateBehind(source: string, loop: SyntaxNode, loader: string, average: string): SourceEdit {
  const call = `${lineEnd(source)}${indentAt(source, loop.from)}update_bn(${loader}, ${average})`;
  return insertion(endOfStatement(source, loop.to), call);
}

/** Below the module's imports, or on top where it has none in plain sight. */
function importOf(source: string, names: readonly string[]): SourceEdit {
  const line = `from ${MODULE} import ${names.join(', ')}`;
  const last = [...source.matchAll(/^(?:import|from)\s+torch\b[^\n(\\]*$/gm)].at(-1);
  const eol = lineEnd(source);
  if (last === undefined) return insertion(0, line + eol);
  return insertion(endOfStatement(source, last.index + last[0].length), eol + line);
}

/** What the script indents by. */
function indentUnit(source: string): string {
  return /:[ \t]*(?:#[^\n]*)?\r?\n([ \t]+)\S/.exec(source)?.[1] ?? '    ';
}
