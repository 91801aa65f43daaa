import { fileURLToPath } from 'node:url';
import { ConfigError } from 'jobrail';
import parseAddresses from 'nodemailer/lib/addressparser';
import { z } from 'zod';
import type { Mailbox } from './mailer.js';

/** What the service runs with. */
export interface EmailConfig {
  amqpUrl: string;
  /** Of every exchange and queue of this deployment. */
  prefix: string;
  smtpUrl: string;
  from: Mailbox;
  /** How the mails call what they are sent for: the name in MAIL_FROM, else its domain. */
  product: string;
  storageUrl: string;
  /** Mails sent at a time, and SMTP connections held at most. */
  concurrency: number;
  templatesDirectory: string;
  /** Of the health check; none when absent. */
  healthPort: number | undefined;
}

/** The templates that come with the service, seen from `dist/src`. */
const ownTemplates = fileURLToPath(new URL('../../templates', import.meta.url));

/**
 * Reads the configuration from environment variables; the README lists them. A variable that is set but blank counts
 * as not set.
 * @throws ConfigError (`JR_CONFIG_INVALID`) naming the variable and what it takes, but never showing a password.
 */
export function readConfig(env: NodeJS.ProcessEnv): EmailConfig {
  const from = mailbox(env);
  return {
    amqpUrl: url(env, 'AMQP_URL', ['amqp', 'amqps'], 'amqp://user:password@host:5672'),
    prefix: text(env, 'JOBRAIL_PREFIX') ?? 'jobrail',
    smtpUrl: url(env, 'SMTP_URL', ['smtp', 'smtps'], 'smtp://user:password@host:587'),
    from,
    product: from.name === '' ? domainOf(from) : from.name,
    storageUrl: required(env, 'STORAGE_URL', 'a storage URL such as "file:///var/lib/jobrail/files"'),
    concurrency: wholeNumber(env, 'EMAIL_CONCURRENCY', { min: 1, max: 200 }) ?? 20,
    templatesDirectory: text(env, 'TEMPLATES_DIR') ?? ownTemplates,
    healthPort: wholeNumber(env, 'HEALTH_PORT', { min: 0, max: 65_535 }),
  };
}

function mailbox(env: NodeJS.ProcessEnv): Mailbox {
  const expected = 'one mail address, such as "Acme <no-reply@acme.example>"';
  const value = required(env, 'MAIL_FROM', expected);
  const [first, ...others] = parseAddresses(value, { flatten: true });
  if (first === undefined || others.length > 0 || !z.email().safeParse(first.address).success) {
    throw invalid('MAIL_FROM', `is ${JSON.stringify(value)}`, expected);
  }
  return { name: first.name, address: first.address };
}

function domainOf({ address }: Mailbox): string {
  return address.slice(address.lastIndexOf('@') + 1);
}

function url(env: NodeJS.ProcessEnv, name: string, schemes: string[], example: string): string {
  const expected = `a URL such as "${example}"`;
  const value = required(env, name, expected);
  const parsed = URL.canParse(value) ? new URL(value) : undefined;
  if (parsed === undefined) throw invalid(name, 'is no URL', expected);
  if (!schemes.includes(parsed.protocol.slice(0, -1)))
    throw invalid(name, `begins with "${parsed.protocol}"`, expected);
  if (parsed.hostname === '') throw invalid(name, 'names no host', expected);
  return value;
}

function wholeNumber(
  env: NodeJS.ProcessEnv,
  name: string,
  range: { min: number; max: number },
): number | undefined {
  const value = text(env, name);
  if (value === undefined) return undefined;
  const number = /^\d+$/.test(value) ? Number(value) : NaN;
  if (!(number >= range.min && number <= range.max)) {
    throw invalid(name, `is ${JSON.stringify(value)}`, `a whole number from ${range.min} to ${range.max}`);
  }
  return number;
}

function required(env: NodeJS.ProcessEnv, name: string, expected: string): string {
  const value = text(env, name);
  if (value === undefined) throw invalid(name, 'is not set', expected);
  return value;
}

function text(env: NodeJS.ProcessEnv, name: string): string | undefined {
  const value = env[name]?.trim();
  return value === '' ? undefined : value;
}

function invalid(name: string, seen: string, expected: string): ConfigError {
  return new ConfigError('JR_CONFIG_INVALID', `Environment variable ${name} ${seen}.`, {
    mend: `Set it to ${expected}.`,
  });
}
