/** Stochastic weight averaging as a callback of `model.fit`, written into a script. */
import { codeTokens, findFit, type FitCall } from './javaScriptCalls.ts';
import { insertion, lineEnd, type SourceEdit } from './sourceEdit.ts';

const HELPER = 'averageWeights';

/**
 * The mean of the weights after every epoch of the last quarter (Izmailov et al. 2018), put into the model at the end.
 * @returns null where no `fit` with options in place and a number of epochs was found, its callbacks are no object in place,
 *   or the script does not name the library
 */
export function averageInJavaScript(source: string, typed: boolean): SourceEdit[] | null {
  const call = findFit(codeTokens(source));
  const library = libraryName(source);
  const epochs = call?.properties.get('epochs');
  const [first, last] = [epochs?.[0], epochs?.at(-1)];
  if (call?.model == null || library === null || first === undefined || last === undefined) return null;
  if (source.includes(HELPER)) return null;
  const count = source.slice(first.from, last.to);
  const quarter = /^\d+$/.test(count) ? String(Math.floor(0.75 * Number(count))) : `0.75 * (${count})`;
  const callback = `${HELPER}(${call.model}, ${quarter})`;
  const eol = lineEnd(source);
  const text = helper(library, typed).replaceAll('\n', eol);
  const hook = hookEdits(call, callback);
  if (hook === null) return null;
  return [...hook, insertion(source.length, `${source.endsWith('\n') ? '' : eol}${eol}${text}`)];
}

/** A list of callbacks where there is one already: `fit` takes several objects, of which none may be an instance. */
function hookEdits({ open, properties }: FitCall, callback: string): SourceEdit[] | null {
  const own = properties.get('callbacks');
  if (own === undefined) return [insertion(open.to, ` callbacks: ${callback},`)];
  const [first, last] = [own[0], own.at(-1)];
  if (first?.value !== '{' || last?.value !== '}') return null;
  return [insertion(first.from, `[${callback}, `), insertion(last.to, ']')];
}

/** The name of the whole library: `import * as tf from`, `const tf = require(`, or `tf` that is used as it. */
function libraryName(source: string): string | null {
  const [, imported, required] =
    /import\s+(?:\*\s+as\s+)?([\w$]+)\s+from\s+['"]@tensorflow\/tfjs|(?:const|let|var)\s+([\w$]+)\s*=\s*require\(\s*['"]@tensorflow\/tfjs/.exec(
      source,
    ) ?? [];
  return imported ?? required ?? (/\btf\.(?:sequential|layers|model|train)\b/.test(source) ? 'tf' : null);
}

function helper(tf: string, typed: boolean): string {
  const [model, number, tensors] = typed
    ? [`model: ${tf}.LayersModel`, 'first: number', `: ${tf}.Tensor[] | null`]
    : ['model', 'first', ''];
  const epoch = typed ? 'epoch: number' : 'epoch';
  return `/**
 * Stochastic weight averaging (Izmailov et al. 2018): the mean of the weights after each epoch from \`first\` on, put into
 * the model at the end. Batch-norm statistics are averaged with them.
 */
function ${HELPER}(${model}, ${number}) {
  let mean${tensors} = null;
  let count = 0;
  return {
    onEpochEnd: (${epoch}) => {
      if (epoch < first) return;
      count++;
      const last = mean;
      mean = model.getWeights().map((weight, i) =>
        last === null ? weight.clone() : ${tf}.tidy(() => last[i].add(weight.sub(last[i]).div(count))),
      );
      last?.forEach((weight) => weight.dispose());
    },
    onTrainEnd: () => {
      if (mean === null) return;
      model.setWeights(mean);
      mean.forEach((weight) => weight.dispose());
    },
  };
}
`;
}
