/** What the user says of a run, apart from what was recorded: label.json in the run's folder. */
import * as v from 'valibot';

export const LABEL_FILE = 'label.json';

/** Longer names help nobody and break every list. */
export const LONGEST_NAME = 120;

export const runLabelSchema = v.looseObject({
  /** In place of the name that the run was recorded under. */
  name: v.optional(v.pipe(v.string(), v.trim(), v.minLength(1), v.maxLength(LONGEST_NAME))),
  /** The run that others are compared with; at most one of a workspace folder. */
  baseline: v.optional(v.boolean()),
});
export type RunLabel = v.InferOutput<typeof runLabelSchema>;
