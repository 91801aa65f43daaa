import type { KindCounts, Minute } from '../search/records.js';
import type { Lane } from './lane-depths.js';

/** What is watched. A rule without a queue is looked at for each queue by itself. */
export type AlertRule =
  /** Jobs that became dead letters within the last minutes. */
  | { rule: 'dead-letters'; above: number; withinMs: number; queue?: string | undefined }
  /** Jobs that wait on the broker. */
  | { rule: 'depth'; above: number; queue?: string | undefined }
  /** How long the job that waits longest has waited. */
  | { rule: 'oldest-age'; aboveMs: number; queue?: string | undefined }
  /** Share of the attempts of the last minutes that failed, where there were enough. */
  | { rule: 'failure-rate'; above: number; withinMs: number; atLeast: number; queue?: string | undefined }
  /** Jobs wait on the broker, and nobody takes them. */
  | { rule: 'no-consumer'; queue?: string | undefined }
  /** How far the records are behind the stream. */
  | { rule: 'projection-lag'; aboveMs: number };

/** A rule that holds. */
export interface Finding {
  /** Of rule and subject. */
  id: string;
  rule: AlertRule['rule'];
  subject: string;
  text: string;
  value: number;
  above: number;
}

/** What rules are held against. */
export interface Situation {
  now: number;
  lagMs: number | undefined;
  queues: readonly string[];
  lanes(queue: string): Promise<readonly Lane[]>;
  oldestWaiting(queue: string): Promise<number | undefined>;
  minutes(queue: string, from: number): Promise<readonly Minute[]>;
}

const failed = new Set(['retried', 'dead']);
const succeeded = new Set(['completed', 'discarded']);

/** The rules where none are configured. */
export const defaultRules: readonly AlertRule[] = [
  { rule: 'dead-letters', above: 0, withinMs: 300_000 },
  { rule: 'oldest-age', aboveMs: 900_000 },
  { rule: 'failure-rate', above: 0.5, withinMs: 300_000, atLeast: 20 },
  { rule: 'no-consumer' },
  { rule: 'projection-lag', aboveMs: 60_000 },
];

/** What holds now. */
export async function findAlerts(rules: readonly AlertRule[], situation: Situation): Promise<Finding[]> {
  const findings = new Map<string, Finding>();
  for (const rule of rules) {
    const subjects = rule.rule === 'projection-lag' ? ['projection'] : subjectsOf(rule, situation.queues);
    for (const subject of subjects) {
      const found = await holds(rule, subject, situation);
      const id = `${rule.rule}:${subject}`;
      if (found) findings.set(id, { id, rule: rule.rule, subject, ...found });
    }
  }
  return [...findings.values()];
}

function subjectsOf(rule: { queue?: string | undefined }, queues: readonly string[]): readonly string[] {
  return rule.queue === undefined ? queues : [rule.queue];
}

type Found = Pick<Finding, 'text' | 'value' | 'above'> | undefined;

async function holds(rule: AlertRule, queue: string, situation: Situation): Promise<Found> {
  switch (rule.rule) {
    case 'dead-letters': {
      const dead = sum(await situation.minutes(queue, situation.now - rule.withinMs), new Set(['dead']));
      const text = `${counted(dead, 'job')} of queue "${queue}" became dead letters within ${shown(rule.withinMs)}`;
      return over(dead, rule.above, text);
    }
    case 'depth': {
      const waiting = messagesIn(await situation.lanes(queue));
      return over(waiting, rule.above, `${counted(waiting, 'job')} wait in queue "${queue}"`);
    }
    case 'oldest-age': {
      const since = await situation.oldestWaiting(queue);
      const ageMs = since === undefined ? 0 : situation.now - since;
      return over(ageMs, rule.aboveMs, `a job of queue "${queue}" has waited for ${shown(ageMs)}`);
    }
    case 'failure-rate': {
      const minutes = await situation.minutes(queue, situation.now - rule.withinMs);
      const bad = sum(minutes, failed);
      const all = bad + sum(minutes, succeeded);
      if (all < rule.atLeast) return undefined;
      const text = `${Math.round((100 * bad) / all)} % of ${counted(all, 'attempt')} of queue "${queue}" failed within ${shown(rule.withinMs)}`;
      return over(bad / all, rule.above, text);
    }
    case 'no-consumer': {
      const lanes = (await situation.lanes(queue)).filter(
        ({ messages, consumers }) => messages > 0 && consumers === 0,
      );
      const waiting = messagesIn(lanes);
      return over(
        waiting,
        0,
        `${counted(waiting, 'job')} wait in queue "${queue}", and no service consumes it`,
      );
    }
    case 'projection-lag': {
      const lagMs = situation.lagMs ?? 0;
      return over(lagMs, rule.aboveMs, `the records are ${shown(lagMs)} behind the events`);
    }
  }
}

function over(value: number, above: number, text: string): Found {
  return value > above ? { value, above, text } : undefined;
}

function sum(minutes: readonly Minute[], outcomes: ReadonlySet<string>): number {
  return minutes.reduce((total, { outcome, attempts }) => total + (outcomes.has(outcome) ? attempts : 0), 0);
}

function messagesIn(lanes: readonly Lane[]): number {
  return lanes.reduce((total, { messages }) => total + messages, 0);
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

function shown(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  if (minutes >= 120) return `${Math.floor(minutes / 60)} hours`;
  return minutes >= 2 ? `${minutes} minutes` : `${Math.round(ms / 1_000)} seconds`;
}

/** Names of the queues of which something is known. */
export function queuesOf(counts: readonly KindCounts[]): string[] {
  return [...new Set(counts.map(({ queue }) => queue))].sort();
}
