import { expect } from 'chai';
import { randomUUID } from 'node:crypto';
import type { JobrailError } from '../../src/index.js';
import { type Database, migrate, type Migration, openStore } from '../../src/store.js';
import { startChild } from '../flow/child.js';
import { useEndings } from '../flow/endings.js';
import { rejection } from './rejection.js';
import { onEachStore } from './store-corner.js';

const codeOf = async (work: Promise<unknown>) => ((await rejection(work)) as JobrailError).code;

describe('Database', () => {
  onEachStore((corner) => {
    let db: Database;
    let table: string;
    beforeEach(async () => {
      db = await corner().open();
      table = `t_${randomUUID().replaceAll('-', '')}`;
      await db.query(`CREATE TABLE ${table} (key TEXT PRIMARY KEY, at BIGINT, share DOUBLE PRECISION)`);
    });
    const keys = async (on: Pick<Database, 'query'> = db) =>
      (await on.query(`SELECT key FROM ${table} ORDER BY key`)).rows.map(({ key }) => key);
    const insert = (key: string, on: Pick<Database, 'query'> = db) =>
      on.query(`INSERT INTO ${table} (key) VALUES ($1)`, [key]);

    describe('statements', () => {
      it('give back what was put in: text of any kind, numbers beyond 32 bits, fractions, nothing', async () => {
        const text = `ünï ☃ 𝄞 'quoted' "twice" \\ $1 ?1\n`;
        await db.query(`INSERT INTO ${table} (at, key, share) VALUES ($2, $1, $3)`, [
          text,
          1795771200123,
          0.1,
        ]);
        await db.query(`INSERT INTO ${table} (key, at) VALUES ($1, $2)`, ['b', null]);
        const { rows } = await db.query(`SELECT key, at, share FROM ${table} WHERE key <> $1`, ['x']);
        expect(rows.map((row) => ({ ...row }))).to.have.deep.members([
          { key: text, at: 1795771200123, share: 0.1 },
          { key: 'b', at: null, share: null },
        ]);
      });

      it('give back bytes', async () => {
        const type = db.dialect === 'sqlite' ? 'BLOB' : 'BYTEA';
        await db.query(`ALTER TABLE ${table} ADD COLUMN bytes ${type}`);
        const bytes = Buffer.from([0, 255, 1]);
        await db.query(`INSERT INTO ${table} (key, bytes) VALUES ('a', $1)`, [bytes]);
        const { rows } = await db.query(`SELECT bytes FROM ${table}`);
        expect(Buffer.isBuffer(rows[0]!['bytes'])).to.equal(true);
        expect(rows[0]!['bytes']).to.deep.equal(bytes);
      });

      it('count as numbers', async () => {
        await insert('a');
        const { rows } = await db.query(`SELECT COUNT(*) AS n, SUM(1) AS s FROM ${table}`);
        expect({ ...rows[0] }).to.deep.equal({ n: 1, s: 1 });
      });

      it('tell how many rows they changed, and return rows where asked to', async () => {
        await insert('a');
        await insert('b');
        expect((await db.query(`UPDATE ${table} SET at = 1`)).changes).to.equal(2);
        const returned = await db.query(`DELETE FROM ${table} WHERE key = 'a' RETURNING key, at`);
        expect(returned.rows.map((row) => ({ ...row }))).to.deep.equal([{ key: 'a', at: 1 }]);
        expect(returned.changes).to.equal(1);
        const again = await db.query(`INSERT INTO ${table} (key) VALUES ('b') ON CONFLICT DO NOTHING`);
        expect(again.changes).to.equal(0);
      });

      it('fail with JR_STORE_FAILED and the cause when the store refuses them', async () => {
        const error = (await rejection(db.query('SELEKT 1'))) as JobrailError;
        expect(error.code).to.equal('JR_STORE_FAILED');
        expect(error.cause).to.be.instanceOf(Error);
        await insert('a');
        expect(await codeOf(insert('a'))).to.equal('JR_STORE_FAILED');
        expect(await keys()).to.deep.equal(['a']);
      });

      it('refuse values that a store cannot hold, and the process lives on', async () => {
        for (const value of [true, undefined, {}, new Date(), 5n, Number.NaN, Infinity, 'a\0b', [1]]) {
          expect(await codeOf(insert(value as string)), typeof value).to.equal('JR_STORE_FAILED');
        }
        expect(await keys()).to.deep.equal([]);
      });
    });

    describe('statements over many rows', () => {
      const columns = { key: 'text', at: 'bigint', share: 'double' } as const;

      it('insert thousands at once, and say which were new', async () => {
        await insert('k7');
        const rows = Array.from({ length: 5_000 }, (_, i) => [`k${i}`, i, i / 2] as const);
        const { rows: added } = await db.queryMany(
          `INSERT INTO ${table} (key, at, share) SELECT key, at, share FROM given WHERE true
           ON CONFLICT DO NOTHING RETURNING key`,
          { columns, rows },
        );
        expect(added).to.have.length(4_999);
        const { rows: sums } = await db.query(`SELECT SUM(at) AS at, SUM(share) AS share FROM ${table}`);
        expect({ ...sums[0] }).to.deep.equal({ at: 12_497_493, share: 6_248_746.5 });
      });

      it('update by key, with parameters beside, and null', async () => {
        await insert(`it's`);
        await insert('b');
        const { changes } = await db.queryMany(
          `UPDATE ${table} SET at = given.at, share = $1 FROM given WHERE ${table}.key = given.key AND ${table}.at IS NULL`,
          { columns: { key: 'text', at: 'bigint' }, rows: [[`it's`, 1795771200123], ['b', null], ['c', 3]] }, // prettier-ignore
          [0.5],
        );
        expect(changes).to.equal(2);
        const { rows } = await db.query(`SELECT key, at, share FROM ${table} ORDER BY key`);
        expect(rows.map((row) => ({ ...row }))).to.deep.equal([
          { key: 'b', at: null, share: 0.5 },
          { key: `it's`, at: 1795771200123, share: 0.5 },
        ]);
      });

      it('take text of any kind', async () => {
        const texts = [
          `ünï ☃ 𝄞 'quoted' "twice" \\ $1 ?1\n`,
          '\\ud800',
          '[1,null]',
          '',
          'null',
          '\u0001\u2028',
        ];
        const plain = ['NULL', '{a,b}', ' ends ', 'a,b', '"', '\\', '\\n', 'back\\slash and "quotes"', '☃ 𝄞'];
        for (const some of [texts, plain]) {
          await db.queryMany(`INSERT INTO ${table} (key) SELECT key FROM given`, {
            columns: { key: 'text' },
            rows: some.map((text) => [text]),
          });
        }
        expect(await keys()).to.have.members([...texts, ...plain]);
      });

      it('go together with common tables of their own, and with no rows at all', async () => {
        const text = `WITH other AS (SELECT key FROM given) INSERT INTO ${table} (key) SELECT key FROM other`;
        await db.queryMany(text, { columns: { key: 'text' }, rows: [['a'], ['b']] });
        const none = await db.queryMany(text, { columns: { key: 'text' }, rows: [] });
        expect(none.changes).to.equal(0);
        expect(await keys()).to.deep.equal(['a', 'b']);
      });
    });

    describe('transactions', () => {
      it('commit all, and give back what their work returned', async () => {
        const result = await db.transaction(async (tx) => {
          await insert('a', tx);
          await tx.queryMany(`INSERT INTO ${table} (key) SELECT key FROM given`, {
            columns: { key: 'text' },
            rows: [['b']],
          });
          return (await keys(tx)).length;
        });
        expect(result).to.equal(2);
        expect(await keys()).to.deep.equal(['a', 'b']);
      });

      it('are seen by nobody before they are committed', async () => {
        const other = await corner().open();
        await db.transaction(async (tx) => {
          await insert('a', tx);
          expect(await keys(other)).to.deep.equal([]);
          expect(await keys(db)).to.deep.equal([]);
        });
        expect(await keys(other)).to.deep.equal(['a']);
      });

      it('are rolled back when their work fails, and the next one works', async () => {
        const failing = db.transaction(async (tx) => {
          await insert('a', tx);
          throw new Error('no');
        });
        expect((await rejection(failing)).message).to.equal('no');
        await db.transaction(async (tx) => await insert('b', tx));
        expect(await keys()).to.deep.equal(['b']);
      });

      it('cannot be committed once a statement in them failed', async () => {
        const careless = db.transaction(async (tx) => {
          await insert('a', tx);
          await tx.query('SELEKT').catch(() => undefined);
        });
        expect(await codeOf(careless)).to.equal('JR_STORE_FAILED');
        expect(await keys()).to.deep.equal([]);
      });

      it('cannot be used after their end', async () => {
        let kept: Pick<Database, 'query'> | undefined;
        await db.transaction(async (tx) => {
          kept = tx;
        });
        expect(await codeOf(insert('late', kept))).to.equal('JR_TRANSACTION_CLOSED');
        expect(await keys()).to.deep.equal([]);
      });

      it('of many at once lose no update', async () => {
        const others = [db, await corner().open(), await corner().open()];
        await db.query(`INSERT INTO ${table} (key, at) VALUES ('n', 0)`);
        const lock = db.dialect === 'postgres' ? 'FOR UPDATE' : '';
        await Promise.all(
          Array.from({ length: 60 }, (_, i) =>
            others[i % 3]!.transaction(async (tx) => {
              const { rows } = await tx.query<{ at: number }>(
                `SELECT at FROM ${table} WHERE key = 'n' ${lock}`,
              );
              await tx.query(`UPDATE ${table} SET at = $1 WHERE key = 'n'`, [rows[0]!.at + 1]);
            }),
          ),
        );
        expect((await db.query(`SELECT at FROM ${table}`)).rows[0]!['at']).to.equal(60);
      });
    });

    describe('between processes', () => {
      const fixture = new URL('./fixtures/store-user.js', import.meta.url);
      const endings = useEndings();
      const user = (act: string) =>
        startChild(endings, fixture, { STORE: corner().url, TABLE: table, ACT: act });
      const use = async (act: string) => {
        const { exited, output } = user(act);
        expect(await exited, output.stderr).to.equal(0);
      };

      it('lets several write to it at once', async () => {
        await Promise.all(['p', 'q', 'r'].map((name) => use(`insert ${name}`)));
        expect(await keys()).to.have.length(3 * 40);
      });

      it('rolls back what a killed process had not committed, keeps what it had, and goes on', async () => {
        const child = user('hang');
        await child.told.next();
        child.process.kill('SIGKILL');
        await child.exited;
        await insert('after');
        expect(await keys()).to.deep.equal(['after', 'committed']);
      });

      it('has its tables made once when all migrate at the same time', async () => {
        await Promise.all(['a', 'b', 'c'].map(() => use('migrate')));
        const { rows } = await db.query(`SELECT n FROM made_${table}`);
        expect(rows.map(({ n }) => n)).to.deep.equal([1]);
      });
    });

    describe('migrations', () => {
      const steps = (...names: string[]): Migration[] =>
        names.map((name) => ({ name, statements: [`ALTER TABLE ${table} ADD COLUMN ${name} TEXT`] }));
      const all = () => steps('one', 'two', 'three');

      it('bring a store of every earlier version, with its rows, to the newest', async () => {
        for (let version = 0; version <= all().length; version++) {
          const component = `${table}_${version}`;
          await db.query(`CREATE TABLE ${component} (key TEXT)`);
          const own = all().map(({ name }) => ({
            name,
            statements: [`ALTER TABLE ${component} ADD COLUMN ${name} TEXT`],
          }));
          await migrate(db, component, own.slice(0, version));
          await db.query(`INSERT INTO ${component} (key) VALUES ('kept')`);
          expect(await migrate(db, component, own)).to.equal(own.length - version);
          expect(await migrate(db, component, own)).to.equal(0);
          expect((await db.query(`SELECT key, three FROM ${component}`)).rows).to.have.length(1);
        }
      });

      it('leave nothing of a step that fails, nor of those before it in the same start', async () => {
        const broken = [...steps('one'), { name: 'broken', statements: ['SELEKT'] }];
        expect(await codeOf(migrate(db, table, broken))).to.equal('JR_STORE_FAILED');
        expect(await migrate(db, table, all())).to.equal(3);
      });

      it('refuse a store that knows more steps, and change nothing', async () => {
        await migrate(db, table, all());
        const error = (await rejection(migrate(db, table, steps('one')))) as JobrailError;
        expect(error.code).to.equal('JR_STORE_NEWER');
        expect(error.message).to.contain('version 3').and.contain('knows 1');
        expect(await migrate(db, table, all())).to.equal(0);
      });

      it('may make different tables in each dialect', async () => {
        const step: Migration = {
          name: 'own words',
          statements: (dialect) => [`ALTER TABLE ${table} ADD COLUMN ${dialect} TEXT`],
        };
        await migrate(db, table, [step]);
        await db.query(`SELECT ${db.dialect} FROM ${table}`);
      });
    });

    describe('its end', () => {
      it('comes after what is running, may be asked for twice, and is told to whoever comes later', async () => {
        const own = await corner().open();
        const running = own.transaction(async (tx) => await insert('last', tx));
        await Promise.all([own.close(), own.close()]);
        await running;
        expect(await keys()).to.deep.equal(['last']);
        for (const use of [() => own.query('SELECT 1'), () => own.transaction(async () => 1)]) {
          expect(await codeOf(use())).to.equal('JR_STORE_CLOSED');
        }
      });

      it('leaves a store alone that was never used', async () => {
        await (await openStore(corner().url)).close();
      });
    });
  });
});

describe('A store that cannot be had', () => {
  it('is told as JR_STORE_UNREACHABLE, without its password', async () => {
    const db = await openStore('postgres://me:secret@127.0.0.1:1/none');
    const error = (await rejection(db.query('SELECT 1'))) as JobrailError;
    expect(error.code).to.equal('JR_STORE_UNREACHABLE');
    expect(error.message).to.contain('ECONNREFUSED').and.not.contain('secret');
    expect(await codeOf(db.transaction(async () => 1))).to.equal('JR_STORE_UNREACHABLE');
    await db.close();
  });

  it('so is a file in a folder that does not exist', async () => {
    const db = await openStore('sqlite:/nowhere/at/all.sqlite');
    expect(await codeOf(db.query('SELECT 1'))).to.equal('JR_STORE_UNREACHABLE');
    expect(await codeOf(db.transaction(async () => 1))).to.equal('JR_STORE_UNREACHABLE');
    await db.close();
  });

  it('is refused at once when nothing of the kind is known', async () => {
    expect(await codeOf(openStore('mysql://host/x'))).to.equal('JR_CONFIG_INVALID');
  });
});
