import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import pg from 'pg';
import { PostgresSource, type QueryParameter } from '../../src/source/postgres-source.js';
import { QueryCatalogue } from '../../src/source/query-catalogue.js';
import type { Table } from '../../src/table/table.js';
import { failureOf, reportError } from '../failure-of.js';
import { rowsOf } from '../table-of.js';
import { TestDatabase } from '../test-database.js';

const never = new AbortController().signal;

/** DATABASE_URL */
describe('a PostgreSQL source', function () {
  let database: TestDatabase | undefined;
  let pool: pg.Pool;
  let application: string;

  before(async function () {
    database = await TestDatabase.open();
    if (!database) this.skip();
    await database.pool.query(
      `create table sales (id int, region text, amount numeric(10, 2), sold timestamptz);
       insert into sales select i, case i % 2 when 0 then 'north' else 'south' end, i * 1.5, timestamptz '2024-01-01 00:00Z' + i * interval '1 h'
       from generate_series(1, 2500) i;
       create function write_sales() returns int language sql volatile as 'insert into sales values (0) returning id'`,
    );
  });
  after(() => database?.close());

  beforeEach(() => {
    application = `test ${randomUUID()}`;
    pool = new pg.Pool({ connectionString: database!.url, max: 2, application_name: application });
  });
  afterEach(async () => {
    // Every connection was given back: otherwise this would wait for ever.
    await pool.end();
  });

  function open(
    sql: string,
    params: QueryParameter[] = [],
    { signal = never, statementTimeoutMs = 10_000 } = {},
  ): Promise<Table> {
    const queries = new QueryCatalogue(new Map([['q', sql]]));
    return new PostgresSource({ pool, queries, statementTimeoutMs }).open({ query: 'q', params }, signal);
  }

  it('gives all rows, in text as PostgreSQL writes it, with the kinds of the columns', async () => {
    const table = await open(
      'select id, region, amount, sold, sold::date as day, id > 1 as later, null as nothing from sales order by id',
    );
    expect(table.columns.map(({ name, kind }) => `${name}:${kind}`)).to.deep.equal([
      'id:number', 'region:text', 'amount:number', 'sold:moment', 'day:date', 'later:boolean', 'nothing:text',
    ]); // prettier-ignore
    const rows = await rowsOf(table);
    expect(rows).to.have.length(2_500);
    expect(rows[0]).to.deep.equal([
      '1',
      'south',
      '1.50',
      '2024-01-01 01:00:00+00',
      '2024-01-01',
      'false',
      null,
    ]);
    expect(rows.map(([id]) => Number(id))).to.deep.equal(
      Array.from({ length: 2_500 }, (_, index) => index + 1),
    );
  });

  it('keeps every digit of what a double cannot hold', async () => {
    const table = await open(
      "select 9007199254740993::int8 as big, 0.1::float8 + 0.2 as sum, 1e400::numeric as huge, 'infinity'::timestamp as ever",
    );
    const [row] = await rowsOf(table);
    expect(row).to.deep.equal(['9007199254740993', '0.30000000000000004', `1${'0'.repeat(400)}`, 'infinity']);
  });

  it('has columns when there are no rows, and names for columns that have none', async () => {
    const table = await open('select id, 1, 2, id from sales where false');
    expect(table.columns.map(({ name }) => name)).to.deep.equal(['id', '?column?', '?column? (2)', 'id (2)']);
    expect(await rowsOf(table)).to.deep.equal([]);
  });

  it('binds parameters, so that hostile ones are only values', async () => {
    const hostile = "north'; drop table sales; --";
    const sql =
      'select count(*), $1::text as given, $2::numeric as n, $3::boolean as b, $4::text as x from sales where region = $1';
    expect(await rowsOf(await open(sql, [hostile, 1.5, true, null]))).to.deep.equal([
      ['0', hostile, '1.5', 'true', null],
    ]);
    expect(await rowsOf(await open(sql, ['north', -1, false, 'x']))).to.deep.equal([
      ['1250', 'north', '-1', 'false', 'x'],
    ]);
  });

  it('fetches small batches of wide rows', async () => {
    const table = await open("select repeat('x', 100000) as x from generate_series(1, 600)");
    const sizes: number[] = [];
    for await (const batch of table.batches) sizes.push(batch.length);
    expect(sizes.reduce((sum, size) => sum + size, 0)).to.equal(600);
    expect(Math.max(...sizes.slice(1))).to.equal(10);
  });

  it('tells how much of the rows that the planner expects is read', async () => {
    await database!.pool.query('analyze sales');
    const table = await open('select * from sales');
    const fractions: number[] = [];
    for await (const _ of table.batches) fractions.push(Math.round(table.fraction() * 100) / 100);
    expect(fractions).to.deep.equal([0.08, 0.48, 0.88, 0.99]);
  });

  const refused: [what: string, sql: string, params: QueryParameter[], message: RegExp][] = [
    [
      'wrong SQL',
      'select nothing from nowhere',
      [],
      /refused query "q": relation "nowhere" does not exist \(42P01\)/,
    ],
    ['two statements', 'select 1; drop table sales', [], /multiple commands .*\(42601\)/],
    ['a statement that is no query', 'delete from sales', [], /\(42601\)/],
    [
      'a statement that writes within a query',
      'with x as (delete from sales returning *) select * from x',
      [],
      /data-modifying/,
    ],
    ['a function that writes', 'select write_sales()', [], /read-only transaction \(25006\)/],
    ['a parameter too few', 'select $1::int', [], /supplies 0 parameters.*\(08P01\)/],
    ['a parameter too many', 'select 1', [1], /supplies 1 parameters.*\(08P01\)/],
    ['a parameter that does not convert', 'select $1::int', ['x'], /invalid input syntax.*\(22P02\)/],
    [
      'a row that cannot be computed',
      'select 1 / (id - 2000) from sales order by id',
      [],
      /division by zero \(22012\)/,
    ],
  ];
  for (const [what, sql, params, message] of refused) {
    it(`refuses ${what} for good`, async () => {
      const error = await reportError('QUERY_FAILED', open(sql, params).then(rowsOf));
      expect(error.message).to.match(message);
      const { rows } = await database!.pool.query('select count(*)::int as count from sales');
      expect(rows).to.deep.equal([{ count: 2_500 }]);
    });
  }

  it('lets a query that takes too long be tried again, saying what to change', async () => {
    const error = await failureOf(open('select pg_sleep(20)', [], { statementTimeoutMs: 50 }));
    expect(error).to.have.property('name', 'Error');
    expect(error)
      .to.have.property('message')
      .that.includes('cancelled query "q"')
      .and.includes('REPORTS_STATEMENT_TIMEOUT');
  });

  it('gives each step its time, not all of them together', async () => {
    const slow = `select repeat('x', 100000) as x, case when i > 200 then pg_sleep(0.02) end as slow
      from generate_series(1, 300) i`;
    const table = await open(slow, [], { statementTimeoutMs: 1_500 });
    expect(await rowsOf(table)).to.have.length(300);
  });

  it('cancels the query when the job is aborted', async () => {
    const controller = new AbortController();
    const opening = open('select pg_sleep(30)', [], { signal: controller.signal });
    while ((await database!.busy(application)) === 0);
    const reason = new Error('enough');
    controller.abort(reason);
    expect(await failureOf(opening)).to.equal(reason);
    while ((await database!.busy(application)) > 0);
  });

  it('ends transaction and query when the table is closed early', async () => {
    const table = await open('select id, case when id > 200 then pg_sleep(30) end from sales order by id');
    for await (const batch of table.batches) {
      expect(batch).to.have.length(200);
      break;
    }
    await table.close();
    while ((await database!.busy(application)) > 0);
    const unread = await open('select * from sales');
    await unread.close();
    await unread.close();
    while ((await database!.busy(application)) > 0);
  });

  it('uses a connection again when a report is done', async () => {
    await rowsOf(await open('select * from sales'));
    await rowsOf(await open('select * from sales'));
    expect([pool.totalCount, pool.idleCount]).to.deep.equal([1, 1]);
  });

  it('fails, and lets the job be tried again, when the connection is lost in the middle', async () => {
    const table = await open('select * from sales');
    const batches = table.batches[Symbol.asyncIterator]();
    await batches.next();
    await database!.pool.query(
      'select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1',
      [application],
    );
    const rest = async (): Promise<void> => {
      while (!(await batches.next()).done);
    };
    const error = await failureOf(rest());
    expect(error).to.have.property('name').that.does.not.equal('ReportError');
    await table.close();
    expect(pool.totalCount).to.equal(0);
  });
});
