import { ContainerModule, inject } from 'inversify';
import { expect } from 'chai';
import pg from 'pg';
import { z } from 'zod';
import { defineJob, defineQueue, type Handler, Job, JobTransaction } from '../../src/index.js';
import { checkIdempotent } from '../../src/testing.js';
import { rejection } from '../contract/rejection.js';
import { onEachStore } from '../contract/store-corner.js';

const AddInvoice = defineJob('check.invoice', {
  queue: defineQueue('check'),
  payload: z.object({ order: z.string() }),
});
const insert = 'INSERT INTO invoices (order_id) VALUES ($1)';
const idempotency = { key: ({ order }: { order: string }) => order, keepFor: '1d' } as const;

@Job(AddInvoice, { idempotency })
class InTransaction implements Handler<typeof AddInvoice> {
  constructor(@inject(JobTransaction) private readonly transaction: JobTransaction) {}

  async handle({ order }: { order: string }): Promise<void> {
    await this.transaction.query(insert, [order]);
    await this.transaction.query(insert, [`${order}, second page`]);
  }
}

@Job(AddInvoice, { idempotency })
class Beside implements Handler<typeof AddInvoice> {
  constructor(@inject('pool') private readonly pool: pg.Pool) {}

  async handle({ order }: { order: string }): Promise<void> {
    await this.pool.query(insert, [order]);
  }
}

/** Needs DATABASE_URL. */
describe('checkIdempotent with effects in PostgreSQL', () => {
  onEachStore(
    (corner) => {
      let pool: pg.Pool;
      before(async () => {
        pool = new pg.Pool({ connectionString: corner().url });
        await pool.query('CREATE TABLE invoices (order_id TEXT)');
      });
      after(() => pool.end());
      const effects = async () => Number((await pool.query('SELECT FROM invoices')).rowCount);
      const order = { order: 'order-1' };

      it('passes a handler that works in its JobTransaction, wherever it is killed', async () => {
        const report = await checkIdempotent(InTransaction, order, { store: corner().url, effects });
        expect(report.problems).to.deep.equal([]);
        expect(report.effects).to.equal(2);
        expect(report.awaits).to.deep.equal([
          'JobTransaction.query #1',
          'JobTransaction.query #2',
          'the end of handle',
        ]);
      });

      it('finds out one that works beside it', async () => {
        const modules = [new ContainerModule(({ bind }) => void bind('pool').toConstantValue(pool))];
        const report = await checkIdempotent(Beside, order, { store: corner().url, modules, effects });
        expect(report.doubled).to.deep.equal([
          { when: 'killed', at: 'pool.query #1', effects: 2 },
          { when: 'killed', at: 'the end of handle', effects: 2 },
        ]);
      });

      it('leaves no key behind that others could meet', async () => {
        await checkIdempotent(InTransaction, order, { store: corner().url, effects });
        const { rows } = await pool.query<{ key: string }>(
          `SELECT key FROM jobrail_keys WHERE key LIKE 'check.%' OR until > extract(epoch FROM now()) * 1000 + 60000`,
        );
        expect(rows).to.deep.equal([]);
      });

      it('asks for a store where the handler needs one', async () => {
        const error = await rejection(checkIdempotent(InTransaction, order, { effects }));
        expect(error.message).to.match(/asks for a JobTransaction/);
      });
    },
    ['postgres'],
  );
});
