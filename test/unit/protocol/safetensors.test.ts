import assert from 'node:assert/strict';
import { BasinError } from '../../../src/protocol/errors.ts';
import { encodeHeader, headerLength, parseHeader } from '../../../src/protocol/safetensors.ts';

const text = (s: string): Uint8Array => new TextEncoder().encode(s);
const isCorrupt = (error: unknown): boolean => error instanceof BasinError && error.code === 'corrupt-run';

/** Header bytes of a JSON text, as parseHeader takes them, and the length of a file with `data` bytes behind it. */
function parse(header: unknown, data: number) {
  const json = text(typeof header === 'string' ? header : JSON.stringify(header));
  return parseHeader(json, 8 + json.length + data);
}

describe('safetensors header', () => {
  it('reads back what it wrote', () => {
    const specs = [
      { name: 'dense/kernel', dtype: 'F32', shape: [3, 4] },
      { name: 'naïve ☃', dtype: 'I32', shape: [] },
      { name: 'empty', dtype: 'F32', shape: [0, 7] },
    ] as const;
    const { bytes, layout } = encodeHeader(specs, { step: '12' });
    const length = headerLength(bytes, layout.fileBytes);
    assert.equal(8 + length, bytes.length);
    const parsed = parseHeader(bytes.subarray(8), layout.fileBytes);
    assert.deepEqual(parsed.tensors, layout.tensors);
    assert.deepEqual(parsed.metadata, { step: '12' });
    assert.equal(parsed.fileBytes, bytes.length + 48 + 4);
  });

  it('starts the data at a multiple of 8 bytes, whatever the names', () => {
    for (let n = 1; n < 20; n++) {
      const { bytes } = encodeHeader([{ name: 'x'.repeat(n), dtype: 'F32', shape: [1] }]);
      assert.equal(bytes.length % 8, 0);
    }
  });

  it('takes tensors in any order of the header', () => {
    const parsed = parse(
      {
        b: { dtype: 'F32', shape: [1], data_offsets: [8, 12] },
        a: { dtype: 'F32', shape: [2], data_offsets: [0, 8] },
      },
      12,
    );
    assert.deepEqual(
      parsed.tensors.map((t) => t.name),
      ['b', 'a'],
    );
  });

  it('refuses two tensors of one name', () => {
    const twice = { name: 'w', dtype: 'F32', shape: [1] } as const;
    assert.throws(() => encodeHeader([twice, twice]), BasinError);
  });

  it('refuses a file shorter than 8 bytes, a huge header, and one longer than its file', () => {
    const claim = (n: bigint): Uint8Array => {
      const bytes = new Uint8Array(8);
      new DataView(bytes.buffer).setBigUint64(0, n, true);
      return bytes;
    };
    assert.throws(() => headerLength(new Uint8Array(7), 7), isCorrupt);
    assert.throws(() => headerLength(claim(2n ** 63n), 1e9), isCorrupt);
    assert.throws(() => headerLength(claim(100_000_001n), 1e9), isCorrupt);
    assert.throws(() => headerLength(claim(93n), 100), isCorrupt);
    assert.equal(headerLength(claim(92n), 100), 92);
  });

  const w = { dtype: 'F32', shape: [2], data_offsets: [0, 8] };
  const malformed: readonly [string, unknown, number][] = [
    ['text that is no JSON', '{"w":', 0],
    ['a list', [w], 8],
    ['null', null, 0],
    ['an unknown dtype', { w: { ...w, dtype: 'F31' } }, 8],
    ['a negative dimension', { w: { ...w, shape: [-2] } }, 8],
    ['a broken dimension', { w: { ...w, shape: [0.5] } }, 8],
    ['a shape that does not fit its bytes', { w: { ...w, shape: [3] } }, 8],
    ['a tensor behind the end', { w }, 4],
    ['bytes that belong to no tensor', { w }, 12],
    ['tensors that overlap', { w, v: w }, 8],
    ['a hole between tensors', { w, v: { ...w, data_offsets: [12, 20] } }, 20],
    ['offsets that run backwards', { w: { ...w, shape: [0], data_offsets: [8, 0] } }, 8],
    ['metadata that is not text', { __metadata__: { step: 3 }, w }, 8],
    ['no offsets', { w: { dtype: 'F32', shape: [2] } }, 8],
  ];
  for (const [what, header, data] of malformed) {
    it(`refuses ${what}`, () => assert.throws(() => parse(header, data), isCorrupt));
  }

  it('refuses bytes that are no UTF-8', () => {
    assert.throws(() => parseHeader(new Uint8Array([0xff, 0xfe, 0x7b]), 11), isCorrupt);
  });
});
