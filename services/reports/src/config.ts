import { ConfigError } from 'jobrail';

/** What the service runs with. */
export interface ReportsConfig {
  amqpUrl: string;
  /** Of every exchange and queue of this deployment. */
  prefix: string;
  storageUrl: string;
  /** Reports built at a time. */
  concurrency: number;
  /** PostgreSQL, read from only; none when absent. */
  databaseUrl: string | undefined;
  /** Folder of the queries that jobs may name. */
  queriesFolder: string | undefined;
  statementTimeoutMs: number;
  pdfMaxRows: number;
  pdfFont: string | undefined;
  pdfFontBold: string | undefined;
  attachMaxBytes: number;
  linkBase: string | undefined;
  /** Of the health check; none when absent. */
  healthPort: number | undefined;
}

/**
 * Reads the configuration from environment variables; the README lists them. A variable that is set but blank counts
 * as not set.
 * @throws ConfigError (`JR_CONFIG_INVALID`) naming the variable and what it takes, but never showing a password.
 */
export function readConfig(env: NodeJS.ProcessEnv): ReportsConfig {
  const databaseUrl = url(
    env,
    'DATABASE_URL',
    ['postgres', 'postgresql'],
    'postgres://user:password@host:5432/name',
  );
  const queriesFolder = text(env, 'REPORTS_QUERIES');
  if (databaseUrl === undefined && queriesFolder !== undefined) {
    throw invalid('REPORTS_QUERIES', 'is set without DATABASE_URL', 'nothing, or set DATABASE_URL too');
  }
  return {
    amqpUrl: required(
      url(env, 'AMQP_URL', ['amqp', 'amqps'], amqpExample),
      'AMQP_URL',
      `a URL such as "${amqpExample}"`,
    ),
    prefix: text(env, 'JOBRAIL_PREFIX') ?? 'jobrail',
    storageUrl: required(
      text(env, 'STORAGE_URL'),
      'STORAGE_URL',
      'a storage URL such as "file:///var/lib/jobrail/files"',
    ),
    concurrency: wholeNumber(env, 'REPORTS_CONCURRENCY', { min: 1, max: 100 }) ?? 2,
    databaseUrl,
    queriesFolder,
    statementTimeoutMs:
      (wholeNumber(env, 'REPORTS_STATEMENT_TIMEOUT', { min: 1, max: 86_400 }) ?? 120) * 1_000,
    pdfMaxRows: wholeNumber(env, 'REPORTS_PDF_MAX_ROWS', { min: 1, max: 1_000_000 }) ?? 20_000,
    pdfFont: text(env, 'REPORTS_PDF_FONT'),
    pdfFontBold: text(env, 'REPORTS_PDF_FONT_BOLD'),
    attachMaxBytes: wholeNumber(env, 'REPORTS_ATTACH_MAX_BYTES', { min: 0, max: 100_000_000 }) ?? 5_000_000,
    linkBase: url(env, 'REPORTS_LINK_BASE', ['https', 'http'], 'https://files.example.com/'),
    healthPort: wholeNumber(env, 'HEALTH_PORT', { min: 0, max: 65_535 }),
  };
}

const amqpExample = 'amqp://user:password@host:5672';

function url(env: NodeJS.ProcessEnv, name: string, schemes: string[], example: string): string | undefined {
  const value = text(env, name);
  if (value === undefined) return undefined;
  const expected = `a URL such as "${example}"`;
  const parsed = URL.canParse(value) ? new URL(value) : undefined;
  if (parsed === undefined) throw invalid(name, 'is no URL', expected);
  if (!schemes.includes(parsed.protocol.slice(0, -1))) {
    throw invalid(name, `begins with "${parsed.protocol}"`, expected);
  }
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

function required(value: string | undefined, name: string, expected: string): string {
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
