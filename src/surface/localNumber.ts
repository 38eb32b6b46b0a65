/** Numbers in the editor's own language: for rows, messages and the status item, which stand beside no code. */
import * as vscode from 'vscode';
import { shortNumber } from './shortNumber.ts';

/** As {@link shortNumber}, with the language's decimal sign: `0,312` in German. */
export function localNumber(x: number): string {
  return withSign(shortNumber(x));
}

/** With so many decimals, and no groups: `12,5`. */
export function localDecimals(x: number, decimals: number): string {
  return withSign(x.toFixed(decimals));
}

function withSign(text: string): string {
  const sign = new Intl.NumberFormat(vscode.env.language)
    .formatToParts(1.5)
    .find((p) => p.type === 'decimal');
  return text.replace('.', sign?.value ?? '.');
}
