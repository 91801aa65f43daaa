import { expect } from 'chai';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { JobClient, type JobState } from 'jobrail';
import { ask, MonitorStage, until } from '../running-monitor.js';
import { useStore } from '../store-corner.js';
import { mostAttempts, plans, TruthJob } from './fixtures/truth-contract.js';

/** A hundred thousand take about five minutes: TRUTH_JOBS=100000, TRUTH_STORE=postgres or sqlite. */
const jobs = Number(process.env['TRUTH_JOBS'] ?? 3_000);
const dialect = process.env['TRUTH_STORE'] === 'postgres' ? 'postgres' : 'sqlite';
/** Processes killed on the way, of each kind. */
const kills = jobs > 10_000 ? 12 : 3;
const patienceMs = 60_000 + jobs * 20;
/** Of each thousand jobs so many more are cancelled before they begin. */
const cancelsOfThousand = 20;
const tokenless = { HOST: '127.0.0.1', PORT: '0' };

interface Truth {
  state: JobState;
  attempts: number;
}

describe('the records', () => {
  const store = useStore(dialect);
  let stage: MonitorStage;
  beforeEach(async () => {
    stage = await MonitorStage.open(store);
  });
  afterEach(() => stage.end(TruthJob));

  it(`equal the ledger of the handlers after ${jobs} jobs, cancels and ${2 * kills} SIGKILLs; so do those of a rebuild`, async function () {
    this.timeout(patienceMs);
    const folder = await mkdtemp(join(tmpdir(), 'jobrail-truth-'));
    stage.atEnd(() => rm(folder, { recursive: true }));
    const ledger = join(folder, 'ledger');
    const worker = () => stage.run(new URL('fixtures/truth-worker.js', import.meta.url), { LEDGER: ledger });
    const monitor = () => stage.run(new URL('../../src/main.js', import.meta.url), tokenless);

    const processes = { worker: worker(), monitor: monitor() };
    const client = new JobClient({ url: stage.rail.url, prefix: stage.rail.prefix, name: 'truth-producer' });
    const enqueued = new Map<string, number>();
    const cancelled = new Set<string>();
    const enqueuing = (async () => {
      for (let n = 0; n < jobs; n += 1_000) {
        const payloads = Array.from({ length: Math.min(1_000, jobs - n) }, (_, i) => ({
          n: n + i,
          plan: plans[(n + i) % 20 < plans.length ? (n + i) % 20 : 0]!,
        }));
        const accepted = await client.enqueueMany(TruthJob, payloads);
        accepted.forEach(({ id }, i) => enqueued.set(id, n + i));
        const delayed = await client.enqueueMany(TruthJob, payloads.slice(0, cancelsOfThousand), {
          delay: '5s',
        });
        for (const { id } of delayed) await client.cancel(id, { by: 'ada' });
        delayed.forEach(({ id }) => cancelled.add(id));
      }
      await client.close();
    })();

    // A line has about 50 bytes, a job about 1.4 lines.
    const lines = () => stat(ledger).then(({ size }) => size / 50, () => 0); // prettier-ignore
    for (let kill = 1; kill <= kills; kill++) {
      await until(lines, (count) => count > (kill * jobs) / (kills + 1), patienceMs);
      for (const name of ['worker', 'monitor'] as const) {
        processes[name].kill('SIGKILL');
        await once(processes[name], 'close');
        processes[name] = { worker, monitor }[name]();
      }
    }
    await enqueuing;
    const url = await listening(processes.monitor);
    const counts = async () => {
      const kinds = (await ask(url, '/kinds')).body as { states: Record<string, number> }[];
      const sums: Record<string, number> = {};
      for (const { states } of kinds)
        for (const state in states) sums[state] = (sums[state] ?? 0) + states[state]!;
      return sums;
    };
    const over = ({
      completed = 0,
      dead = 0,
      discarded = 0,
      cancelled: stopped = 0,
    }: Record<string, number>) => completed + dead + discarded + stopped >= jobs + cancelled.size;
    await until(counts, over, patienceMs);

    const truth = truthOf(await readFile(ledger, 'utf8'));
    expect(truth.size, 'jobs in the ledger').to.equal(jobs);
    for (const id of cancelled) truth.set(id, { state: 'cancelled', attempts: 0 }); // no handler has seen them
    const records = await allRecords(url);
    compare(records, truth, enqueued);
    expect(await counts()).to.deep.equal(countsOf(truth));
    const failures = (await ask(url, '/failures')).body as { jobs: number; message: string }[];
    expect(failures.reduce((sum, group) => sum + group.jobs, 0)).to.equal(countsOf(truth)['dead']);
    expect((await ask(url, '/projection')).body).to.include({
      missingBatches: 0,
      refused: 0,
      jobs: truth.size,
    });

    await ask(url, '/projection/rebuild', { method: 'POST' });
    await until(
      async () => (await ask(url, '/projection')).body as { rebuilding: boolean },
      ({ rebuilding }) => !rebuilding,
      patienceMs,
    );
    expect(await counts()).to.deep.equal(countsOf(truth));
    const rebuilt = await allRecords(url);
    expect(rebuilt.size).to.equal(truth.size);
    for (const [id, record] of records) expect(rebuilt.get(id), id).to.deep.equal(record);
  });
});

/** Where a monitor listens, from its log. */
async function listening(monitor: ChildProcess): Promise<string> {
  let text = '';
  for await (const chunk of monitor.stdout!) {
    text += String(chunk);
    const [, port] = /"port":(\d+),"msg":"listening"/.exec(text) ?? [];
    if (port !== undefined) {
      monitor.stdout!.resume();
      return `http://127.0.0.1:${port}`;
    }
  }
  throw new Error(`the monitor ended: ${text}`);
}

/** What the handlers say: the last attempt of each job, and what must follow from how it ended. */
function truthOf(ledger: string): Map<string, Truth> {
  const truth = new Map<string, Truth>();
  for (const line of ledger.split('\n').filter(Boolean)) {
    const [id, number, how] = line.split(' ') as [string, string, string];
    const attempts = Number(number);
    if (attempts < (truth.get(id)?.attempts ?? 0)) continue;
    const dead = how === 'fatal' || (how === 'failed' && attempts === mostAttempts);
    truth.set(id, { attempts, state: dead ? 'dead' : how === 'failed' ? 'retrying' : (how as JobState) });
  }
  return truth;
}

function countsOf(truth: Map<string, Truth>): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { state } of truth.values()) counts[state] = (counts[state] ?? 0) + 1;
  return counts;
}

function compare(
  records: Map<string, Truth>,
  truth: Map<string, Truth>,
  enqueued: Map<string, number>,
): void {
  expect(records.size, 'jobs recorded').to.equal(truth.size);
  const wrong = [...truth].flatMap(([id, { state, attempts }]) => {
    const record = records.get(id);
    return record?.state === state && record.attempts === attempts
      ? []
      : [
          {
            id,
            n: enqueued.get(id),
            truth: `${state} ${attempts}`,
            record: `${record?.state} ${record?.attempts}`,
          },
        ];
  });
  expect(wrong.slice(0, 10), `${wrong.length} records differ`).to.deep.equal([]);
}

async function allRecords(url: string): Promise<Map<string, Truth>> {
  const records = new Map<string, Truth>();
  for (let cursor = ''; ;) {
    const { body } = await ask(url, `/jobs?limit=200${cursor && `&cursor=${cursor}`}`);
    const page = body as { jobs: (Truth & { id: string })[]; next?: string };
    for (const job of page.jobs) {
      expect(records.has(job.id), `job ${job.id} is there once`).to.equal(false);
      records.set(job.id, job);
    }
    if (page.next === undefined) return records;
    cursor = page.next;
  }
}
