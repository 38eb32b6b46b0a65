/** The interpreter that the Python extension has chosen for a file. */
import * as vscode from 'vscode';

const EXTENSION = 'ms-python.python';

/** What is used of that extension's public API (its `environments`, stable since 2023). */
interface PythonApi {
  readonly environments?: {
    getActiveEnvironmentPath(resource?: vscode.Uri): { readonly path: string } | undefined;
    resolveEnvironment(environment: {
      readonly path: string;
    }): Promise<{ readonly executable: { readonly uri: vscode.Uri | undefined } } | undefined>;
  };
}

/** Absolute path; null for a file that is no Python, without the extension, or where it has found none. */
export async function activePython(script: string): Promise<string | null> {
  if (!script.endsWith('.py')) return null;
  const extension = vscode.extensions.getExtension<PythonApi>(EXTENSION);
  if (extension === undefined) return null;
  try {
    const { environments } = await extension.activate();
    const active = environments?.getActiveEnvironmentPath(vscode.Uri.file(script));
    if (environments === undefined || active === undefined) return null;
    return (await environments.resolveEnvironment(active))?.executable.uri?.fsPath ?? null;
  } catch {
    // Another extension's trouble is no reason not to train: the search without it goes on.
    return null;
  }
}
