import { Batcher } from '../../base/batcher.js';
import { type Clock, pause, systemClock, type Timer } from '../../base/clock.js';
import type { Database } from '../../ports/database.js';
import type {
  NewestPayload,
  TakenPayload,
  UniqueAnswer,
  UniqueClaim,
  UniqueStore,
} from '../../ports/unique-store.js';
import { migrate, type Migration } from './migrate.js';
import { storeTime } from './store-time.js';

/** A key belongs to a job that is being sent (`sent` 0, until its lease is over) or was (1, until its `for` is over). */
export const uniqueMigrations: readonly Migration[] = [
  {
    name: 'unique jobs',
    statements: (dialect) => [
      `CREATE TABLE jobrail_unique (
        key TEXT ${dialect === 'postgres' ? 'COLLATE "C"' : ''} PRIMARY KEY,
        job TEXT NOT NULL,
        sent SMALLINT NOT NULL,
        until BIGINT NOT NULL
      ) ${dialect === 'sqlite' ? 'WITHOUT ROWID' : ''}`,
      'CREATE INDEX jobrail_unique_until ON jobrail_unique (until)',
      `CREATE TABLE jobrail_unique_newest (
        job TEXT PRIMARY KEY,
        body TEXT NOT NULL,
        due_at BIGINT NOT NULL,
        until BIGINT NOT NULL
      )`,
      'CREATE INDEX jobrail_unique_newest_until ON jobrail_unique_newest (until)',
    ],
  },
];

const pruneEveryMs = 60_000;
const mostPruned = 1_000;

/** Keys of unique jobs in tables of a Database. What is asked for at the same time goes in one statement. */
export class SqlUniqueStore implements UniqueStore {
  readonly #texts: ReturnType<typeof textsFor>;
  readonly #claims: Batcher<{ claim: UniqueClaim; leaseMs: number }, UniqueAnswer>;
  readonly #sent: Batcher<{ claim: UniqueClaim; forMs: number }, boolean>;
  readonly #ends: Batcher<UniqueClaim, boolean>;
  #closed = false;
  #timer: Timer | undefined;
  #pruning: Promise<void> | undefined;

  /** Makes or updates its tables. @throws StoreError */
  static async open(database: Database, clock: Clock = systemClock): Promise<SqlUniqueStore> {
    await migrate(database, 'unique', uniqueMigrations);
    return new SqlUniqueStore(database, clock);
  }

  private constructor(
    private readonly database: Database,
    private readonly clock: Clock,
  ) {
    this.#texts = textsFor(storeTime(database.dialect), database.dialect === 'postgres');
    this.#claims = new Batcher((items) => this.#claimAll(items), { clock });
    this.#sent = new Batcher((items) => this.#markAll(items), { clock });
    this.#ends = new Batcher((items) => this.#endAll(items), { clock });
    this.#pruneLater();
  }

  claim(claim: UniqueClaim, leaseMs: number): Promise<UniqueAnswer> {
    return this.#claims.add({ claim, leaseMs });
  }

  async sent(claim: UniqueClaim, forMs: number): Promise<void> {
    await this.#sent.add({ claim, forMs });
  }

  replace(key: string, { body, delayMs, keepForMs }: NewestPayload): Promise<string | undefined> {
    return this.database.transaction(async (transaction) => {
      const { rows } = await transaction.query<{ job: string }>(this.#texts.holder, [key]);
      const job = rows[0]?.job;
      if (job !== undefined) await transaction.query(this.#texts.renew, [job, body, delayMs, keepForMs, key]);
      return job;
    });
  }

  take({ key, job }: UniqueClaim): Promise<TakenPayload> {
    return this.database.transaction(async (transaction) => {
      // The lock first: whoever replaces the payload has it too.
      await transaction.query(this.#texts.lock, [key]);
      const { rows } = await transaction.query<{ body: string; rest: number }>(this.#texts.newest, [job]);
      const newest = rows[0];
      if (newest && newest.rest > 0) return { kind: 'later', inMs: newest.rest };
      await transaction.query('DELETE FROM jobrail_unique WHERE key = $1 AND job = $2', [key, job]);
      return { kind: 'start', body: newest?.body };
    });
  }

  async end(claim: UniqueClaim): Promise<void> {
    await this.#ends.add(claim);
  }

  async prune(): Promise<number> {
    let pruned = 0;
    for (const text of [this.#texts.pruneKeys, this.#texts.pruneNewest]) {
      for (let changes = mostPruned; changes === mostPruned && !this.#closed; pruned += changes) {
        ({ changes } = await this.database.query(text, [mostPruned]));
        if (changes > 0) await pause(this.clock, 10); // producers first
      }
    }
    return pruned;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await Promise.all([this.#claims.idle(), this.#sent.idle(), this.#ends.idle()]);
    await this.#pruning;
  }

  async #claimAll(items: readonly { claim: UniqueClaim; leaseMs: number }[]): Promise<UniqueAnswer[]> {
    // A statement can change a row once: of two that claim the same key in one batch, the second comes too late.
    const first = new Map<string, (typeof items)[number]>();
    for (const item of items) if (!first.has(item.claim.key)) first.set(item.claim.key, item);
    const { rows } = await this.database.queryMany<{ key: string }>(this.#texts.claim, {
      columns: { key: 'text', job: 'text', lease: 'bigint' },
      rows: [...first.values()].map(({ claim, leaseMs }) => [claim.key, claim.job, leaseMs]),
    });
    const claimed = new Set(rows.map(({ key }) => first.get(key)));
    const missed = items.filter((item) => !claimed.has(item)).map(({ claim }) => claim.key);
    const others = missed.length > 0 ? await this.#look(missed) : undefined;
    return items.map((item) =>
      claimed.has(item) ? { kind: 'first' } : (others?.get(item.claim.key) ?? { kind: 'sending' }),
    );
  }

  async #look(keys: readonly string[]): Promise<Map<string, UniqueAnswer>> {
    const { rows } = await this.database.queryMany<{ key: string; job: string; sent: number }>(
      'SELECT key, job, sent FROM jobrail_unique WHERE key IN (SELECT key FROM given)',
      { columns: { key: 'text' }, rows: [...new Set(keys)].map((key) => [key]) },
    );
    return new Map(
      rows.map(({ key, job, sent }) => [key, sent ? { kind: 'held', job } : { kind: 'sending' }]),
    );
  }

  async #markAll(items: readonly { claim: UniqueClaim; forMs: number }[]): Promise<boolean[]> {
    await this.database.queryMany(this.#texts.sent, {
      columns: { key: 'text', job: 'text', span: 'bigint' },
      rows: items.map(({ claim, forMs }) => [claim.key, claim.job, forMs]),
    });
    return items.map(() => true);
  }

  async #endAll(claims: readonly UniqueClaim[]): Promise<boolean[]> {
    const given = {
      columns: { key: 'text', job: 'text' },
      rows: claims.map(({ key, job }) => [key, job]),
    } as const;
    await this.database.queryMany(this.#texts.end, given);
    await this.database.queryMany(
      'DELETE FROM jobrail_unique_newest WHERE job IN (SELECT job FROM given)',
      given,
    );
    return claims.map(() => true);
  }

  #pruneLater(): void {
    if (this.#closed) return;
    // Not all replicas at the same moment. What fails is tried again the next time.
    this.#timer = this.clock.setTimer(
      pruneEveryMs * (0.5 + Math.random()),
      () => {
        this.#pruning = this.prune()
          .catch(() => undefined)
          .then(() => this.#pruneLater());
      },
      true,
    );
  }
}

/** In order of keys, so that two processes cannot wait for each other. Repeated after a lost answer, each does no harm. */
function textsFor(now: string, locksRows: boolean) {
  const prune = (table: string, id: string) => `DELETE FROM ${table} WHERE ${id} IN (
    SELECT ${id} FROM ${table} WHERE until <= ${now} ORDER BY until LIMIT $1
    ${locksRows ? 'FOR UPDATE SKIP LOCKED' : ''})`;
  const forUpdate = locksRows ? 'FOR UPDATE' : '';
  return {
    claim: `INSERT INTO jobrail_unique (key, job, sent, until)
      SELECT key, job, 0, ${now} + lease FROM given WHERE true ORDER BY key
      ON CONFLICT (key) DO UPDATE SET job = excluded.job, sent = 0, until = excluded.until
      WHERE jobrail_unique.until <= ${now} OR (jobrail_unique.job = excluded.job AND jobrail_unique.sent = 0)
      RETURNING key`,
    sent: `UPDATE jobrail_unique SET sent = 1, until = ${now} + mine.span FROM (
        SELECT u.key, given.span FROM jobrail_unique u JOIN given ON given.key = u.key AND given.job = u.job
        WHERE u.sent = 0 ORDER BY u.key ${forUpdate && 'FOR UPDATE OF u'}
      ) AS mine WHERE jobrail_unique.key = mine.key`,
    end: `DELETE FROM jobrail_unique WHERE key IN (
      SELECT u.key FROM jobrail_unique u JOIN given ON given.key = u.key AND given.job = u.job
      ORDER BY u.key ${forUpdate && 'FOR UPDATE OF u'})`,
    lock: `SELECT job FROM jobrail_unique WHERE key = $1 ${forUpdate}`,
    holder: `SELECT job FROM jobrail_unique WHERE key = $1 AND sent = 1 AND until > ${now} ${forUpdate}`,
    // Put off for no longer than the key is held.
    renew: `INSERT INTO jobrail_unique_newest (job, body, due_at, until)
      SELECT $1, $2, CASE WHEN until < ${now} + $3 THEN until ELSE ${now} + $3 END, until + $4
      FROM jobrail_unique WHERE key = $5
      ON CONFLICT (job) DO UPDATE SET body = excluded.body, due_at = excluded.due_at, until = excluded.until`,
    newest: `SELECT body, due_at - ${now} AS rest FROM jobrail_unique_newest WHERE job = $1`,
    pruneKeys: prune('jobrail_unique', 'key'),
    pruneNewest: prune('jobrail_unique_newest', 'job'),
  };
}
