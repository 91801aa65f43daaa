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
  const text = `${path}\0${value.toLowerCase()}`;
  // Two halves as FNV makes them, mixed as MurmurHash ends: a twentieth of the time of a cryptographic hash, of which
  // nothing here needs the strength. Whoever makes two values collide finds both when looking for one.
  let [low, high] = [0x811c9dc5, 0x41c6ce57];
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    low = Math.imul(low ^ code, 0x9e3779b1);
    high = Math.imul(high ^ code, 0x5f356495);
  }
  const mixed = [mix(low ^ (high >>> 15)), mix(high ^ (low >>> 13))] as const;
  return (mixed[1] & 0xfffff) * 2 ** 32 + mixed[0];
}

function mix(half: number): number {
  let mixed = Math.imul(half ^ (half >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
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
