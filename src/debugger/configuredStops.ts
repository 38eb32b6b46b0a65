/** What a configuration names to stop at, beside what is set in the editor: conditions at every step, and training events. */
import { BasinError, toErrorData } from '../protocol/errors.ts';
import { StepBreakpoint } from './breakpoints.ts';
import { eventFilters, type TrainingEventId } from './events.ts';
import { knownNames } from './stepValues.ts';

/** What a client knows no breakpoint by. */
export const CONFIGURED = 0;

export interface ConfiguredStops {
  readonly conditions: readonly StepBreakpoint[];
  readonly events: ReadonlySet<TrainingEventId>;
}

/**
 * @param texts ids of events (`loss-spike`), or conditions over a step's values (`loss > 2`)
 * @throws BasinError `bad-input` for what is neither, with the events and values that there are
 */
export function configuredStops(texts: readonly string[]): ConfiguredStops {
  const events = new Set<TrainingEventId>();
  const conditions: StepBreakpoint[] = [];
  for (const text of texts) {
    const event = eventFilters.find(({ id }) => id === text.trim());
    if (event === undefined) conditions.push(conditionOf(text));
    else events.add(event.id);
  }
  return { conditions, events };
}

function conditionOf(text: string): StepBreakpoint {
  let why: { readonly message: string; readonly cure?: string };
  try {
    if (text.trim() !== '')
      return StepBreakpoint.parse(CONFIGURED, { condition: text }, { values: knownNames, functions: [] });
    why = { message: 'It is empty.' };
  } catch (error) {
    why = toErrorData(error);
  }
  throw new BasinError(
    'bad-input',
    `"breakpoints" cannot have ${JSON.stringify(text)}: it names no training event, and is no condition. ${why.message}`,
    [why.cure, `Events are ${eventFilters.map(({ id }) => id).join(', ')}.`].filter(Boolean).join(' '),
  );
}
