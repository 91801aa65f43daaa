import { redact } from '../base/redact.js';
import type { DeadLetter } from '../model/dead-letter.js';
import { ago, printable, printableLines, printAll, span, table, when } from './terminal.js';

/** Dead letters of one cause. */
export interface CauseGroup {
  fingerprint: string;
  count: number;
  queue: string;
  contract: string;
  reason: string;
  error: string;
  firstAt: number | undefined;
  lastAt: number | undefined;
  example: string;
}

export function grouped(letters: readonly DeadLetter[]): CauseGroup[] {
  const groups = new Map<string, CauseGroup>();
  for (const letter of letters) {
    const { fingerprint, queue, contract, reason, deadAt, id } = letter;
    const key = JSON.stringify([fingerprint, queue, contract]);
    const group = groups.get(key) ?? { fingerprint, count: 0, queue, contract, reason, error: errorOf(letter), firstAt: deadAt, lastAt: deadAt, example: id }; // prettier-ignore
    group.count++;
    if (deadAt !== undefined) {
      group.firstAt = Math.min(group.firstAt ?? deadAt, deadAt);
      if (deadAt >= (group.lastAt ?? 0)) Object.assign(group, { lastAt: deadAt, example: id });
    }
    groups.set(key, group);
  }
  return [...groups.values()].sort((a, b) => b.count - a.count);
}

export function printGroups(groups: readonly CauseGroup[]): void {
  printAll(
    table(
      [
        { title: 'cause' },
        { title: 'jobs', right: true },
        { title: 'contract' },
        { title: 'queue' },
        { title: 'last died' },
        { title: 'error', gives: true },
      ],
      groups.map((group) => [group.fingerprint, String(group.count), group.contract, group.queue, at(group.lastAt), group.error]), // prettier-ignore
    ),
  );
}

/** What a dead letter says, as lines for the screen. */
export function letterLines(letter: DeadLetter): string[] {
  const { id, contract, queue, reason, deadAt, enqueuedAt, error, fingerprint, attempts, replays } = letter;
  const facts: [string, string][] = [
    ['job', id],
    [
      'contract',
      `${contract} on queue ${queue}${letter.priority > 0 ? `, priority ${letter.priority}` : ''}`,
    ],
    ['enqueued', `${when(enqueuedAt)}${letter.producer === undefined ? '' : ` by ${letter.producer}`}`],
    ['died', `${when(deadAt)}, ${reason}`],
    ['cause', fingerprint],
    ['error', errorOf(letter)],
    ...(replays > 0 ? [['replays', String(replays)] as [string, string]] : []),
    ...(letter.traceId === undefined ? [] : [['trace', letter.traceId] as [string, string]]),
  ];
  const lines = facts.map(([name, value]) => `${name.padEnd(9)} ${printable(value)}`);
  for (const record of attempts) {
    lines.push(printable(`  attempt ${record.attempt}  ${when(record.at)}  ${span(record.ms)}  ${record.service}  ${record.error}`)); // prettier-ignore
  }
  return [...lines, ...stackLines(error.stack)];
}

/** The frames of a stack; those of Node and libraries only where there are no others. */
export function stackLines(stack: string): string[] {
  const frames = printableLines(stack).slice(1);
  const own = frames.filter((line) => !/node:|node_modules/.test(line));
  const left = frames.length - own.length;
  const shown = own.length === 0 ? frames : own;
  const rest = own.length > 0 && left > 0 ? [`    … and ${left} of Node and libraries (--json has all)`] : [];
  return [...shown, ...rest].map((line) => `  ${line}`);
}

export function errorOf({ error, reason }: DeadLetter): string {
  return error.name === '' && error.message === ''
    ? `(${reason})`
    : `${error.name}: ${redact(error.message)}`;
}

export function at(moment: number | undefined): string {
  return moment === undefined ? '' : ago(moment);
}
