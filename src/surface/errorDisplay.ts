/** The one place that decides how a failure reaches the user: nothing for a cancel, else one notification, detail to the log. */
import * as vscode from 'vscode';
import { isCancelled, sentenceOf, toErrorData } from '../protocol/errors.ts';
import { commands } from './ids.ts';

export class ErrorDisplay {
  constructor(private readonly log: vscode.LogOutputChannel) {}

  /** Does not wait for the user. */
  show(error: unknown): void {
    if (isCancelled(error)) return;
    const { message, detail } = toErrorData(error);
    this.log.error(detail === undefined ? message : `${message}\n${detail}`);
    const showLog = vscode.l10n.t('Show Log');
    void vscode.window.showErrorMessage(sentenceOf(error), showLog).then((answer) => {
      if (answer === showLog) void vscode.commands.executeCommand(commands.showLog);
    });
  }

  /** For what nobody asked for and nobody has to act on. */
  note(error: unknown): void {
    if (isCancelled(error)) return;
    const { message, detail } = toErrorData(error);
    this.log.warn(detail === undefined ? message : `${message}\n${detail}`);
  }
}
