import { expect } from 'chai';
import { sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import knex from 'knex';
import pg from 'pg';
import { inject } from 'inversify';
import { Job, type Handler, type JobClient, JobTransaction } from '../../src/index.js';
import { OutboxRelay, type OutboxTransaction } from '../../src/postgres.js';
import { laneQueue } from '../../src/model/topology.js';
import { until } from '../contract/recorder.js';
import { rejection } from '../contract/rejection.js';
import { onEachStore } from '../contract/store-corner.js';
import { useStage } from './stage.js';
import { lone } from './working.js';

describe('the outbox', () => {
  const stage = useStage();
  onEachStore(
    (corner) => {
      let pool: pg.Pool;
      before(async () => {
        pool = new pg.Pool({ connectionString: corner().url });
        const { url, prefix } = stage.rail;
        const relay = new OutboxRelay({
          store: corner().url,
          url,
          prefix,
          events: 'off',
          log: stage.signals.log,
        });
        await relay.start(); // makes the table
        await relay.stop();
      });
      after(() => (pool as pg.Pool | undefined)?.end()); // where there is no PostgreSQL there is none
      beforeEach(() => pool.query('TRUNCATE jobrail_outbox'));

      const relay = async () => {
        const { url, prefix } = stage.rail;
        const started = new OutboxRelay({
          store: corner().url,
          url,
          prefix,
          events: 'off',
          pollEvery: '1h', // it has to be woken
          log: stage.signals.log,
        });
        stage.atEnd(() => started.stop());
        await started.start();
        return started;
      };
      const transaction = async <Result>(
        work: (client: pg.PoolClient) => Promise<Result>,
      ): Promise<Result> => {
        const client = await pool.connect();
        try {
          await client.query('BEGIN');
          const result = await work(client);
          await client.query('COMMIT');
          return result;
        } catch (error) {
          await client.query('ROLLBACK');
          throw error;
        } finally {
          client.release();
        }
      };
      const waiting = async () =>
        Number((await pool.query<{ n: string }>('SELECT count(*) AS n FROM jobrail_outbox')).rows[0]!.n);
      const emptied = () => until(waiting, (n) => n === 0);
      const notes = (messages: readonly { body: Buffer }[]) =>
        messages.map(({ body }) => (JSON.parse(body.toString()) as { note: string }).note);

      it('sends what was committed, never what was rolled back, woken by the commit', async () => {
        const contract = lone('outbox-committed');
        stage.owns(contract);
        await relay();
        const doomed = transaction(async (client) => {
          await stage.client.enqueueIn(client, contract, { note: 'rolled back' });
          throw new Error('changed my mind');
        });
        await rejection(doomed);
        const { id } = await transaction(async (client) => {
          await client.query('SELECT 1');
          return stage.client.enqueueIn(client, contract, { note: 'committed' });
        });
        await emptied();
        const messages = await stage.consume(laneQueue(stage.prefix, contract.queue, 0));
        const { properties, body } = await messages.one();
        expect(body.toString()).to.equal('{"note":"committed"}');
        expect(properties).to.include({ messageId: id, type: contract.name, deliveryMode: 2 });
        expect(messages.all).to.have.length(1);
      });

      it('sends the jobs of a queue in order, each once, by two relays at the same time', async () => {
        const contracts = ['outbox-order-a', 'outbox-order-b'].map((name) => lone(name));
        contracts.forEach((contract) => stage.owns(contract));
        await Promise.all([relay(), relay()]);
        for (let batch = 0; batch < 30; batch++) {
          await transaction(async (client) => {
            for (let i = 0; i < 20; i++) {
              const note = String(batch * 20 + i);
              for (const contract of contracts) await stage.client.enqueueIn(client, contract, { note });
            }
          });
        }
        await emptied();
        for (const contract of contracts) {
          const messages = await stage.consume(laneQueue(stage.prefix, contract.queue, 0));
          expect(notes(await messages.next(600))).to.deep.equal(
            Array.from({ length: 600 }, (_, i) => String(i)),
          );
        }
      });

      it('keeps priority, headers, delay and expiry', async () => {
        const contract = lone('outbox-options', { priorities: 2 });
        stage.owns(contract);
        await relay();
        const options = {
          priority: 1,
          headers: { tenant: 'a\0b' },
          delay: '50ms',
          expiresIn: '1h',
          id: 'mine',
        } as const;
        await transaction((client) => stage.client.enqueueIn(client, contract, { note: 'x' }, options));
        const messages = await stage.consume(laneQueue(stage.prefix, contract.queue, 1)).catch(async () => {
          await emptied();
          return stage.consume(laneQueue(stage.prefix, contract.queue, 1));
        });
        const { properties } = await messages.one();
        expect(properties).to.include({ messageId: 'mine', priority: 1 });
        expect(properties.headers).to.include({ tenant: 'a\0b' });
        expect(properties.headers['x-jobrail-due-at']).to.be.a('number');
      });

      it('passes over a job that can never be sent, and keeps it with the reason', async () => {
        const contract = lone('outbox-refused');
        stage.owns(contract);
        await transaction((client) => stage.client.enqueueIn(client, contract, { note: 'too much' }));
        // As by an older or newer version with other limits.
        const headers = JSON.stringify({ huge: 'x'.repeat(70_000) });
        await pool.query(`UPDATE jobrail_outbox SET job = jsonb_set(job::jsonb, '{properties,headers}', $1::jsonb)`, [headers]); // prettier-ignore
        await transaction((client) => stage.client.enqueueIn(client, contract, { note: 'fine' }));
        await relay();
        const left = () => pool.query<{ refused: string | null }>('SELECT refused FROM jobrail_outbox');
        const { rows } = await until(left, ({ rows }) => rows.length === 1 && rows[0]!.refused !== null);
        const messages = await stage.consume(laneQueue(stage.prefix, contract.queue, 0));
        expect(notes([await messages.one()])).to.deep.equal(['fine']);
        expect(rows[0]!.refused).to.match(/64 KiB|headers/);
      });

      it('refuses a job outside of a transaction, or after its end, and writes nothing', async () => {
        const contract = lone('outbox-closed');
        const client = await pool.connect();
        const enqueue = (on: OutboxTransaction) =>
          rejection(stage.client.enqueueIn(on, contract, { note: 'x' }));
        expect(await enqueue(client)).to.include({ code: 'JR_TRANSACTION_CLOSED' });
        await client.query('BEGIN');
        await stage.client.enqueueIn(client, contract, { note: 'rolled back' });
        await client.query('ROLLBACK');
        expect(await enqueue(client)).to.include({ code: 'JR_TRANSACTION_CLOSED' });
        client.release();
        const own = new pg.Client(corner().url);
        await own.connect();
        await own.end();
        expect(await enqueue(own)).to.include({ code: 'JR_TRANSACTION_CLOSED' });
        expect(await waiting()).to.equal(0);
      });

      it('refuses a bad payload without harm to the transaction', async () => {
        const contract = lone('outbox-bad');
        await transaction(async (client) => {
          const bad = stage.client.enqueueIn(client, contract, { note: 1 } as never);
          expect(await rejection(bad)).to.include({ code: 'JR_PAYLOAD_INVALID' });
          await client.query('SELECT 1');
        });
        expect(await waiting()).to.equal(0);
      });

      it('says what to do where there is no table', async () => {
        const client = new pg.Client(process.env['DATABASE_URL']);
        await client.connect();
        await client.query('BEGIN');
        const error = await rejection(stage.client.enqueueIn(client, lone('outbox-none'), { note: 'x' }));
        expect(error.message).to.contain('Start an OutboxRelay');
        await client.end();
      });

      describe('in the transaction of', () => {
        /** The adapters of docs/outbox.md. */
        const byDrizzle = (tx: { execute(query: unknown): Promise<unknown> }): OutboxTransaction => ({
          query: (text, values) =>
            tx.execute(
              sql.join(text.split(/(\$\d+)/).map((part) => (/^\$\d/.test(part) ? sql`${values[Number(part.slice(1)) - 1]}` : sql.raw(part)))), // prettier-ignore
            ),
        });
        const byKnex = (trx: knex.Knex.Transaction): OutboxTransaction => ({
          query: (text, values) => trx.raw(text.replace(/\$\d+/g, '?'), values as string[]),
        });

        const arrives = async (
          name: string,
          act: (client: JobClient, contract: ReturnType<typeof lone>) => Promise<unknown>,
        ) => {
          const contract = lone(name);
          stage.owns(contract);
          await relay();
          await act(stage.client, contract);
          await emptied();
          const messages = await stage.consume(laneQueue(stage.prefix, contract.queue, 0));
          expect(notes([await messages.one()])).to.deep.equal(['kept']);
          expect(messages.all).to.have.length(1);
        };

        it('Drizzle', () =>
          arrives('outbox-drizzle', async (client, contract) => {
            const db = drizzle(pool);
            await db.transaction((tx) => client.enqueueIn(byDrizzle(tx), contract, { note: 'kept' }));
            await rejection(
              db.transaction(async (tx) => {
                await client.enqueueIn(byDrizzle(tx), contract, { note: 'gone' });
                tx.rollback();
              }),
            );
          }));

        it('Knex', () =>
          arrives('outbox-knex', async (client, contract) => {
            const db = knex({ client: 'pg', connection: corner().url });
            await db.transaction((trx) => client.enqueueIn(byKnex(trx), contract, { note: 'kept' }));
            await rejection(
              db.transaction(async (trx) => {
                await client.enqueueIn(byKnex(trx), contract, { note: 'gone' });
                throw new Error('no');
              }),
            );
            await db.destroy();
          }));

        it('an idempotent handler', () =>
          arrives('outbox-handler', async (client, contract) => {
            const parent = lone('outbox-parent');
            @Job(parent, { idempotency: { keepFor: '1d' } })
            class Parent implements Handler<typeof parent> {
              constructor(@inject(JobTransaction) private readonly transaction: JobTransaction) {}
              async handle({ note }: { note: string }) {
                await client.enqueueIn(this.transaction, contract, { note });
              }
            }
            await stage.start({ handlers: [Parent], store: corner().url });
            await client.enqueue(parent, { note: 'kept' });
            await stage.signals.first({ what: 'ended', outcome: 'completed' });
          }));
      });
    },
    ['postgres'],
  );
});
