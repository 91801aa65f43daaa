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
  for (const url of urls) {
    const parsed = URL.canParse(url) ? new URL(url) : undefined;
    if (!parsed || !['amqp:', 'amqps:'].includes(parsed.protocol) || !parsed.hostname) {
      throw new OptionError(`The broker URL ${describe(showUrl(url))} is no AMQP URL.`, {
        mend: 'Give amqp://user:password@host:5672/vhost, or amqps:// for TLS.',
      });
    }
  }
  return urls;
}

/** A broker URL without its credentials, for people. */
export function showUrl(url: string): string {
  if (!URL.canParse(url)) return url.replace(/\/\/[^@/]*@/, '//');
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname === '/' ? '' : pathname}`;
}
