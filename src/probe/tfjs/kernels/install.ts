/**
 * Kernels that training needs and a backend lacks, or has wrong (see kernels.ts). They are registered only
 * while Basin evaluates, so the script sees the stock library.
 */
import { kernelRegistry, type Engine } from '../tf.ts';
import { cpuKernels, wasmKernels } from './kernels.ts';

/** Registers them for the engine's present backend; the result undoes it. */
export function installKernels(engine: Engine): () => void {
  const backendName = engine.backendName;
  const kernels = backendName === 'wasm' ? wasmKernels : backendName === 'cpu' ? cpuKernels : null;
  if (kernels === null) return () => undefined;
  const registry = kernelRegistry();
  const undo: (() => void)[] = [];
  for (const [kernelName, kernel] of kernels) {
    const key = `${backendName}_${kernelName}`;
    const stock = registry.get(key);
    registry.set(key, {
      ...stock,
      kernelName,
      backendName,
      kernelFunc: (args) => kernel(args, stock === undefined ? null : (a) => stock.kernelFunc(a)),
    });
    undo.push(() => {
      if (stock === undefined) registry.delete(key);
      else registry.set(key, stock);
    });
  }
  return () => undo.forEach((u) => u());
}
