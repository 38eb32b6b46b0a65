/**
 * JSON on the evaluator wire. JSON has no NaN and no Infinity, and a loss may be either: they travel as
 * {"$number": "NaN" | "Infinity" | "-Infinity"}, so that no text can be taken for a number.
 */
const KEY = '$number';

export function encodeWireJson(message: unknown): string {
  return JSON.stringify(message, (_, value: unknown) =>
    typeof value === 'number' && !Number.isFinite(value) ? { [KEY]: String(value) } : value,
  );
}

export function decodeWireJson(text: string): unknown {
  return JSON.parse(text, (_, value: unknown) =>
    typeof value === 'object' && value !== null && KEY in value ? Number(value[KEY]) : value,
  );
}

/** Options of vscode-jsonrpc's StreamMessageReader and StreamMessageWriter that make an end speak this. */
export const wireReader = {
  contentTypeDecoder: {
    name: 'application/json',
    // never: what a peer sent is unknown, and the library's Message type claims no more than an object.
    decode: (bytes: Uint8Array): Promise<never> =>
      new Promise((resolve) => resolve(decodeWireJson(new TextDecoder().decode(bytes)) as never)),
  },
};
export const wireWriter = {
  contentTypeEncoder: {
    name: 'application/json',
    encode: (message: unknown): Promise<Uint8Array> =>
      new Promise((resolve) => resolve(new TextEncoder().encode(encodeWireJson(message)))),
  },
};
