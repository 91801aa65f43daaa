import { hash } from 'node:crypto';

/** Values of a payload that can be searched for, at most. */
const mostValues = 32;
/** A longer text cannot be searched for. */
const longestText = 256;
const deepest = 8;

/** Not the name of any field that is reached through a payload: those have no empty beginning. */
const reserved = { trace: '.trace', root: '.root' } as const;

/**
 * A value somewhere in a payload as a number of 52 bits that is looked for: of its path, without the places in arrays, and
 * the value, without regard to case.
 */
export function valueToken(path: string, value: string): number {
  return parseInt(hash('sha1', `${path}\0${value.toLowerCase()}`).slice(0, 13), 16);
}

export const traceToken = (traceId: string) => valueToken(reserved.trace, traceId);
export const rootToken = (rootId: string) => valueToken(reserved.root, rootId);

/** What a payload can be found by: each text, number and boolean in it that is not too long, the first 32. */
export function payloadTokens(payload: unknown): number[] {
  const tokens = new Set<number>();
  visit(payload, '', 0, tokens);
  return [...tokens];
}

function visit(value: unknown, path: string, depth: number, tokens: Set<number>): void {
  if (tokens.size >= mostValues || depth > deepest) return;
  if (typeof value === 'string') {
    if (value.length <= longestText) tokens.add(valueToken(path, value));
  } else if (typeof value === 'number' || typeof value === 'boolean') {
    tokens.add(valueToken(path, String(value)));
  } else if (Array.isArray(value)) {
    for (const item of value) visit(item, path, depth + 1, tokens);
  } else if (value !== null && typeof value === 'object') {
    for (const [field, inner] of Object.entries(value)) {
      visit(inner, path === '' ? field : `${path}.${field}`, depth + 1, tokens);
    }
  }
}
