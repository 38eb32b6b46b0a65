/** What requests of the Debug Adapter Protocol have to carry: clients are many, and not all of them are careful. */
import type { DebugProtocol } from '@vscode/debugprotocol';

type Kind = 'text' | 'number' | 'list of texts' | 'list' | 'object';

const needed: Readonly<Record<string, Readonly<Record<string, Kind>>>> = {
  setBreakpoints: { source: 'object' },
  setExceptionBreakpoints: { filters: 'list of texts' },
  dataBreakpointInfo: { name: 'text' },
  setDataBreakpoints: { breakpoints: 'list' },
  variables: { variablesReference: 'number' },
  evaluate: { expression: 'text' },
  completions: { text: 'text', column: 'number' },
};

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null;
const kinds: Readonly<Record<Kind, (value: unknown) => boolean>> = {
  text: (value) => typeof value === 'string',
  number: (value) => typeof value === 'number' && Number.isFinite(value),
  'list of texts': (value) => Array.isArray(value) && value.every((one) => typeof one === 'string'),
  list: (value) => Array.isArray(value) && value.every(isObject),
  object: isObject,
};

/** @returns what is wrong with a request's arguments, as a sentence; null where nothing is */
export function complaint({ command, arguments: given }: DebugProtocol.Request): string | null {
  const values = (given ?? {}) as Readonly<Record<string, unknown>>;
  if (!isObject(values)) return `The arguments of ${command} are no object.`;
  for (const [name, kind] of Object.entries(needed[command] ?? {}))
    if (!kinds[kind](values[name]))
      return `${command} needs "${name}", ${kind === 'object' ? 'an' : 'a'} ${kind}.`;
  const { breakpoints } = values;
  // Those of launch and attach are another thing.
  if (command === 'setBreakpoints' && breakpoints !== undefined && !kinds.list(breakpoints))
    return `"breakpoints" of ${command} are no list.`;
  return null;
}
