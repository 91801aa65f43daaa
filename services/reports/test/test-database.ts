import { randomUUID } from 'node:crypto';
import pg from 'pg';

/** A schema of its own in the PostgreSQL of DATABASE_URL; gone with everything in it once it is closed. */
export class TestDatabase {
  private constructor(
    private readonly schema: string,
    /** Connects with that schema as search path. */
    readonly url: string,
    readonly pool: pg.Pool,
  ) {}

  /** Undefined where there is no PostgreSQL and the test may be skipped; in CI it may not. */
  static async open(): Promise<TestDatabase | undefined> {
    const given = process.env['DATABASE_URL'];
    if (given === undefined && !process.env['CI']) return undefined;
    if (given === undefined)
      throw new Error('DATABASE_URL is not set. Set it: in CI no test may be skipped.');
    const schema = `t_${randomUUID().slice(0, 8)}`;
    const url = new URL(given);
    url.searchParams.set('options', `-c search_path=${schema}`);
    const pool = new pg.Pool({ connectionString: url.href, max: 3 });
    pool.on('error', () => {});
    await pool.query(`create schema ${schema}`);
    return new TestDatabase(schema, url.href, pool);
  }

  /** How many sessions of an application are at work, or in a transaction. */
  async busy(application: string): Promise<number> {
    const { rows } = await this.pool.query<{ count: number }>(
      `select count(*)::int as count from pg_stat_activity
       where state <> 'idle' and application_name = $1`,
      [application],
    );
    return rows[0]!.count;
  }

  async close(): Promise<void> {
    await this.pool.query(`drop schema ${this.schema} cascade`);
    await this.pool.end();
  }
}
