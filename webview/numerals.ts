/** How a language writes numbers. Groups are never parted by a sign that may be read as the decimal one. */
import type { Language } from './language.ts';

export interface Numerals {
  /** A number as code writes it, with the language's decimal sign: "0,312" in German. */
  readonly decimal: (text: string) => string;
  /** A whole number in groups of three: "1,234,567", "1 234 567" in German. */
  readonly count: (n: number) => string;
  /** A number as people type it, also as code writes it; NaN for what is none. */
  readonly parse: (text: string) => number;
}

/** A comma parts groups in English and decimals in German: between groups stands a narrow space there (DIN 5008). */
const GROUP_BESIDE_COMMA = '\u202f';

export function numerals(language: Language): Numerals {
  const parts = new Intl.NumberFormat(language).formatToParts(1234567.5);
  const sign = parts.find(({ type }) => type === 'decimal')?.value ?? '.';
  const group = sign === '.' ? ',' : GROUP_BESIDE_COMMA;
  return {
    decimal: (text) => text.replace('.', sign),
    count: (n) =>
      new Intl.NumberFormat(language, { maximumFractionDigits: 0 })
        .formatToParts(n)
        .map(({ type, value }) => (type === 'group' ? group : value))
        .join(''),
    parse: (text) => (text.trim() === '' ? NaN : Number(text.trim().replace(sign, '.'))),
  };
}
