/** Option values as commander hands them over; a wrong one is wrong usage (exit 2). */
import { InvalidArgumentError } from 'commander';
import type { ModelReference } from '../protocol/job.ts';
import { isDirectionName, planeNames, type PlaneChoice } from '../protocol/plane.ts';

export function wholeNumber(least: number, most = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(
      `It has to be a whole number ${most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`}.`,
    );
  };
}

export function oddNumber(text: string): number {
  const value = wholeNumber(5, 401)(text);
  if (value % 2 === 1) return value;
  throw new InvalidArgumentError(`It has to be odd, so that the centre is a point: take ${value + 1}.`);
}

/** @param words what it has to be, for people */
function numberThat(holds: (value: number) => boolean, words: string): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && Number.isFinite(value) && holds(value)) return value;
    throw new InvalidArgumentError(`It has to be ${words}.`);
  };
}

export const anyNumber = numberThat(() => true, 'a number');
export const positiveNumber = numberThat((value) => value > 0, 'a number above 0');
export const numberFromZero = numberThat((value) => value >= 0, 'a number of at least 0');

/** A share in percent, with the sign or without: 5, 0.5, 5%. @returns 0 to 0.5 */
export function percentUpTo50(text: string): number {
  const number = text.trim().replace(/\s*%$/, '');
  const value = Number(number);
  if (number !== '' && value >= 0 && value <= 50) return value / 100;
  throw new InvalidArgumentError('It has to be a percentage from 0 to 50, such as 5.');
}

/** A snapshot's step, first, last, or the id of a built model. */
export function modelReference(text: string): ModelReference {
  return /^\d+$/.test(text) ? Number(text) : text;
}

/** Models with commas between them: steps, first, last, built models, and RUN:MODEL of other runs. */
export function modelList(text: string): ModelReference[] {
  return names(text).map(modelReference);
}

export function plane(text: string): PlaneChoice {
  const name = planeNames.find((known) => known === text);
  if (name !== undefined) return name;
  const parts = text.split(',').map((part) => part.trim());
  const [a, b, c, ...more] = parts;
  if (a && b && c && more.length === 0) return [modelReference(a), modelReference(b), modelReference(c)];
  if (a && b && c === undefined && isDirectionName(a) && isDirectionName(b)) return [a, b];
  throw new InvalidArgumentError(
    `It has to be ${planeNames.join(', ')}, three steps or models such as 0,500,938, or two directions such as gradient,eigenvector1 or pca1,first..last.`,
  );
}

export function stepList(text: string): number[] {
  const parts = text.split(',').map((part) => part.trim());
  if (parts.every((part) => /^\d+$/.test(part))) return parts.map(Number);
  throw new InvalidArgumentError('It has to be steps with commas between them, such as 800,900,938.');
}

/** A number above 0 and below 1. */
export function properFraction(text: string): number {
  const value = positiveNumber(text);
  if (value < 1) return value;
  throw new InvalidArgumentError('It has to be a number between 0 and 1, such as 0.9.');
}

/** Decays with commas between them; `none` for no moving average. */
export function decayList(text: string): number[] {
  return text === 'none' ? [] : text.split(',').map(properFraction);
}

/** Names with commas between them. */
export function names(text: string): string[] {
  const all = text
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean);
  if (all.length > 0) return all;
  throw new InvalidArgumentError('It has to be names with commas between them.');
}

/** Some of a list of words, with commas between them. */
export function oneOrMoreOf<T extends string>(words: readonly T[]): (text: string) => T[] {
  return (text) => {
    const chosen = names(text);
    const unknown = chosen.find((name) => !words.some((word) => word === name));
    if (unknown === undefined) return words.filter((word) => chosen.includes(word));
    throw new InvalidArgumentError(`There is no ${unknown}; there are ${words.join(', ')}.`);
  };
}
