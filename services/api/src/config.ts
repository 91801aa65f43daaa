import { ConfigError, type Duration } from 'jobrail';

/** What the API runs with. */
export interface ApiConfig {
  amqpUrl: string;
  /** Of every exchange and queue of this deployment. */
  prefix: string;
  storageUrl: string;
  host: string;
  /** 0 takes a free one. */
  port: number;
  /** Of an uploaded file. */
  uploadLimitBytes: number;
  /** How long a request waits for the broker's confirm before it is answered 503. */
  publishTimeout: Duration;
  /** How long running requests may take to finish once the process stops. Milliseconds. */
  gracePeriodMs: number;
  /** Where the welcome mail sends a new user. */
  loginUrl: string;
  logLevel: string;
}

const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];
const unitBytes = { b: 1, kb: 2 ** 10, mb: 2 ** 20, gb: 2 ** 30 };

/**
 * Reads the configuration from environment variables; the README lists them. A variable that is set but blank counts
 * as not set.
 * @throws ConfigError (`JR_CONFIG_INVALID`) naming the variable and what it takes, but never showing a password.
 */
export function readConfig(env: NodeJS.ProcessEnv): ApiConfig {
  return {
    amqpUrl: url(env, 'AMQP_URL', { schemes: ['amqp', 'amqps'], example: 'amqp://user:password@host:5672' }),
    prefix: text(env, 'JOBRAIL_PREFIX') ?? 'jobrail',
    storageUrl: required(env, 'STORAGE_URL', 'a storage URL such as "file:///var/lib/jobrail/files"'),
    host: text(env, 'HOST') ?? '0.0.0.0',
    port: wholeNumber(env, 'PORT', { min: 0, max: 65_535 }) ?? 3_000,
    uploadLimitBytes: byteSize(env, 'UPLOAD_LIMIT') ?? 10 * unitBytes.mb,
    publishTimeout: milliseconds(env, 'PUBLISH_TIMEOUT') ?? 5_000,
    gracePeriodMs: milliseconds(env, 'GRACE_PERIOD') ?? 25_000,
    loginUrl: text(env, 'LOGIN_URL')
      ? url(env, 'LOGIN_URL', { schemes: ['http', 'https'], example: 'https://app.example/login' })
      : 'http://localhost:3000/login',
    logLevel: oneOf(env, 'LOG_LEVEL', logLevels) ?? 'info',
  };
}

function url(
  env: NodeJS.ProcessEnv,
  name: string,
  { schemes, example }: { schemes: string[]; example: string },
): string {
  const expected = `a URL such as "${example}"`;
  const value = required(env, name, expected);
  const parsed = URL.canParse(value) ? new URL(value) : undefined;
  if (parsed === undefined || !schemes.includes(parsed.protocol.slice(0, -1)) || parsed.hostname === '') {
    throw invalid(name, `is no ${schemes.join(' or ')} URL`, expected);
  }
  return value;
}

function byteSize(env: NodeJS.ProcessEnv, name: string): number | undefined {
  const value = text(env, name);
  if (value === undefined) return undefined;
  const match = /^(\d{1,12})(b|kb|mb|gb)?$/i.exec(value);
  const bytes = match
    ? Number(match[1]) * unitBytes[(match[2]?.toLowerCase() ?? 'b') as keyof typeof unitBytes]
    : 0;
  if (bytes > 0) return bytes;
  throw invalid(
    name,
    `is ${JSON.stringify(value)}`,
    'a size above 0, such as "10mb", "512kb" or a number of bytes',
  );
}

function milliseconds(env: NodeJS.ProcessEnv, name: string): number | undefined {
  const value = text(env, name);
  if (value === undefined) return undefined;
  const match = /^(\d{1,9})(ms|s|m)$/.exec(value);
  const ms = match ? Number(match[1]) * { ms: 1, s: 1_000, m: 60_000 }[match[2] as 'ms' | 's' | 'm'] : 0;
  if (ms > 0 && ms <= 3_600_000) return ms;
  throw invalid(
    name,
    `is ${JSON.stringify(value)}`,
    'a time above 0 and up to 60m, such as "500ms", "5s" or "1m"',
  );
}

function wholeNumber(
  env: NodeJS.ProcessEnv,
  name: string,
  { min, max }: { min: number; max: number },
): number | undefined {
  const value = text(env, name);
  if (value === undefined) return undefined;
  const number = /^\d+$/.test(value) ? Number(value) : NaN;
  if (number >= min && number <= max) return number;
  throw invalid(name, `is ${JSON.stringify(value)}`, `a whole number from ${min} to ${max}`);
}

function oneOf(env: NodeJS.ProcessEnv, name: string, values: string[]): string | undefined {
  const value = text(env, name);
  if (value === undefined || values.includes(value)) return value;
  throw invalid(name, `is ${JSON.stringify(value)}`, `one of ${values.join(', ')}`);
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
