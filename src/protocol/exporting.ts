/** Who writes an export: what the engine does, and what the editor asks leave for. */
import type { ExportFormat } from './results.ts';
import type { RunManifest } from './run.ts';

/**
 * Whether a format has to be written by the training process: TF.js's variables have the names they are exported by,
 * a state_dict is known to the script's own module only.
 */
export function exportNeedsProcess(format: ExportFormat, framework: RunManifest['framework']): boolean {
  return format !== 'safetensors' || framework === 'torch';
}
