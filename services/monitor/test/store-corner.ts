import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Database, openStore } from 'jobrail/store';

/** A store that belongs to one test alone: a file, or a schema of the PostgreSQL of DATABASE_URL. */
export interface StoreCorner {
  readonly url: string;
  /** A connection to it; closed after the test. */
  open(): Promise<Database>;
}

let corners = 0;

/** Makes a store for each test that runs, and removes it. */
export function useStore(dialect: Database['dialect'] = 'sqlite'): StoreCorner {
  const opened: Database[] = [];
  let url = '';
  let remove: () => Promise<unknown>;
  beforeEach('a store of its own', async function () {
    if (dialect === 'sqlite') {
      const folder = await mkdtemp(join(tmpdir(), 'jobrail-monitor-'));
      url = `sqlite:${join(folder, 'records.sqlite')}`;
      remove = () => rm(folder, { recursive: true, force: true });
      return;
    }
    const server = process.env['DATABASE_URL'];
    if (!server) {
      if (process.env['CI'])
        throw new Error('DATABASE_URL is not set; in CI the monitor is held against PostgreSQL.');
      return this.skip();
    }
    const schema = `monitor_test_${process.pid}_${corners++}`;
    await asked(server, `CREATE SCHEMA ${schema}`);
    const own = new URL(server);
    own.searchParams.set('options', `-c search_path=${schema}`);
    url = own.href;
    remove = () => asked(server, `DROP SCHEMA ${schema} CASCADE`);
  });
  afterEach('close and remove it', async () => {
    await Promise.all(opened.splice(0).map((database) => database.close()));
    await remove?.();
  });
  return {
    get url() {
      return url;
    },
    async open() {
      const database = await openStore(url);
      opened.push(database);
      return database;
    },
  };
}

/** The same tests on SQLite and on PostgreSQL. */
export function onEachStore(tests: (store: StoreCorner) => void): void {
  for (const dialect of ['sqlite', 'postgres'] as const) {
    describe(`on ${dialect === 'sqlite' ? 'SQLite' : 'PostgreSQL'}`, () => tests(useStore(dialect)));
  }
}

async function asked(server: string, text: string): Promise<void> {
  const database = await openStore(server);
  await database.query(text).finally(() => database.close());
}
