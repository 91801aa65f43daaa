import { randomUUID } from 'node:crypto';
import { Batcher } from '../../base/batcher.js';
import { type Clock, pause, systemClock, type Timer } from '../../base/clock.js';
import type { GivenRows } from '../../model/sql.js';
import type { Database, Queryable } from '../../ports/database.js';
import type { Claim, ClaimAnswer, Completion, IdempotencyStore } from '../../ports/idempotency-store.js';
import { migrate, type Migration } from './migrate.js';
import { storeTime } from './store-time.js';

/**
 * A key in the table is claimed (`done` 0, until its lease is over) or done (1, until its `keepFor` is over). What an index holds is
 * written with the claim and does not change: so PostgreSQL can mark and renew within the page of the row, without
 * touching an index (decision 62).
 */
export const idempotencyMigrations: readonly Migration[] = [
  {
    name: 'keys',
    statements: (dialect) => [
      `CREATE TABLE jobrail_keys (
        key TEXT ${dialect === 'postgres' ? 'COLLATE "C"' : ''} PRIMARY KEY,
        token TEXT NOT NULL,
        done SMALLINT NOT NULL,
        until BIGINT NOT NULL,
        result TEXT
      ) ${dialect === 'sqlite' ? 'WITHOUT ROWID' : ''}`,
      'CREATE INDEX jobrail_keys_done_until ON jobrail_keys (until) WHERE done = 1',
    ],
  },
  {
    name: 'keys are found by when they can be over',
    statements: (dialect) => [
      'ALTER TABLE jobrail_keys ADD COLUMN prune_at BIGINT NOT NULL DEFAULT 0',
      'UPDATE jobrail_keys SET prune_at = until',
      'DROP INDEX jobrail_keys_done_until',
      'CREATE INDEX jobrail_keys_prune_at ON jobrail_keys (prune_at)',
      ...(dialect === 'postgres' ? ['ALTER TABLE jobrail_keys SET (fillfactor = 70)'] : []),
    ],
  },
];

const renewEveryMs = 1_000;
const pruneEveryMs = 60_000;
const mostPruned = 1_000;

interface Held {
  claim: Claim;
  leaseMs: number;
  keepForMs: number;
  renewAt: number;
}

/** Keys in a table of a Database. What is asked for at the same time goes in one statement. */
export class SqlIdempotencyStore implements IdempotencyStore {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #texts: ReturnType<typeof textsFor>;
  readonly #tokens = randomUUID();
  #lastToken = 0;
  readonly #held = new Map<string, Held>();
  readonly #claims: Batcher<Held, ClaimAnswer>;
  readonly #completions: Batcher<{ claim: Claim } & Completion, boolean>;
  readonly #releases: Batcher<Claim, boolean>;
  #closed = false;
  #renewing: Timer | undefined;
  #pruning: Timer | undefined;
  readonly #underWay = new Set<Promise<void>>();

  /** Makes or updates its table. @throws StoreError */
  static async open(database: Database, clock: Clock = systemClock): Promise<SqlIdempotencyStore> {
    await migrate(database, 'idempotency', idempotencyMigrations);
    return new SqlIdempotencyStore(database, clock);
  }

  private constructor(database: Database, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
    this.#texts = textsFor(storeTime(database.dialect), database.dialect === 'postgres');
    // Nobody gains by asking a store again at once that just failed.
    const options = { clock, restMs: 1_000 };
    this.#claims = new Batcher((items) => this.#claimAll(items), options);
    this.#completions = new Batcher((items) => this.#completeAll(database, items), options);
    this.#releases = new Batcher((items) => this.#releaseAll(items), options);
    this.#renewLater();
    this.#pruneLater();
  }

  async claim(key: string, leaseMs: number, keepForMs: number): Promise<ClaimAnswer> {
    const claim = { key, token: `${this.#tokens}:${(++this.#lastToken).toString(36)}` };
    const held = { claim, leaseMs, keepForMs, renewAt: this.#clock.now() + leaseMs / 4 };
    const answer = await this.#claims.add(held);
    if (answer.kind === 'claimed') this.#held.set(claim.token, held);
    return answer;
  }

  async complete(claim: Claim, done: Completion, on?: Queryable): Promise<boolean> {
    const item = { claim, ...done };
    const [marked] = on ? await this.#completeAll(on, [item]) : [await this.#completions.add(item)];
    this.#held.delete(claim.token);
    return marked!;
  }

  async release(claim: Claim): Promise<void> {
    this.#held.delete(claim.token);
    await this.#releases.add(claim);
  }

  async prune(): Promise<number> {
    let pruned = 0;
    for (let changes = mostPruned; changes === mostPruned && !this.#closed; pruned += changes) {
      ({ changes } = await this.#database.query(this.#texts.prune, [mostPruned]));
      await pause(this.#clock, 10); // workers first
    }
    return pruned;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#renewing?.cancel();
    this.#pruning?.cancel();
    await Promise.all([this.#claims.idle(), this.#completions.idle(), this.#releases.idle()]);
    await Promise.all(this.#underWay);
  }

  async #claimAll(items: readonly Held[]): Promise<ClaimAnswer[]> {
    // A statement can change a row once: of two that claim the same key in one batch, the second comes too late.
    const first = new Map<string, Held>();
    for (const item of items) if (!first.has(item.claim.key)) first.set(item.claim.key, item);
    const { rows } = await this.#database.queryMany<{ token: string }>(this.#texts.claim, {
      columns: { key: 'text', token: 'text', lease: 'bigint', keep: 'bigint' },
      rows: [...first.values()].map(({ claim, leaseMs, keepForMs }) => [
        claim.key,
        claim.token,
        leaseMs,
        keepForMs,
      ]),
    });
    const claimed = new Set(rows.map(({ token }) => token));
    const missed = items.filter(({ claim }) => !claimed.has(claim.token)).map(({ claim }) => claim.key);
    const others = missed.length > 0 ? await this.#look(missed) : undefined;
    return items.map(({ claim }) =>
      claimed.has(claim.token)
        ? { kind: 'claimed', claim }
        : (others?.get(claim.key) ?? { kind: 'busy', leftMs: 0 }),
    );
  }

  async #look(keys: readonly string[]): Promise<Map<string, ClaimAnswer>> {
    const { rows } = await this.#database.queryMany<{
      key: string;
      done: number;
      rest: number;
      result: string | null;
    }>(this.#texts.look, { columns: { key: 'text' }, rows: keys.map((key) => [key]) });
    return new Map(
      rows.map(({ key, done, rest, result }) => [
        key,
        done ? { kind: 'done', result: result ?? undefined } : { kind: 'busy', leftMs: Math.max(0, rest) },
      ]),
    );
  }

  async #completeAll(on: Queryable, items: readonly ({ claim: Claim } & Completion)[]): Promise<boolean[]> {
    const { rows } = await on.queryMany<{ token: string }>(this.#texts.complete, {
      columns: { key: 'text', token: 'text', keep: 'bigint', result: 'text' },
      rows: items.map(({ claim, keepForMs, result }) => [claim.key, claim.token, keepForMs, result ?? null]),
    });
    const marked = new Set(rows.map(({ token }) => token));
    return items.map(({ claim }) => marked.has(claim.token));
  }

  async #releaseAll(claims: readonly Claim[]): Promise<boolean[]> {
    await this.#database.queryMany(this.#texts.release, tokens(claims));
    return claims.map(() => true);
  }

  #renewLater(): void {
    if (this.#closed) return;
    this.#renewing = this.#clock.setTimer(
      renewEveryMs,
      () => void this.#inBackground(this.#renew()).then(() => this.#renewLater()),
      true,
    );
  }

  async #renew(): Promise<void> {
    const now = this.#clock.now();
    const due = [...this.#held.values()].filter(({ renewAt }) => renewAt <= now);
    if (due.length === 0) return;
    await this.#database.queryMany(this.#texts.renew, {
      columns: { key: 'text', token: 'text', lease: 'bigint' },
      rows: due.map(({ claim, leaseMs }) => [claim.key, claim.token, leaseMs]),
    });
    for (const held of due) held.renewAt = now + held.leaseMs / 4;
  }

  #pruneLater(): void {
    if (this.#closed) return;
    // Not all replicas at the same moment.
    const inMs = pruneEveryMs * (0.5 + Math.random());
    this.#pruning = this.#clock.setTimer(
      inMs,
      () => void this.#inBackground(this.prune()).then(() => this.#pruneLater()),
      true,
    );
  }

  /** What fails is tried again the next time. */
  #inBackground(work: Promise<unknown>): Promise<void> {
    const done = work
      .catch(() => undefined)
      .then(() => {
        this.#underWay.delete(done);
      });
    this.#underWay.add(done);
    return done;
  }
}

function tokens(claims: readonly Claim[]): GivenRows {
  return {
    columns: { key: 'text', token: 'text' },
    rows: claims.map(({ key, token }) => [key, token]),
  };
}

/** In order of keys, so that two processes cannot wait for each other. Repeated after a lost answer, each does no harm. */
function textsFor(now: string, skipsLocked: boolean) {
  return {
    claim: `INSERT INTO jobrail_keys (key, token, done, until, prune_at)
      SELECT key, token, 0, ${now} + lease, ${now} + keep FROM given WHERE true ORDER BY key
      ON CONFLICT (key) DO UPDATE SET token = excluded.token, done = 0, until = excluded.until, result = NULL,
        prune_at = excluded.prune_at
      WHERE jobrail_keys.until <= ${now} OR (jobrail_keys.token = excluded.token AND jobrail_keys.done = 0)
      RETURNING token`,
    look: `SELECT key, done, result, until - ${now} AS rest FROM jobrail_keys
      WHERE key IN (SELECT key FROM given)`,
    complete: `UPDATE jobrail_keys SET done = 1, until = ${now} + given.keep, result = given.result FROM given
      WHERE jobrail_keys.key = given.key AND jobrail_keys.token = given.token
      RETURNING jobrail_keys.token`,
    renew: `UPDATE jobrail_keys SET until = ${now} + given.lease FROM given
      WHERE jobrail_keys.key = given.key AND jobrail_keys.token = given.token AND done = 0`,
    release: `DELETE FROM jobrail_keys
      WHERE done = 0 AND (key, token) IN (SELECT key, token FROM given)`,
    prune: `DELETE FROM jobrail_keys WHERE key IN (
      SELECT key FROM jobrail_keys WHERE prune_at <= ${now} AND until <= ${now} ORDER BY prune_at LIMIT $1
      ${skipsLocked ? 'FOR UPDATE SKIP LOCKED' : ''})`,
  };
}
