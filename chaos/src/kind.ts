import type { Random } from './random.js';

/**
 * What becomes of a job of the workload. It is part of the job's id, so the checker knows what each job should have come
 * to without asking the code under test.
 *
 * - `plain` completes; `urgent` too, on the second lane; `delayed` too, after a way through the delay net;
 * - `retried` fails once and completes through the delay net; `snoozed` is put off once, then completes;
 * - `fatal` has to become a dead letter at its first attempt;
 * - `abort`, `loop` and `memory` kill their process and have to become dead letters after three crashes.
 */
export type Kind =
  'plain' | 'urgent' | 'delayed' | 'retried' | 'snoozed' | 'fatal' | 'abort' | 'loop' | 'memory';

export const poisons = ['abort', 'loop', 'memory'] as const;
export type PoisonKind = (typeof poisons)[number];

/** What producers draw from; poison is given on purpose. */
export type WorkKind = Exclude<Kind, PoisonKind>;

/** Of a thousand jobs so many are of each kind; the rest is plain. */
const shares = { urgent: 150, delayed: 50, retried: 60, snoozed: 30, fatal: 10 } as const;

/** @param withFatal false makes plain jobs of those that would die by their own will. */
export function drawKind(random: Random, withFatal: boolean): WorkKind {
  let throwOf = random.next() * 1_000;
  for (const [kind, share] of Object.entries(shares) as [keyof typeof shares, number][]) {
    if (throwOf < share) return kind === 'fatal' && !withFatal ? 'plain' : kind;
    throwOf -= share;
  }
  return 'plain';
}

export function jobId(producer: string, index: number, kind: Kind): string {
  return `${producer}-${index}-${kind}`;
}

export function kindOf(id: string): Kind {
  return id.slice(id.lastIndexOf('-') + 1) as Kind;
}

export function isPoison(kind: Kind): kind is PoisonKind {
  return (poisons as readonly Kind[]).includes(kind);
}

/** Whether a job of this kind is meant to end as a dead letter. */
export function shouldDie(kind: Kind): boolean {
  return kind === 'fatal' || isPoison(kind);
}
