/** Where NaN or Infinity began. Looked up once it was seen, so it may take the time of a step. */
import type { NonFinite, ParameterInfo } from '../../protocol/run.ts';
import type { Capture } from './capture.ts';
import { hookApply, isContainer, type Layer } from './layers.ts';
import { withSession } from './replay.ts';
import { isTensor, isVariable, type Engine, type KernelInvocation, type Tensor } from './tf.ts';
import type { WeightReader } from './weightReader.ts';

type Affected = Pick<NonFinite, 'parameters' | 'first' | 'last'>;

/** The parameters among these tensors that are not finite; null when all are. */
export function parametersNotFinite(
  reader: WeightReader,
  parameters: readonly ParameterInfo[],
  tensors: readonly (Tensor | null | undefined)[],
): Affected | null {
  const found = parameters.filter((_, i) => {
    const tensor = tensors[i];
    return tensor != null && !reader.finite(tensor);
  });
  const place = (info: ParameterInfo | undefined): NonFinite['first'] =>
    info === undefined ? null : { parameter: info.name, layer: info.layer };
  return found.length === 0
    ? null
    : { parameters: found.length, first: place(found[0]), last: place(found.at(-1)) };
}

/**
 * Runs a step's closure once more, at the same weights and on the same batch, and looks for the first operation whose
 * output is not finite. It leaves no trace, as no replay does.
 * @param f the closure of this very step
 * @returns null where the closure does not give it again
 */
export function originInForward(
  capture: Capture,
  f: () => Tensor,
  parameters: readonly ParameterInfo[],
): {
  readonly layer: string | null;
  readonly parameter: string | null;
  readonly operation: string | null;
  /** Whether the operation was given it, by the data or a constant. */
  readonly cameIn: boolean;
} | null {
  const { engine } = capture;
  const inside: Layer[] = [];
  let lastRead: ParameterInfo | null = null;
  let origin: ReturnType<typeof originInForward> = null;
  const see = ({ inputs, kernelName }: KernelInvocation, output: Tensor | Tensor[]): void => {
    for (const x of Object.values(inputs)) {
      if (!isTensor(x) || !isVariable(x)) continue;
      lastRead = parameters[capture.variables.indexOf(x)] ?? lastRead;
    }
    if ([output].flat().every((x) => isFiniteTensor(engine, x))) return;
    const layer = inside.filter((one) => !isContainer(one)).at(-1);
    const known: ParameterInfo | null = lastRead;
    origin = {
      layer: layer?.name ?? known?.layer ?? null,
      parameter: layer === undefined ? (known?.name ?? null) : null,
      operation: kernelName ?? null,
      // Nothing before it gave any.
      cameIn: Object.values(inputs).some((x) => isTensor(x) && !isVariable(x) && !isFiniteTensor(engine, x)),
    };
  };
  withSession({ ...capture, f, leaves: [] }, (session) => {
    const own = Object.getOwnPropertyDescriptor(engine, 'runKernelFunc');
    const run = engine.runKernelFunc;
    engine.runKernelFunc = function (this: Engine, invocation: KernelInvocation) {
      const output = run.call(this, invocation);
      if (origin === null) see(invocation, output);
      return output;
    };
    const unhook = hookApply({
      before(layer, _, kwargs) {
        inside.push(layer);
        return kwargs;
      },
      after(_, __, output) {
        inside.pop();
        return output;
      },
    });
    try {
      session.run({ leaves: [], samples: 1, step: -1, loss: null, draws: [] }, (closure) => closure());
    } finally {
      unhook();
      if (own === undefined) delete (engine as Partial<Engine>).runKernelFunc;
      else Object.defineProperty(engine, 'runKernelFunc', own);
    }
  });
  return origin;
}

function isFiniteTensor(engine: Engine, tensor: Tensor): boolean {
  if (tensor.dtype !== 'float32') return true;
  const info = engine.state.tensorInfo.get(tensor.dataId);
  const values = (info?.backend ?? engine.backend).readSync(tensor.dataId);
  return values.every((x) => Number.isFinite(x));
}
