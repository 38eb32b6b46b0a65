/** What a launcher tells the probe, through the one environment variable BASIN_PROBE (JSON). */
import * as v from 'valibot';

export const PROBE_VARIABLE = 'BASIN_PROBE';

/**
 * In a hooked shell, where no launcher stands before each command: how a process that loads a framework asks for a run
 * of its own (JSON, {@link hookSchema}). What answers prints the probe's options.
 */
export const HOOK_VARIABLE = 'BASIN_HOOK';

export const hookSchema = v.object({
  /** Program and arguments; the asking process adds `--pid`, `--cwd`, and after `--` its own command line. */
  command: v.pipe(v.array(v.string()), v.minLength(1)),
  /** Added to the environment of that command. */
  environment: v.record(v.string(), v.string()),
});
export type Hook = v.InferOutput<typeof hookSchema>;

/** Created exclusively in the run directory by the process that takes the first step; it alone records. */
export const CLAIM_FILE = 'claim';
/**
 * Created (or left as it is) in the run directory by any probe that sees its framework being loaded, so that a run
 * without a step can say whether the script never loaded the framework or loaded it and never trained.
 */
export const LOADED_FILE = 'loaded';
/** Created in the run directory by a probe that sees so many updates made of gradients that it has not seen being taken. */
export const UNSEEN_FILE = 'unseen';
export const UNSEEN_UPDATES = 10;
/**
 * Written into the run directory by a Python that was asked for torch and has none, or one too old for the probe, that
 * did not find what it was to run, or by a probe that cannot see the steps (JSON, `pythonTroubleSchema`), so that a run
 * that never trained can say so.
 */
export const PYTHON_TROUBLE_FILE = 'python.json';

export const pythonTroubleSchema = v.object({
  executable: v.string(),
  /** Python's own version. */
  python: v.string(),
  /** torch's version; null when there is none. */
  torch: v.nullable(v.string()),
  /** A library that spreads a model's weights over processes, which is what keeps it from being recorded. */
  sharding: v.optional(v.string()),
  /** What the script trains by where no step can be seen: torch.func.grad, CUDA graphs. */
  unseen: v.optional(v.string()),
  /** What the interpreter was to run and did not find: "module named trian". */
  unfound: v.optional(v.string()),
  /** The shape of weights that are complex numbers. */
  complex: v.optional(v.string()),
});
export type PythonTrouble = v.InferOutput<typeof pythonTroubleSchema>;

/** Who started a process for questions. Process ids mean something inside of their namespace only. */
export const starterSchema = v.object({
  pid: v.number(),
  /** Of process ids, as Linux names it; null elsewhere. */
  namespace: v.nullable(v.string()),
});
export type Starter = v.InferOutput<typeof starterSchema>;

export const probeOptionsSchema = v.object({
  /** record: write a run. evaluate: freeze before the first update and answer questions. */
  mode: v.picklist(['record', 'evaluate']),
  /** Absolute path of .basin/runs/<id>; its run.json exists. */
  runDirectory: v.string(),
  /** Where to write the Endpoint (record: <run>/endpoint.json). */
  endpointFile: v.string(),
  /** Folder of mode 0700 for the socket, short enough for a unix socket path. */
  socketDirectory: v.string(),
  token: v.string(),
  /** Objective to freeze at (evaluate). */
  objective: v.number(),
  /** Snapshot stride asked for; null for automatic. */
  every: v.nullable(v.number()),
  /** record every weight-reading quantity at every step, whatever it costs. */
  everyStep: v.boolean(),
  /** Stand still before the first update until a debugger comes: at most a minute, or for good. */
  standFirst: v.optional(v.union([v.boolean(), v.literal('for-good')]), false),
  /** Keep the process at its end for questions, at most this many seconds; 0 = don't. */
  holdSeconds: v.number(),
  /** Samples in the evaluation set, per split. */
  evaluationSamples: v.number(),
  /** Nobody asks a frozen process (evaluate) once this one is gone. */
  starter: v.optional(starterSchema),
});
/** What a launcher writes. */
export type ProbeOptionsInput = v.InferInput<typeof probeOptionsSchema>;
export type ProbeOptions = v.InferOutput<typeof probeOptionsSchema>;
