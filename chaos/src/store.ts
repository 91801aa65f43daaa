import pg from 'pg';
import { kindOf, shouldDie } from './kind.js';
import type { PrivatePostgres } from './machinery.js';
import { Proxy } from './proxy.js';

/** The PostgreSQL of a scenario, in a schema of its own, looked at by plain SQL, without Jobrail. */
export class Store {
  /** Where the processes of the scenario find it. */
  readonly url: string;
  readonly #pool: pg.Pool;

  /**
   * Makes a table for `holds`: `effects (job)`, written to by workers, or `orders (job)`, by producers in their transactions.
   * @param name letters, digits and `-`.
   */
  static async open(
    postgres: PrivatePostgres,
    name: string,
    { holds, throughProxy }: { holds: 'effects' | 'orders'; throughProxy?: boolean },
  ): Promise<Store> {
    const schema = name.replaceAll('-', '_');
    const url = new URL(postgres.url);
    url.searchParams.set('options', `-c search_path=${schema}`);
    const proxy = throughProxy ? await Proxy.before(postgres.url) : undefined;
    const store = new Store(postgres, { schema, holds, direct: url.href }, proxy);
    await store.#pool.query(`CREATE SCHEMA ${schema}; CREATE TABLE ${holds} (job TEXT NOT NULL)`);
    return store;
  }

  private constructor(
    readonly postgres: PrivatePostgres,
    private readonly place: { schema: string; holds: 'effects' | 'orders'; direct: string },
    private readonly maybeProxy: Proxy | undefined,
  ) {
    this.url = maybeProxy?.through(place.direct) ?? place.direct;
    this.#pool = new pg.Pool({ connectionString: place.direct, max: 1, connectionTimeoutMillis: 5_000 });
    this.#pool.on('error', () => undefined); // it was killed: the next query connects anew
  }

  get proxy(): Proxy {
    if (!this.maybeProxy) throw new Error('the scenario asks for no proxy before its store');
    return this.maybeProxy;
  }

  /** The relay that has this lock reads, sends and deletes a batch. */
  async batchUnderWay(): Promise<boolean> {
    const { rowCount } = await this.#pool.query(
      `SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted`,
    );
    return rowCount !== 0;
  }

  /** Whether each completed job has left its effect; or each committed one was sent, and completed unless it has to die. */
  async settled(completed: ReadonlySet<string>): Promise<boolean> {
    const jobs = await this.#jobs();
    if (this.place.holds === 'effects') {
      const effects = new Set(jobs);
      return [...completed].every((id) => effects.has(id));
    }
    const waiting = await this.#pool.query('SELECT FROM jobrail_outbox LIMIT 1');
    return waiting.rowCount === 0 && jobs.every((id) => completed.has(id) || shouldDie(kindOf(id)));
  }

  /** What it holds; it is removed then. */
  async clear(): Promise<{ effects?: string[]; committed?: string[] }> {
    await this.postgres.start(); // no-op where it runs
    const jobs = await this.#jobs();
    await this.#pool.query(`DROP SCHEMA ${this.place.schema} CASCADE`);
    await this.#pool.end();
    await this.maybeProxy?.close();
    return this.place.holds === 'effects' ? { effects: jobs } : { committed: jobs };
  }

  async #jobs(): Promise<string[]> {
    const { rows } = await this.#pool.query<{ job: string }>(`SELECT job FROM ${this.place.holds}`);
    return rows.map(({ job }) => job);
  }
}
