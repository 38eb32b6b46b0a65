/** Numbers as people read them, in the page's language: few digits, an uncertainty where there is one, and a word for what is not a number. */
import { language } from './language.ts';
import { numerals } from './numerals.ts';

const NBSP = '\u00a0';
const MINUS = '\u2212';
const { decimal, count } = numerals(language);

/** `digits` significant digits without trailing zeros; very large and very small ones with a power of ten. */
export function formatNumber(value: number | null | undefined, digits = 4): string {
  if (value === null || value === undefined) return '–';
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? '∞' : `${MINUS}∞`;
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-4) return formatPower(value, digits);
  return decimal(Number(value.toPrecision(digits)).toString()).replaceAll('-', MINUS);
}

/** With its power of ten whatever its size, where there is little room: 0.003 → 3e−3. */
export function formatPower(value: number, digits = 1): string {
  const text = value.toExponential(Math.max(0, digits - 1)).replace(/\.?0*e\+?/, 'e');
  return decimal(text).replaceAll('-', MINUS);
}

/** Digits such that the standard error shows two, at most six of the value: "0.3120 ± 0.0042". */
export function formatWithError(value: number | null | undefined, error: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value) || !error || !Number.isFinite(error)) {
    return formatNumber(value);
  }
  const decimals = Math.min(8, Math.max(0, 1 - Math.floor(Math.log10(error))));
  if (Math.abs(value) >= 1e6 || decimals >= 8) return `${formatNumber(value)} ± ${formatNumber(error, 2)}`;
  return `${fixed(value, decimals)} ± ${fixed(error, decimals)}`;
}

/** A share as percent: 0.7134 → "71 %"; more digits close to 0 and 100 on request. */
export function formatPercent(share: number | null | undefined, decimals = 0): string {
  if (share === null || share === undefined || !Number.isFinite(share)) return '–';
  return `${fixed(100 * share, decimals)}${NBSP}%`;
}

/** An accuracy with its standard error in points of percent. */
export function formatAccuracy(share: number | null, error: number | null): string {
  if (share === null) return '–';
  return error ? `${fixed(100 * share, 1)} ± ${fixed(100 * error, 1)}${NBSP}%` : formatPercent(share, 1);
}

/** 1234567 → "1,234,567", or as the language groups it. */
export function formatCount(n: number): string {
  return count(Math.round(n));
}

/** 75 → "1 min 15 s". */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '–';
  if (seconds < 1) return `${Math.max(1, Math.round(seconds * 1000))}${NBSP}ms`;
  if (seconds < 10) return `${fixed(seconds, 1)}${NBSP}s`;
  if (seconds < 60) return `${Math.round(seconds)}${NBSP}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}${NBSP}min ${Math.round(seconds % 60)}${NBSP}s`;
  return `${Math.floor(minutes / 60)}${NBSP}h ${minutes % 60}${NBSP}min`;
}

/** An ISO time in the reader's own zone, in the page's language; in English as the reader's country writes it. */
export function formatTime(iso: string): string {
  const time = new Date(iso);
  return Number.isNaN(time.getTime())
    ? iso
    : time.toLocaleString(language === 'en' ? undefined : language, {
        dateStyle: 'medium',
        timeStyle: 'short',
      });
}

/** With so many decimals. */
const fixed = (value: number, decimals: number): string =>
  decimal(value.toFixed(decimals)).replace('-', MINUS);
