/**
 * Ids that package.json and code must agree on, typed once. test/unit/surface/manifest.test.ts holds them against
 * the manifest and its strings.
 */

/** Commands by what they do; the titles stand in package.nls.json. */
export const commands = {
  train: 'basin.train',
  trainWithArguments: 'basin.trainWithArguments',
  debug: 'basin.debug',
  trainOn: 'basin.trainOn',
  pause: 'basin.pause',
  continue: 'basin.continue',
  hookTerminal: 'basin.hookTerminal',
  openRun: 'basin.openRun',
  showContour: 'basin.showContour',
  average: 'basin.average',
  soup: 'basin.soup',
  ensemble: 'basin.ensemble',
  sweep: 'basin.sweep',
  swa: 'basin.swa',
  fge: 'basin.fge',
  snapshotEnsemble: 'basin.snapshotEnsemble',
  sharpness: 'basin.sharpness',
  stability: 'basin.stability',
  flatness: 'basin.flatness',
  spectrum: 'basin.spectrum',
  trajectory: 'basin.trajectory',
  cycles: 'basin.cycles',
  calibration: 'basin.calibration',
  margins: 'basin.margins',
  swag: 'basin.swag',
  score: 'basin.score',
  exportModel: 'basin.exportModel',
  report: 'basin.report',
  renameRun: 'basin.renameRun',
  pinBaseline: 'basin.pinBaseline',
  unpinBaseline: 'basin.unpinBaseline',
  compareWithBaseline: 'basin.compareWithBaseline',
  planeWithBaseline: 'basin.planeWithBaseline',
  compareModels: 'basin.compareModels',
  groupRuns: 'basin.groupRuns',
  ungroupRuns: 'basin.ungroupRuns',
  filterRuns: 'basin.filterRuns',
  clearFilter: 'basin.clearFilter',
  deleteRun: 'basin.deleteRun',
  revealRun: 'basin.revealRun',
  releaseRun: 'basin.releaseRun',
  cancelJobs: 'basin.cancelJobs',
  refresh: 'basin.refresh',
  openSample: 'basin.openSample',
  showLog: 'basin.showLog',
  reportIssue: 'basin.reportIssue',
} as const;
export type CommandId = (typeof commands)[keyof typeof commands];

export const views = {
  container: 'basin',
  runs: 'basin.runs',
  landscape: 'basin.landscape',
} as const;

/** View type of the panel, under which VS Code restores it after a restart. */
export const PANEL_TYPE = 'basin.run';

/** Type of the task that trains a file, as tasks.json names it. */
export const TASK_TYPE = 'basin';

/** Type of debug sessions, as launch.json names it. */
export const DEBUG_TYPE = 'basin';

export const WALKTHROUGH = 'basin.start';

/** Settings with the type and default that package.json declares for them. */
export const settings = {
  nodePath: 'basin.nodePath',
  pythonPath: 'basin.pythonPath',
  relaunch: 'basin.relaunch',
  snapshotEvery: 'basin.snapshotEvery',
  hold: 'basin.holdSeconds',
  liveBudget: 'basin.liveBudget',
  contourSize: 'basin.contourSize',
  inlayHints: 'basin.inlayHints',
  codeLens: 'basin.codeLens',
  liveContour: 'basin.liveContour',
} as const;

export interface SettingTypes {
  nodePath: string;
  pythonPath: string;
  relaunch: 'ask' | 'always' | 'never';
  snapshotEvery: number;
  hold: number;
  liveBudget: number;
  contourSize: number;
  inlayHints: boolean;
  codeLens: boolean;
  liveContour: boolean;
}

/** Keys for `when` clauses. */
export const contextKeys = {
  /** There is at least one run. */
  hasRuns: 'basin.hasRuns',
  /** A run's process is kept at its end. */
  hasHeld: 'basin.hasHeld',
  /** A run trains; another stands still in the debugger. */
  hasTraining: 'basin.hasTraining',
  hasPaused: 'basin.hasPaused',
  /** A job is running that can be cancelled. */
  busy: 'basin.busy',
  /** The Runs view shows them by script. */
  grouped: 'basin.grouped',
  /** The Runs view leaves some out. */
  filtered: 'basin.filtered',
  /** The active editor holds a training call. */
  trainable: 'basin.trainable',
} as const;

/** `viewItem` values of the Runs tree. A run's says more of it: "run held", "run baseline". */
export const treeItems = {
  script: 'script',
  run: 'run',
  corrupt: 'corrupt',
  snapshot: 'snapshot',
  model: 'model',
  analysis: 'analysis',
} as const;

/** Languages whose files can train: TensorFlow.js in Node, PyTorch in Python. */
export const languages = ['javascript', 'typescript', 'python'] as const;
