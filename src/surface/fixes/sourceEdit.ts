/** Changes of a source text, as quick fixes propose them. */

/** Offsets into the text as it is; `from` equals `to` where something is only put in. */
export interface SourceEdit {
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

export const insertion = (at: number, text: string): SourceEdit => ({ from: at, to: at, text });

/** The text with all of them; none may overlap another. */
export function applyEdits(source: string, edits: readonly SourceEdit[]): string {
  return [...edits]
    .sort((a, b) => b.from - a.from)
    .reduce((text, { from, to, text: put }) => text.slice(0, from) + put + text.slice(to), source);
}

/** How the text ends its lines. */
export const lineEnd = (source: string): string => (source.includes('\r\n') ? '\r\n' : '\n');

/** The white space that a position's line begins with. */
export function indentAt(source: string, at: number): string {
  const start = lineStart(source, at);
  return /^[ \t]*/.exec(source.slice(start))?.[0] ?? '';
}

export const lineStart = (source: string, at: number): number => source.lastIndexOf('\n', at - 1) + 1;

/** Where the line ends that the last word before a position is on. */
export function endOfStatement(source: string, to: number): number {
  const trimmed = source.slice(0, to).trimEnd().length;
  const newline = source.indexOf('\n', trimmed);
  if (newline < 0) return source.length;
  return source[newline - 1] === '\r' ? newline - 1 : newline;
}
