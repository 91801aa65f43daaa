import 'reflect-metadata';
import { setTimeout as pause } from 'node:timers/promises';
import { inject } from 'inversify';
import { Fatal, fixed, type Handler, Job, type JobContext, type PayloadOf, Snooze } from 'jobrail';
import { Poison, Work } from './contracts.js';
import { Ledger } from './ledger.js';

/** Does what the kind of the job says and keeps the ledger. @param effect what a job leaves that completes. */
export async function work(
  ledger: Ledger,
  { kind, ms, notBefore }: PayloadOf<typeof Work>,
  { id, attempt }: JobContext,
  effect?: () => Promise<unknown>,
): Promise<void> {
  ledger.write('started', id, attempt);
  await pause(ms);
  if (notBefore !== undefined && notBefore > Date.now()) {
    ledger.write('snoozed', id, attempt);
    throw new Snooze({ in: notBefore - Date.now() });
  }
  if (kind === 'fatal' || (kind === 'retried' && attempt === 1)) {
    ledger.write('failed', id, attempt);
    throw kind === 'fatal' ? new Fatal('as it was asked to') : new Error('as it was asked to');
  }
  if (effect) {
    await effect();
    await pause(ms); // so that there is a moment between the effect and its ack
  }
  ledger.write('completed', id, attempt);
}

@Job(Work, { retry: fixed({ attempts: 3, every: '700ms' }), timeout: '60s' })
export class WorkHandler implements Handler<typeof Work> {
  constructor(@inject(Ledger) private readonly ledger: Ledger) {}

  handle(payload: PayloadOf<typeof Work>, job: JobContext): Promise<void> {
    return work(this.ledger, payload, job);
  }
}

/** Does not come back: its process dies, or the watchdog sees to it. */
@Job(Poison, { retry: fixed({ attempts: 10, every: '1s' }) })
export class PoisonHandler implements Handler<typeof Poison> {
  constructor(@inject(Ledger) private readonly ledger: Ledger) {}

  handle({ kind }: PayloadOf<typeof Poison>, { id, attempt }: JobContext): void {
    this.ledger.write('started', id, attempt);
    if (kind === 'abort') process.abort();
    const hoard: number[][] = [];
    for (;;) if (kind === 'memory') hoard.push(new Array<number>(10_000).fill(Math.random()));
  }
}
