/** The named vectors of one connection and the algebra on them. Reductions accumulate in float64. */
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { BasinError, cancelled } from '../../protocol/errors.ts';
import type { ElementwiseFunction, Included, Normalisation, Operand } from '../../protocol/evaluator.ts';
import type { ParameterInfo } from '../../protocol/run.ts';
import { elementCount } from '../../protocol/safetensors.ts';
import { elementwise } from './elementwise.ts';
import type { TypedArray } from './tf.ts';
import { VectorFile, type Layout, type Vector } from './vectorFile.ts';

export function dot(a: Float32Array, b: Float32Array): number {
  let s = 0;
  for (let i = 0; i < a.length; i++) s += (a[i] ?? 0) * (b[i] ?? 0);
  return s;
}
export const norm = (a: Float32Array): number => Math.sqrt(dot(a, a));

/** Spacing of float32 numbers at 1. */
const EPS32 = 2 ** -23;

/**
 * Step h of a difference along a direction of this length, relative to where it is taken.
 * @param share of the spacing ε₃₂ of float32: its root or its cube root, as rounding is balanced against curvature
 */
export const differenceStep = (
  at: Float32Array,
  length: number,
  share: (epsilon: number) => number,
): number => (share(EPS32) * (1 + norm(at))) / length;

/** Elements that are worked on at a time when operands are streamed from files. */
const BLOCK = 65_536;
/** Bytes of operands in memory at a time while a Gram matrix is computed. */
const GRAM_BYTES = 32 * 2 ** 20;

/** Something that parameters can be read from block by block. */
interface Source {
  readBlock(from: number, into: Float32Array): void;
  state(): readonly TypedArray[] | null;
  close(): void;
}

export class Vectors {
  private readonly named = new Map</* vector name */ string, Vector>();

  constructor(private readonly layout: Layout) {}

  /** @throws BasinError `not-found` */
  get(name: string): Vector {
    const v = this.named.get(name);
    if (v === undefined) {
      throw new BasinError(
        'not-found',
        `There is no vector "${name}" on this connection.`,
        'Load or compute it first.',
      );
    }
    return v;
  }

  set(name: string, vector: Vector): number {
    if (vector.values.length !== this.layout.parameterCount) {
      throw new BasinError(
        'bad-input',
        `A vector of this objective has ${String(this.layout.parameterCount)} elements.`,
      );
    }
    this.named.set(name, vector);
    return norm(vector.values);
  }

  release(names: readonly string[]): number {
    return names.filter((n) => this.named.delete(n)).length;
  }

  clear(): void {
    this.named.clear();
  }

  loadFile(name: string, file: string): number {
    const f = VectorFile.open(file, this.layout);
    try {
      return this.set(name, { values: f.values(), state: f.state() });
    } finally {
      f.close();
    }
  }

  private source(operand: Operand): Source {
    if (typeof operand !== 'string') return VectorFile.open(operand.file, this.layout);
    const { values, state } = this.get(operand);
    return {
      readBlock: (from, into) => {
        into.set(values.subarray(from, from + into.length));
      },
      state: () => state,
      close: () => undefined,
    };
  }

  private withSources<T>(operands: readonly Operand[], body: (sources: readonly Source[]) => T): T {
    const open: Source[] = [];
    try {
      for (const operand of operands) open.push(this.source(operand));
      return body(open);
    } finally {
      for (const s of open) s.close();
    }
  }

  /** into ← Σ coefficient · operand; see EvaluatorRequests.combine. */
  combine(
    into: string,
    terms: readonly { readonly coefficient: number; readonly vector: Operand }[],
    state: Operand | 'combine' | null,
    isCancelled: () => boolean,
  ): number {
    // A vector may be called "combine"; the word itself is the instruction.
    const from = state === null || state === 'combine' ? null : state;
    const operands = from === null ? terms.map((t) => t.vector) : [...terms.map((t) => t.vector), from];
    return this.withSources(operands, (sources) => {
      const n = this.layout.parameterCount;
      const values = new Float32Array(n);
      const sum = new Float64Array(Math.min(BLOCK, n));
      const block = new Float32Array(sum.length);
      for (let at = 0; at < n; at += BLOCK) {
        if (isCancelled()) throw cancelled();
        const length = Math.min(BLOCK, n - at);
        sum.fill(0);
        terms.forEach(({ coefficient }, t) => {
          const part = block.subarray(0, length);
          sources[t]?.readBlock(at, part);
          for (let i = 0; i < length; i++) sum[i] = (sum[i] ?? 0) + coefficient * (part[i] ?? 0);
        });
        for (let i = 0; i < length; i++) values[at + i] = sum[i] ?? 0;
      }
      const carried =
        from !== null
          ? (sources[sources.length - 1]?.state() ?? null)
          : state === 'combine'
            ? this.combineState(
                terms.map((t) => t.coefficient),
                sources,
              )
            : null;
      return this.set(into, { values, state: carried?.map((s) => s.slice()) ?? null });
    });
  }

  /** The same sum over floating state; whole-number state (counters, flags) is the first operand's. */
  private combineState(coefficients: readonly number[], sources: readonly Source[]): TypedArray[] {
    const states = sources.map((s) => {
      const state = s.state();
      if (state === null)
        throw new BasinError('bad-input', 'A vector without state cannot be combined with its state.');
      return state;
    });
    return (states[0] ?? []).map((first, tensor) => {
      if (!(first instanceof Float32Array)) return first.slice();
      return Float32Array.from(first, (_, i) =>
        states.reduce((s, state, t) => s + (coefficients[t] ?? 0) * (state[tensor]?.[i] ?? 0), 0),
      );
    });
  }

  /** (v_i − origin)·(v_j − origin); memory stays bounded for any number of files. */
  gram(vectors: readonly Operand[], origin: Operand | null, isCancelled: () => boolean): number[][] {
    const m = vectors.length;
    const n = this.layout.parameterCount;
    const rows = Array.from({ length: m }, () => new Float64Array(m));
    // Small enough that a pair of blocks stays in the cache, large enough to be read at one go.
    const width = Math.max(256, Math.min(4096, Math.floor(GRAM_BYTES / (8 * Math.max(1, m)))));
    // A file is opened for each pass over it, so that any number of snapshots works with few open files.
    const chunk = Math.max(width, Math.floor(GRAM_BYTES / (4 * Math.max(1, m))));
    const whole = vectors.map(() => new Float32Array(Math.min(chunk, n)));
    const base = new Float32Array(Math.min(chunk, n));
    const blocks = vectors.map(() => new Float64Array(width));
    for (let at = 0; at < n; at += chunk) {
      const length = Math.min(chunk, n - at);
      if (origin !== null) this.withSources([origin], ([s]) => s?.readBlock(at, base.subarray(0, length)));
      vectors.forEach((v, i) => {
        this.withSources([v], ([s]) => s?.readBlock(at, whole[i]?.subarray(0, length) ?? base));
      });
      for (let b = 0; b < length; b += width) {
        if (isCancelled()) throw cancelled();
        const w = Math.min(width, length - b);
        blocks.forEach((block, i) => {
          const values = whole[i] ?? base;
          for (let j = 0; j < w; j++) block[j] = (values[b + j] ?? 0) - (base[b + j] ?? 0);
        });
        for (let i = 0; i < m; i++) for (let j = 0; j <= i; j++) addProduct(rows, blocks, i, j, w);
      }
    }
    return rows.map((row, i) => Array.from(row, (_, j) => (j <= i ? (row[j] ?? 0) : (rows[j]?.[i] ?? 0))));
  }

  /** A Gaussian direction; see EvaluatorRequests.random. */
  random(into: string, seed: number, like: string, normalisation: Normalisation, include: Included): number {
    const values = new Float32Array(this.get(like).values.length);
    for (const [p, d] of this.parts(values)) gaussian(seed, p.name, d);
    this.scaleTo(values, like, normalisation, include);
    return this.set(into, { values, state: null });
  }

  /** A vector's parameters and the part of it that belongs to each; views of the same memory. */
  private *parts(values: Float32Array): Generator<[ParameterInfo, Float32Array]> {
    let offset = 0;
    for (const p of this.layout.parameters) {
      const size = elementCount(p.shape);
      yield [p, values.subarray(offset, offset + size)];
      offset += size;
    }
  }

  /** What `random` does after its draw; see EvaluatorRequests.normalise. */
  normalise(name: string, like: string, normalisation: Normalisation, include: Included): number {
    const { values, state } = this.get(name);
    const changed = values.slice();
    this.scaleTo(changed, like, normalisation, include);
    return this.set(name, { values: changed, state });
  }

  /** In place: what is not included becomes zero, the rest is scaled to the units of `like`. */
  private scaleTo(values: Float32Array, like: string, normalisation: Normalisation, include: Included): void {
    const theta = this.get(like).values;
    let offset = 0;
    for (const [p, d] of this.parts(values)) {
      if ((p.role === 'bias' && !include.bias) || (p.role === 'norm' && !include.norm)) d.fill(0);
      else if (normalisation !== 'none')
        normalise(d, theta.subarray(offset, offset + d.length), p, normalisation);
      offset += d.length;
    }
  }

  /** into ← the named parameters, zero elsewhere. @throws BasinError `bad-input` for a name that is not there */
  restrict(name: string, into: string, parameters: readonly string[]): number {
    const values = this.get(name).values.slice();
    const wanted = new Set(parameters);
    for (const [p, part] of this.parts(values)) if (!wanted.delete(p.name)) part.fill(0);
    const [unknown] = wanted;
    if (unknown !== undefined) {
      throw new BasinError(
        'bad-input',
        `This objective has no parameter "${unknown}".`,
        `It has ${this.layout.parameters.map((p) => p.name).join(', ')}.`,
      );
    }
    return this.set(into, { values, state: null });
  }

  /** See EvaluatorRequests.elementwise. */
  elementwise(
    into: string,
    name: ElementwiseFunction,
    of: readonly string[],
    constant: number | undefined,
  ): number {
    const operands = of.map((one) => this.get(one).values);
    return this.set(into, { values: elementwise(name, operands, constant), state: null });
  }

  /** Classical Gram–Schmidt, twice ("twice is enough", Giraud et al. 2005). */
  orthogonalise(name: string, against: readonly string[]): { coefficients: number[]; norm: number } {
    const vector = this.get(name);
    const values = vector.values.slice();
    const coefficients = new Float64Array(against.length);
    const basis = against.map((b) => this.get(b).values);
    for (let pass = 0; pass < 2; pass++) {
      const parts = basis.map((b) => dot(values, b));
      for (let i = 0; i < values.length; i++) {
        let x = values[i] ?? 0;
        for (let k = 0; k < basis.length; k++) x -= (parts[k] ?? 0) * (basis[k]?.[i] ?? 0);
        values[i] = x;
      }
      parts.forEach((c, k) => (coefficients[k] = (coefficients[k] ?? 0) + c));
    }
    return { coefficients: [...coefficients], norm: this.set(name, { values, state: vector.state }) };
  }
}

function addProduct(
  rows: readonly Float64Array[],
  blocks: readonly Float64Array[],
  i: number,
  j: number,
  w: number,
): void {
  const [a, b, row] = [blocks[i], blocks[j], rows[i]];
  if (a === undefined || b === undefined || row === undefined) return;
  // Four sums at a time keep the adder busy.
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  let k = 0;
  for (; k + 3 < w; k += 4) {
    s0 += (a[k] ?? 0) * (b[k] ?? 0);
    s1 += (a[k + 1] ?? 0) * (b[k + 1] ?? 0);
    s2 += (a[k + 2] ?? 0) * (b[k + 2] ?? 0);
    s3 += (a[k + 3] ?? 0) * (b[k + 3] ?? 0);
  }
  for (; k < w; k++) s0 += (a[k] ?? 0) * (b[k] ?? 0);
  row[j] = (row[j] ?? 0) + s0 + s1 + s2 + s3;
}

/**
 * Fills with N(0, 1) by Box–Muller. The stream belongs to (seed, parameter name), so a parameter's noise does not
 * depend on which others there are.
 */
function gaussian(seed: number, name: string, into: Float32Array): void {
  const rng = xoroshiro128plus(hash(seed, name));
  for (let i = 0; i < into.length; i += 2) {
    const radius = Math.sqrt(-2 * Math.log(1 - uniformFloat64(rng)));
    const angle = 2 * Math.PI * uniformFloat64(rng);
    into[i] = radius * Math.cos(angle);
    if (i + 1 < into.length) into[i + 1] = radius * Math.sin(angle);
  }
}

/** FNV-1a over both. */
function hash(seed: number, name: string): number {
  let h = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(`${String(seed)}/${name}`))
    h = Math.imul(h ^ byte, 0x01000193) >>> 0;
  return h | 0;
}

/** d ← d/‖d‖·‖θ‖ per filter (Li et al. 2018), or over the whole parameter where it has no filters. */
function normalise(
  d: Float32Array,
  theta: Float32Array,
  p: ParameterInfo,
  normalisation: 'filter' | 'layer',
): void {
  const axis = normalisation === 'filter' ? p.filterAxis : null;
  const units = axis === null ? 1 : (p.shape[axis] ?? 1);
  const inner = axis === null ? d.length : elementCount(p.shape.slice(axis + 1));
  const unitOf = (i: number): number => (axis === null ? 0 : Math.floor(i / inner) % units);
  const dd = new Float64Array(units);
  const tt = new Float64Array(units);
  for (let i = 0; i < d.length; i++) {
    const u = unitOf(i);
    dd[u] = (dd[u] ?? 0) + (d[i] ?? 0) ** 2;
    tt[u] = (tt[u] ?? 0) + (theta[i] ?? 0) ** 2;
  }
  const factors = dd.map((x, u) => (x > 0 ? Math.sqrt((tt[u] ?? 0) / x) : 0));
  for (let i = 0; i < d.length; i++) d[i] = (d[i] ?? 0) * (factors[unitOf(i)] ?? 0);
}
