/** What requests of the Debug Adapter Protocol have to carry: clients are many, and not all of them are careful. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import * as v from 'valibot';

interface Need {
  readonly schema: v.GenericSchema;
  /** What it is, in words. */
  readonly what: string;
}

const text: Need = { schema: v.string(), what: 'a text' };
const number: Need = { schema: v.pipe(v.number(), v.finite()), what: 'a number' };
const object: Need = { schema: v.looseObject({}), what: 'an object' };
const texts: Need = { schema: v.array(v.string()), what: 'a list of texts' };
const objects: Need = { schema: v.array(v.looseObject({})), what: 'a list of objects' };

const needed: Readonly<Record<string, Readonly<Record<string, Need>>>> = {
  setBreakpoints: { source: object, breakpoints: { ...objects, schema: v.optional(objects.schema) } },
  setExceptionBreakpoints: { filters: texts },
  dataBreakpointInfo: { name: text },
  setDataBreakpoints: { breakpoints: objects },
  variables: { variablesReference: number },
  evaluate: { expression: text },
  completions: { text, column: number },
};

/** @returns what is wrong with a request's arguments, as a sentence; null where nothing is */
export function complaint({ command, arguments: given }: DebugProtocol.Request): string | null {
  const values: unknown = given ?? {};
  if (!v.is(v.looseObject({}), values)) return `The arguments of ${command} are no object.`;
  const needs = Object.hasOwn(needed, command) ? needed[command] : {};
  for (const [name, { schema, what }] of Object.entries(needs ?? {}))
    if (!v.is(schema, values[name])) return `${command} needs "${name}", ${what}.`;
  return null;
}
