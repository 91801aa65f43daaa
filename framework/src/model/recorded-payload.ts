import type { Contract } from './contract.js';

/** A larger payload is not recorded, only its size. Bytes. */
export const mostRecordedBytes = 16 * 1024;

/** What stands in place of a secret value. */
export const secretMark = '***';

/**
 * A payload as an event may carry it, as JSON: without the values of fields that its contract calls secret.
 * @param body of a message; need not be JSON, nor small.
 * @param written by this process, so that it is JSON for certain and need not be read to know it.
 * @returns undefined when it is no JSON or too large to be recorded.
 */
export function recordedPayload({ secret }: Contract, body: Buffer, written = false): string | undefined {
  if (body.length > mostRecordedBytes) return undefined;
  const json = body.toString();
  if (written && secret.length === 0) return json;
  try {
    const payload: unknown = JSON.parse(json);
    if (secret.length === 0) return json;
    return JSON.stringify(secret.reduce((rest, path) => without(rest, path.split('.')), payload));
  } catch {
    return undefined;
  }
}

/** A copy in which what the path leads to is masked; `*` is each field or element. */
function without(value: unknown, [first, ...rest]: readonly string[]): unknown {
  if (first === undefined) return secretMark;
  if (typeof value !== 'object' || value === null) return value;
  const fields = Array.isArray(value) ? [...(value as unknown[])] : { ...value };
  const names = first === '*' ? Object.keys(fields) : Object.hasOwn(fields, first) ? [first] : [];
  for (const name of names) Reflect.set(fields, name, without(Reflect.get(fields, name), rest));
  return fields;
}
