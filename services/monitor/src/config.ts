import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { ConfigError } from 'jobrail';
import { defaultPrefix } from 'jobrail/events';
import { z } from 'zod';
import { type AlertRule, defaultRules } from './alerts/alert-rules.js';
import type { AlertReceivers } from './alerts/tell-alerts.js';
import { type Retention, type StateRetention } from './projection/retention.js';
import { isFinal, jobStates } from './records/job-record.js';

/** What the monitor runs with. */
export interface MonitorConfig {
  amqpUrl: string;
  prefix: string;
  storeUrl: string;
  host: string;
  /** 0 takes a free one. */
  port: number;
  token: string | undefined;
  retention: Retention;
  alerts: { rules: readonly AlertRule[]; receivers: AlertReceivers; repeatMs: number; everyMs: number };
  gracePeriodMs: number;
  logLevel: string;
}

const dayMs = 86_400_000;
const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];
const kept: StateRetention = { ageMs: 30 * dayMs, jobs: 1_000_000 };
const deadKept: StateRetention = { ageMs: 180 * dayMs, jobs: 1_000_000 };

/**
 * Reads the configuration from environment variables; the README lists them. One that is set but blank counts as not set.
 * @throws ConfigError (`JR_CONFIG_INVALID`) naming the variable and what it takes, but never showing a secret.
 */
export function readConfig(env: NodeJS.ProcessEnv): MonitorConfig {
  const amqpUrl = text(env, 'AMQP_URL');
  if (amqpUrl === undefined)
    throw invalid('AMQP_URL', 'is not set', 'a URL such as "amqp://user:password@host:5672"');
  return {
    amqpUrl,
    prefix: text(env, 'JOBRAIL_PREFIX') ?? defaultPrefix,
    storeUrl: text(env, 'JOBRAIL_STORE_URL') ?? 'sqlite:jobrail-monitor.sqlite',
    host: text(env, 'HOST') ?? '127.0.0.1',
    port: wholeNumber(env, 'PORT', 65_535) ?? 8_090,
    token: token(env),
    retention: readRetention(text(env, 'RETENTION')),
    alerts: {
      rules: readRules(env),
      receivers: {
        webhookUrl: webUrl(env, 'ALERT_WEBHOOK_URL'),
        webhookSecret: text(env, 'ALERT_WEBHOOK_SECRET'),
        slackUrl: webUrl(env, 'ALERT_SLACK_URL'),
        email: addresses(env, 'ALERT_EMAIL'),
      },
      repeatMs: milliseconds(env, 'ALERT_REPEAT') ?? 30 * 60_000,
      everyMs: milliseconds(env, 'ALERT_EVERY') ?? 15_000,
    },
    gracePeriodMs: milliseconds(env, 'GRACE_PERIOD') ?? 10_000,
    logLevel: oneOf(env, 'LOG_LEVEL', logLevels) ?? 'info',
  };
}

/** Whether only this machine can reach an address. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

/** `completed=7d,100000; dead=90d`: for each state an age, a count or both; the others as by default. */
export function readRetention(given: string | undefined): Retention {
  const retention: Retention = {};
  for (const state of jobStates) if (isFinal(state)) retention[state] = state === 'dead' ? deadKept : kept;
  for (const part of given?.split(';') ?? []) {
    if (part.trim() === '') continue;
    const [, name, limits] = /^\s*([a-z]+)\s*=\s*([\w\s,]+?)\s*$/.exec(part) ?? [];
    const state = jobStates.find((one) => one === name && isFinal(one));
    if (!state) throw badRetention(part);
    const set = { ageMs: Number.MAX_SAFE_INTEGER, jobs: Number.MAX_SAFE_INTEGER };
    for (const limit of limits!.split(',')) {
      const [, amount, unit] = /^\s*(\d{1,12})(m|h|d)?\s*$/.exec(limit) ?? [];
      if (amount === undefined) throw badRetention(part);
      if (unit === undefined) set.jobs = Number(amount);
      else set.ageMs = Number(amount) * { m: 60_000, h: 3_600_000, d: dayMs }[unit as 'm' | 'h' | 'd'];
    }
    retention[state] = set;
  }
  return retention;
}

function badRetention(part: string): ConfigError {
  const states = jobStates.filter(isFinal).join(', ');
  return invalid(
    'RETENTION',
    `has ${JSON.stringify(part.trim())}`,
    `such as "completed=7d,100000; dead=90d"; states are ${states}`,
  );
}

const duration = z
  .string()
  .regex(/^\d{1,9}(ms|s|m|h)$/, 'a time such as "30s", "5m" or "2h"')
  .transform(durationOf);
const queue = z.string().min(1).max(255).optional();
const ruleSchema = z.discriminatedUnion('rule', [
  z.strictObject({ rule: z.literal('dead-letters'), above: z.number().min(0).default(0), within: duration.default(300_000), queue }),
  z.strictObject({ rule: z.literal('depth'), above: z.number().min(0), queue }),
  z.strictObject({ rule: z.literal('oldest-age'), above: duration, queue }),
  z.strictObject({
    rule: z.literal('failure-rate'),
    above: z.number().min(0).max(1),
    within: duration.default(300_000),
    atLeast: z.number().int().min(1).default(20),
    queue,
  }),
  z.strictObject({ rule: z.literal('no-consumer'), queue }),
  z.strictObject({ rule: z.literal('projection-lag'), above: duration }),
]); // prettier-ignore

/** ALERT_RULES is JSON, or ALERT_RULES_FILE names a file of it. */
function readRules(env: NodeJS.ProcessEnv): readonly AlertRule[] {
  const file = text(env, 'ALERT_RULES_FILE');
  const name = file === undefined ? 'ALERT_RULES' : 'ALERT_RULES_FILE';
  const expected =
    'a JSON list such as [{"rule":"depth","queue":"email","above":10000}]; the README lists the rules';
  let json: string | undefined;
  try {
    json = file === undefined ? text(env, 'ALERT_RULES') : readFileSync(file, 'utf8');
    if (json === undefined) return defaultRules;
    return z.array(ruleSchema).parse(JSON.parse(json)).map(asRule);
  } catch (error) {
    const issue = error instanceof z.ZodError ? error.issues[0] : undefined;
    const what = issue ? `at ${issue.path.join('.')}: ${issue.message}` : `cannot be read: ${String(error)}`;
    throw invalid(name, what, expected);
  }
}

function asRule(given: z.infer<typeof ruleSchema>): AlertRule {
  switch (given.rule) {
    case 'oldest-age':
      return { rule: given.rule, aboveMs: given.above, queue: given.queue };
    case 'projection-lag':
      return { rule: given.rule, aboveMs: given.above };
    case 'dead-letters':
    case 'failure-rate': {
      const { within: withinMs, ...rest } = given;
      return { ...rest, withinMs };
    }
    default:
      return given;
  }
}

function token(env: NodeJS.ProcessEnv): string | undefined {
  const value = text(env, 'MONITOR_TOKEN');
  if (value === undefined || /^[\x21-\x7e]{16,}$/.test(value)) return value;
  throw invalid('MONITOR_TOKEN', 'is too short or has blanks', 'at least 16 printable characters');
}

function webUrl(env: NodeJS.ProcessEnv, name: string): string | undefined {
  const value = text(env, name);
  if (value === undefined) return undefined;
  const protocol = URL.canParse(value) ? new URL(value).protocol : '';
  if (protocol === 'http:' || protocol === 'https:') return value;
  throw invalid(name, 'is no http or https URL', 'a URL such as "https://hooks.example/alerts"');
}

function addresses(env: NodeJS.ProcessEnv, name: string): string[] {
  const given = text(env, name)?.split(',').map((each) => each.trim()) ?? []; // prettier-ignore
  for (const address of given) {
    if (!z.email().safeParse(address).success) {
      throw invalid(name, `has ${JSON.stringify(address)}`, 'addresses such as "ops@example.com", by commas');
    }
  }
  return given;
}

function milliseconds(env: NodeJS.ProcessEnv, name: string): number | undefined {
  const value = text(env, name);
  if (value === undefined) return undefined;
  const ms = /^\d{1,9}(ms|s|m|h)$/.test(value) ? durationOf(value) : 0;
  if (ms > 0 && ms <= dayMs) return ms;
  throw invalid(
    name,
    `is ${JSON.stringify(value)}`,
    'a time above 0 and up to 24h, such as "500ms", "5s" or "30m"',
  );
}

function durationOf(value: string): number {
  const [, amount, unit] = /^(\d+)(ms|s|m|h)$/.exec(value)!;
  return Number(amount) * { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }[unit as 'ms' | 's' | 'm' | 'h'];
}

function wholeNumber(env: NodeJS.ProcessEnv, name: string, max: number): number | undefined {
  const value = text(env, name);
  if (value === undefined) return undefined;
  if (/^\d{1,9}$/.test(value) && Number(value) <= max) return Number(value);
  throw invalid(name, `is ${JSON.stringify(value)}`, `a whole number from 0 to ${max}`);
}

function oneOf(env: NodeJS.ProcessEnv, name: string, values: string[]): string | undefined {
  const value = text(env, name);
  if (value === undefined || values.includes(value)) return value;
  throw invalid(name, `is ${JSON.stringify(value)}`, `one of ${values.join(', ')}`);
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
