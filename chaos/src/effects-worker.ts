/**
 * A process that works off the jobs of the workload, each of which leaves a row in the table `effects` of a PostgreSQL: once, as
 * `idempotency` and a transaction make it, or naively. Started by the crew with its settings as JSON.
 */
import 'reflect-metadata';
import { ContainerModule, inject } from 'inversify';
import { fixed, type Handler, Job, type JobContext, JobTransaction, type PayloadOf } from 'jobrail';
import pg from 'pg';
import { Work } from './contracts.js';
import { work } from './handlers.js';
import { kindOf } from './kind.js';
import { Ledger } from './ledger.js';
import { readSettings } from './member-channel.js';
import { Random } from './random.js';
import { serve, type WorkerSettings } from './serving.js';

/** Added to the settings of a worker by the scenario. */
export interface EffectsSettings {
  idempotent: boolean;
  /** Of the jobs, so many are the last of their process: it is killed when they are done, before they are acked. */
  lastOf: number;
  seed: number;
}

const settings = readSettings<WorkerSettings & EffectsSettings & { store: string }>();
const insert = 'INSERT INTO effects (job) VALUES ($1)';
const options = { retry: fixed({ attempts: 3, every: '700ms' }), timeout: '60s' } as const;

@Job(Work, { ...options, idempotency: { keepFor: '1d', lease: '5s' } })
class OnceHandler implements Handler<typeof Work> {
  constructor(
    @inject(Ledger) private readonly ledger: Ledger,
    @inject(JobTransaction) private readonly transaction: JobTransaction,
  ) {}

  handle(payload: PayloadOf<typeof Work>, job: JobContext): Promise<void> {
    return work(this.ledger, payload, job, () => this.transaction.query(insert, [job.id]));
  }
}

@Job(Work, options)
class NaiveHandler implements Handler<typeof Work> {
  constructor(
    @inject(Ledger) private readonly ledger: Ledger,
    @inject(pg.Pool) private readonly pool: pg.Pool,
  ) {}

  handle(payload: PayloadOf<typeof Work>, job: JobContext): Promise<void> {
    return work(this.ledger, payload, job, () => this.pool.query(insert, [job.id]));
  }
}

const ledger = new Ledger(settings.ledger);
const dice = new Random(settings.seed).of('last');

await serve(settings, {
  handlers: [settings.idempotent ? OnceHandler : NaiveHandler],
  store: settings.store,
  modules: [
    new ContainerModule(({ bind }) => {
      bind(Ledger).toConstantValue(ledger);
      bind(pg.Pool)
        .toDynamicValue(() => new pg.Pool({ connectionString: settings.store, max: settings.concurrency }))
        .inSingletonScope()
        .onDeactivation((pool) => pool.end());
    }),
  ],
  filter: {
    name: 'chaos',
    async attempt({ job, message }, next) {
      const outcome = await next();
      const { kind } = outcome;
      if (kind === 'snooze' && kindOf(job.id) !== 'snoozed') ledger.write('postponed', job.id, job.attempt);
      // Not a second time for the same job: it would rightly be taken for one that kills its process.
      const first = !message.redelivered && message.properties.headers['x-jobrail-deliveries'] === undefined;
      if (kind === 'completed' && first && dice.of(job.id).next() < settings.lastOf) {
        process.kill(process.pid, 'SIGKILL');
      }
      return outcome;
    },
  },
});
