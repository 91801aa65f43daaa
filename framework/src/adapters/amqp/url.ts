import { describe, OptionError } from '../../base/errors.js';

/** Broker URLs from one, several, or a comma-separated list. @throws OptionError without showing a password. */
export function brokerUrls(given: string | readonly string[]): string[] {
  const urls = (typeof given === 'string' ? given.split(',') : [...given])
    .map((url) => url.trim())
    .filter(Boolean);
  if (urls.length === 0) {
    throw new OptionError('No broker URL is given.', {
      mend: 'Set AMQP_URL, such as amqp://user:password@host:5672/vhost.',
    });
  }
  const mayHoldPassword = String(given).includes('@');
  for (const url of urls) {
    const parsed = URL.canParse(url) ? new URL(url) : undefined;
    if (!parsed || !['amqp:', 'amqps:'].includes(parsed.protocol) || !parsed.hostname || isTorn(parsed)) {
      throw new OptionError(
        `The broker URL ${mayHoldPassword ? '(not shown, for its password)' : describe(url)} is no AMQP URL.`,
        {
          mend: 'Give amqp://user:password@host:5672/vhost, or amqps:// for TLS, with "/", "@", "#", "?" and "," in user and password percent-encoded.',
        },
      );
    }
  }
  return urls;
}

/** An `@` behind the host: the password holds a character that ends the host, and what is behind it passes for a path. */
function isTorn({ pathname, search, hash }: URL): boolean {
  return [pathname, search, hash].some((part) => part.includes('@'));
}

/** A broker URL that `brokerUrls` let through without its credentials, for people. */
export function showUrl(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname === '/' ? '' : pathname}`;
}
