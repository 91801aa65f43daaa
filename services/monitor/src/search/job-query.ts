import { createHash } from 'node:crypto';
import { jobStates, type JobRecord } from '../records/job-record.js';
import { QueryError } from './query-error.js';

/** What to look for; all of it must hold. A list is alternatives; an empty list is no condition. */
export interface JobQuery {
  ids: string[];
  /** `email.*` is every contract that begins so; in services and queues likewise. */
  contracts: string[];
  queues: string[];
  services: string[];
  states: JobRecord['state'][];
  fingerprint?: string | undefined;
  traceId?: string | undefined;
  rootId?: string | undefined;
  /** Values in the payload, all of them: the path without places in arrays, and the value as text. */
  values: { path: string; value: string }[];
  /** When it was enqueued, by the clock of its producer: from (inclusive) and to (exclusive); `after` and `before`. */
  from?: number | undefined;
  to?: number | undefined;
}

/** A page of results. */
export interface PageRequest {
  limit: number;
  cursor?: string | undefined;
}

type Parameters = Readonly<Record<string, string | string[] | undefined>>;

const lists = {
  id: 'ids',
  contract: 'contracts',
  queue: 'queues',
  service: 'services',
  state: 'states',
} as const;
const singles = { fingerprint: 'fingerprint', trace: 'traceId', root: 'rootId' } as const;
const times = { after: 'from', before: 'to' } as const;
const known = [
  ...Object.keys(lists),
  ...Object.keys(singles),
  ...Object.keys(times),
  'payload',
  'q',
  'limit',
  'cursor',
];

const mostAlternatives = 50;
const mostConditions = 8;
const longestWord = 512;
const longestQuery = 2_000;
const mostRows = 200;
const defaultRows = 50;
const dayMs = 86_400_000;

/**
 * Reads the parameters of a search.
 *
 * `q` is what a person types: words of the form `field:value`, with `"…"` around what has spaces. The fields of the other
 * parameters mean the same as there; every other is a path in the payload.
 * @throws QueryError naming the parameter, what was seen and what is expected.
 */
export function readJobQuery(parameters: Parameters): { query: JobQuery; page: PageRequest } {
  for (const name of Object.keys(parameters)) {
    if (!known.includes(name)) throw new QueryError(name, `is not known; there are ${known.join(', ')}`);
  }
  const query: JobQuery = { ids: [], contracts: [], queues: [], services: [], states: [], values: [] };
  for (const [name, given] of Object.entries(parameters)) {
    for (const value of [given ?? []].flat()) {
      if (name === 'q') for (const [field, word] of wordsOf(value)) addWord(query, field, word);
      else if (name !== 'limit' && name !== 'cursor') addParameter(query, name, value);
    }
  }
  if (query.values.length > mostConditions) {
    throw new QueryError('payload', `has ${query.values.length} conditions; ${mostConditions} are possible`);
  }
  return { query, page: readPage(parameters) };
}

function readPage({ limit, cursor }: Parameters): PageRequest {
  if (Array.isArray(cursor)) throw new QueryError('cursor', 'is there twice');
  const rows = limit === undefined ? defaultRows : /^\d{1,4}$/.test(String(limit)) ? Number(limit) : 0;
  if (rows < 1 || rows > mostRows) {
    throw new QueryError('limit', `is ${show(String(limit))}; it takes a number from 1 to ${mostRows}`);
  }
  return { limit: rows, cursor };
}

function addWord(query: JobQuery, field: string, value: string): void {
  if (field === '') query.ids.push(value);
  else if (Object.hasOwn(lists, field) || Object.hasOwn(singles, field) || Object.hasOwn(times, field)) {
    addParameter(query, field, value);
  } else query.values.push({ path: field.replace(/^payload\./, ''), value });
}

function addParameter(query: JobQuery, name: string, value: string): void {
  if (value.length === 0 || value.length > longestWord) {
    throw new QueryError(name, `has ${value.length} characters; 1 to ${longestWord} are possible`);
  }
  if (value.includes('\0') || /\p{Surrogate}/u.test(value)) {
    throw new QueryError(name, `is ${show(value)}, which no job can have`);
  }
  if (Object.hasOwn(times, name)) query[times[name as keyof typeof times]] = readMoment(name, value);
  else if (name === 'payload') query.values.push(readValue(value));
  else if (Object.hasOwn(singles, name)) query[singles[name as keyof typeof singles]] = value;
  else addAlternatives(query, name as keyof typeof lists, value);
}

function addAlternatives(query: JobQuery, name: keyof typeof lists, value: string): void {
  const alternatives = value.split(',').map((each) => each.trim());
  for (const each of alternatives) {
    if (name === 'state') {
      const state = jobStates.find((one) => one === each);
      if (!state) throw new QueryError(name, `is ${show(each)}; there are ${jobStates.join(', ')}`);
      query.states.push(state);
    } else query[lists[name]].push(each);
  }
  if (query[lists[name]].length > mostAlternatives) {
    throw new QueryError(name, `has more than ${mostAlternatives} alternatives`);
  }
}

function readValue(text: string): { path: string; value: string } {
  const colon = text.indexOf(':');
  if (colon < 1) {
    throw new QueryError(
      'payload',
      `is ${show(text)}; it takes a path and a value, as in "to:ada@example.com"`,
    );
  }
  return { path: text.slice(0, colon), value: text.slice(colon + 1) };
}

/** Milliseconds since 1970, a date with or without time (UTC without a zone), or a time back from now: `2h`, `7d`. */
function readMoment(name: string, text: string): number {
  const back = /^(\d{1,6})(m|h|d)$/.exec(text);
  if (back) {
    return Date.now() - Number(back[1]) * { m: 60_000, h: 3_600_000, d: dayMs }[back[2] as 'm' | 'h' | 'd'];
  }
  if (/^\d{10,15}$/.test(text)) return Number(text);
  const iso = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)?)?$/.exec(text);
  const moment = iso ? Date.parse(iso[1] !== undefined && iso[4] === undefined ? `${text}Z` : text) : NaN;
  if (!Number.isNaN(moment)) return moment;
  throw new QueryError(
    name,
    `is ${show(text)}; it takes "2026-03-01T12:00Z", milliseconds since 1970, or "2h" and "7d" for back from now`,
  );
}

/** `field:value` words; `field:"with spaces"`; a word without a field has the field ''. */
function* wordsOf(text: string): Generator<[field: string, word: string]> {
  if (text.length > longestQuery) {
    throw new QueryError('q', `has ${text.length} characters; ${longestQuery} are possible`);
  }
  const word = /\s*(?:([^\s:"]+):)?(?:"((?:[^"\\]|\\.)*)"|([^\s"]+))(?=\s|$)/gy;
  let end = 0;
  for (let match = word.exec(text); match; match = word.exec(text)) {
    end = word.lastIndex;
    yield [match[1] ?? '', match[2]?.replace(/\\(.)/g, '$1') ?? match[3] ?? ''];
  }
  const rest = text.slice(end).trim();
  if (rest !== '')
    throw new QueryError('q', `cannot be read from ${show(rest)} on: write field:value or field:"a b"`);
}

function show(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}

/** What makes two queries the same. */
export function queryHash(query: JobQuery): string {
  return createHash('sha256').update(JSON.stringify(query)).digest('base64url').slice(0, 12);
}

/** Where the next page begins. It is of one query only. */
export function makeCursor(query: JobQuery, seq: number): string {
  return Buffer.from(`1 ${queryHash(query)} ${seq}`).toString('base64url');
}

/** The number of the last job of the page before. @throws QueryError for a cursor of another query, or none at all */
export function readCursor(query: JobQuery, cursor: string): number {
  const [version, hash, seq] = Buffer.from(cursor, 'base64url').toString().split(' ');
  if (version !== '1' || !/^\d{1,16}$/.test(seq ?? '')) {
    throw new QueryError('cursor', 'is none: pass "next" of the page before as it is');
  }
  if (hash !== queryHash(query)) {
    throw new QueryError(
      'cursor',
      'belongs to another query: keep the other parameters as they were, or leave it out',
    );
  }
  return Number(seq);
}
