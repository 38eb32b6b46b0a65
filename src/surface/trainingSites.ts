/** Which run a document's training call belongs to, and on which line the call stands now. */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type * as vscode from 'vscode';
import { isSameFile } from '../runs/sameFile.ts';
import type { ObjectiveInfo } from '../protocol/run.ts';
import { findLearningRates, type LearningRateSite } from './learningRates.ts';
import { findPythonCalls, MAIN } from './pythonCalls.ts';
import { APPLIES, findTrainingCalls, nearestCall, type TrainingCall } from './trainingCalls.ts';
import type { KnownRun, WorkspaceRuns } from './workspaceRuns.ts';

export interface TrainingSite {
  readonly run: KnownRun;
  readonly objective: ObjectiveInfo;
  readonly index: number;
  /** Zero-based, in the document as it is now. */
  readonly line: number;
}

/** Where a script gives a learning rate, with the objective that it belongs to. */
export interface RateOfObjective {
  readonly rate: LearningRateSite;
  readonly site: TrainingSite;
}

export class TrainingSites {
  /** What was found in a document's newest version: lenses, hints, quick fixes and the context key ask for it alike. */
  readonly #calls = new OfVersion((document): readonly TrainingCall[] =>
    (document.languageId === 'python' ? findPythonCalls : findTrainingCalls)(document.getText()),
  );
  readonly #rates = new OfVersion((document) => findLearningRates(document.getText(), document.languageId));

  constructor(private readonly runs: WorkspaceRuns) {}

  /** Where training is started from. */
  calls(document: vscode.TextDocument): readonly TrainingCall[] {
    return this.#calls.of(document).filter((call) => call.name !== APPLIES);
  }

  /** The newest run that was trained by this document, whether it is the script itself or a module it trains in. */
  run(document: vscode.TextDocument): KnownRun | undefined {
    const file = document.uri.fsPath;
    return this.runs.all.find(
      ({ manifest }) =>
        manifest !== null &&
        (manifest.objectives.some(
          (o) => o.callSite !== null && samePath(o.callSite.file, file, manifest.cwd),
        ) ||
          (manifest.script !== null && samePath(manifest.script, file, manifest.cwd))),
    );
  }

  /**
   * One site per objective of that run. The recorded line is followed to the nearest training call, so that edits since
   * the run began move it along; a call that the finder does not know (a helper's) stays at its recorded line.
   */
  sites(document: vscode.TextDocument): TrainingSite[] {
    const run = this.run(document);
    if (run?.manifest == null) return [];
    const { manifest } = run;
    // The start of a script is no place where a step is taken.
    const calls = this.#calls.of(document).filter((call) => call.name !== MAIN);
    return manifest.objectives.flatMap((objective, index) => {
      const { callSite } = objective;
      const here = callSite !== null && samePath(callSite.file, document.uri.fsPath, manifest.cwd);
      // Recorded elsewhere, as in a module that the script imports: shown there, if it is opened.
      if (callSite !== null && !here) return [];
      const recorded = callSite === null ? calls[0]?.line : callSite.line - 1;
      if (recorded === undefined) return [];
      const line = Math.min(nearestCall(calls, recorded), document.lineCount - 1);
      return [{ run, objective, index, line }];
    });
  }

  /**
   * The learning rates of the document's newest run, each with its objective: in the order of the text where there are as
   * many as objectives, all of them the only objective's where there is one; else none, since which is which is not known.
   */
  learningRates(document: vscode.TextDocument): RateOfObjective[] {
    const run = this.run(document);
    const objectives = run?.manifest?.objectives ?? [];
    if (run === undefined || objectives.length === 0) return [];
    const rates = this.#rates.of(document);
    if (objectives.length > 1 && objectives.length !== rates.length) return [];
    return rates.flatMap((rate, i) => {
      const index = objectives.length === 1 ? 0 : i;
      const objective = objectives[index];
      const { line } = document.positionAt(rate.from);
      return objective === undefined ? [] : [{ rate, site: { run, objective, index, line } }];
    });
  }
}

/** A finding of each document, made once a version. */
class OfVersion<T> {
  readonly #known = new WeakMap<vscode.TextDocument, { version: number; found: T }>();

  constructor(private readonly find: (document: vscode.TextDocument) => T) {}

  of(document: vscode.TextDocument): T {
    const known = this.#known.get(document);
    if (known?.version === document.version) return known.found;
    const found = this.find(document);
    this.#known.set(document, { version: document.version, found });
    return found;
  }
}

function samePath(recorded: string, file: string, cwd: string): boolean {
  return isSameFile(
    path.resolve(cwd, recorded.startsWith('file:') ? fileURLToPath(recorded) : recorded),
    file,
  );
}
