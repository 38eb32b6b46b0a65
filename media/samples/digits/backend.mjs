/** TensorFlow.js on its native backend where tfjs-node is installed, else on WebAssembly. */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

export async function loadTensorFlow() {
  try {
    const { default: tf } = await import('@tensorflow/tfjs-node');
    return tf;
  } catch {
    console.log('tfjs-node is not to be had here: training on WebAssembly, which is slower');
  }
  const require = createRequire(import.meta.url);
  const tf = require('@tensorflow/tfjs');
  const { setWasmPaths } = require('@tensorflow/tfjs-backend-wasm');
  setWasmPaths(join(dirname(require.resolve('@tensorflow/tfjs-backend-wasm')), '/'));
  await tf.setBackend('wasm');
  return tf;
}
