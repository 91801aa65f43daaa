import { createHash } from 'node:crypto';

/**
 * Twelve hexadecimal digits that are the same for errors of the same cause: name, message without what varies (numbers,
 * ids, quoted values), and the first frame of the stack that is not of Node or a library.
 */
export function fingerprint(error: Error): string {
  const message = error.message
    .slice(0, 500)
    .replace(/"[^"]*"|'[^']*'|`[^`]*`/g, '?')
    .replace(/\b[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}\b|\b0x[0-9a-f]+\b|\d+/gi, '#');
  return createHash('sha1')
    .update(`${error.name}\n${message}\n${ownFrame(error)}`)
    .digest('hex')
    .slice(0, 12);
}

function ownFrame(error: Error): string {
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  const own = frames.find((line) => !/node:|node_modules/.test(line)) ?? '';
  return own.replace(/.*[\\/]/, '').replace(/:\d+:\d+\)?$/, '');
}
