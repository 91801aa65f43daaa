import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { type Database, openStore } from '../../src/store.js';

/** A store that belongs to one test file alone: a file, or a schema of the PostgreSQL of DATABASE_URL. */
export interface StoreCorner {
  readonly dialect: Database['dialect'];
  readonly url: string;
  /** A connection of its own to it; closed after the test. */
  open(): Promise<Database>;
}

let corners = 0;

async function sqliteCorner() {
  const folder = await mkdtemp(join(tmpdir(), 'jobrail-store-'));
  return {
    url: `sqlite:${join(folder, 'store.sqlite')}`,
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

async function postgresCorner(server: string) {
  const schema = `jobrail_test_${process.pid}_${corners++}`;
  const asked = async (text: string) => {
    const client = new pg.Client(server);
    await client.connect();
    await client.query(text).finally(() => client.end());
  };
  await asked(`CREATE SCHEMA ${schema}`);
  const url = new URL(server);
  url.searchParams.set('options', `-c search_path=${schema}`);
  return { url: url.href, remove: () => asked(`DROP SCHEMA ${schema} CASCADE`) };
}

/** The same tests on SQLite and on PostgreSQL (or one of them), each in a corner of its own. */
export function onEachStore(
  tests: (corner: () => StoreCorner) => void,
  dialects: readonly Database['dialect'][] = ['sqlite', 'postgres'],
): void {
  const server = process.env['DATABASE_URL'];
  for (const dialect of dialects) {
    describe(`on ${dialect === 'sqlite' ? 'SQLite' : 'PostgreSQL'}`, () => {
      const opened: Database[] = [];
      let corner: (StoreCorner & { remove: () => Promise<void> }) | undefined;
      before('a store of its own', async function () {
        if (dialect === 'postgres' && !server) {
          if (process.env['CI'])
            throw new Error('DATABASE_URL is not set; in CI stores must be held against PostgreSQL.');
          this.skip();
        }
        const place = dialect === 'sqlite' ? await sqliteCorner() : await postgresCorner(server!);
        const open = async () => {
          const database = await openStore(place.url);
          opened.push(database);
          return database;
        };
        corner = { dialect, ...place, open };
      });
      afterEach('close what was opened', () =>
        Promise.all(opened.splice(0).map((database) => database.close())),
      );
      after('remove it', () => corner?.remove());
      tests(() => corner!);
    });
  }
}
