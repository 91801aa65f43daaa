import { ContainerModule, inject, injectable } from 'inversify';
import { expect } from 'chai';
import { z } from 'zod';
import { defineJob, defineQueue, exponential, fixed, type Handler, Job, Snooze } from '../../../src/index.js';
import { createTestRail } from '../../../src/testing.js';
import { working } from '../../flow/working.js';
import { rejection } from '../../contract/rejection.js';

const queue = defineQueue('rail', { priorities: 3 });
const Work = defineJob('rail.work', { queue, payload: z.object({ name: z.string() }) });

describe('createTestRail', () => {
  it('runs a retry policy of hours in milliseconds, and tells what was retried and completed', async () => {
    const handler = working(
      Work,
      (_, { attempt }) => {
        if (attempt < 6) throw new Error(`failure ${attempt}`);
      },
      { retry: exponential({ attempts: 6, from: '4m', to: '1h', jitter: 'none' }) },
    );
    const rail = await createTestRail({ handlers: [handler] });
    const began = performance.now();
    const start = rail.clock.now();
    const { id } = await rail.enqueue(Work, { name: 'slow' });
    await rail.drain();
    expect(performance.now() - began).to.be.below(1_000);
    expect(rail.attempts.map(({ at }) => (at.getTime() - start) / 60_000)).to.deep.equal([
      0, 4, 12, 28, 60, 120,
    ]);
    expect(rail.retried.map(({ attempt }) => attempt)).to.deep.equal([1, 2, 3, 4, 5]);
    expect(rail.completed).to.have.length(1);
    expect(rail.completed[0]).to.include({ id, contract: 'rail.work', attempt: 6 });
    expect(rail.dead).to.deep.equal([]);
    await rail.close();
  });

  it('tells what is dead, and why', async () => {
    const handler = working(
      Work,
      () => {
        throw new TypeError('always');
      },
      { retry: fixed({ attempts: 2, every: '1d' }) },
    );
    const rail = await createTestRail({ handlers: [handler] });
    await rail.enqueue(Work, { name: 'x' });
    await rail.drain();
    expect(rail.dead[0]!.outcome).to.deep.include({ kind: 'dead', reason: 'retries-exhausted' });
    expect(rail.dead[0]!.outcome).to.have.nested.property('error.message', 'always');
    await rail.close();
  });

  it('starts delayed jobs when they are due, never early, whatever the delay', async () => {
    const handler = working(Work, () => undefined);
    const rail = await createTestRail({ handlers: [handler] });
    const start = rail.clock.now();
    const delays = [1, 255, 256, 406, 407, 5_000, 3_600_000, 86_400_000, 365 * 86_400_000];
    const due = new Map<string, number>();
    for (const delay of delays) {
      const { id } = await rail.enqueue(Work, { name: String(delay) }, { delay });
      due.set(id, rail.clock.now() + delay);
    }
    expect(rail.clock.now()).to.equal(start);
    await rail.drain();
    expect(rail.completed.map(({ id, at }) => at.getTime() - due.get(id)!)).to.deep.equal(
      delays.map(() => 0),
    );
    await rail.close();
  });

  it('takes jobs that share a message: each has its own attempts, delay and end', async () => {
    const handler = working(
      Work,
      ({ name }, { attempt }) => {
        if (name === 'b' && attempt < 3) throw new Error('not yet');
        if (name === 'c') throw new Error('never');
      },
      { retry: fixed({ attempts: 3, every: '1h' }) },
    );
    const rail = await createTestRail({ handlers: [handler] });
    const start = rail.clock.now();
    const payloads = ['a', 'b', 'c', 'd'].map((name) => ({ name }));
    const jobs = await rail.client.enqueueMany(Work, payloads, { pack: 4, delay: '1d' });
    await rail.drain();
    const attempts = (i: number) => rail.attempts.filter(({ id }) => id === jobs[i]!.id).length;
    expect([0, 1, 2, 3].map(attempts)).to.deep.equal([1, 3, 3, 1]);
    expect(rail.completed).to.have.length(3);
    expect(rail.dead.map(({ id }) => id)).to.deep.equal([jobs[2]!.id]);
    expect(rail.attempts[0]!.at.getTime()).to.be.at.least(start + 86_400_000);
    await rail.close();
  });

  it('lets time pass by hand, to look at what waits', async () => {
    const rail = await createTestRail({ handlers: [working(Work, () => undefined)] });
    await rail.enqueue(Work, { name: 'later' }, { delay: '1h' });
    await rail.advance(59 * 60_000);
    expect(rail.completed).to.have.length(0);
    await rail.advance(60_000);
    expect(rail.completed).to.have.length(1);
    await rail.close();
  });

  it('gives the result of a job to whoever waits for it', async () => {
    const Square = defineJob('rail.square', { queue, payload: z.number(), result: z.number() });
    const rail = await createTestRail({
      handlers: [
        working(Square, (n, { attempt }) => {
          if (attempt < 3) throw new Error('not yet');
          return n * n;
        }),
      ],
    });
    const waited = rail.client.run(Square, 7, { within: '2h' });
    await rail.drain();
    expect(await waited).to.equal(49);
    await rail.close();
  });

  it('keeps unique jobs in memory: debounces by the virtual clock, with the newest payload', async () => {
    const seen: string[] = [];
    const rail = await createTestRail({ handlers: [working(Work, ({ name }) => seen.push(name))] });
    const unique = { key: 'index', for: '10m', on: 'keep-last' } as const;
    const ids = new Set<string>();
    for (const name of ['first', 'second', 'third']) {
      ids.add((await rail.enqueue(Work, { name }, { delay: '5s', unique })).id);
      await rail.advance(4_000);
    }
    expect(ids.size).to.equal(1);
    expect(seen).to.deep.equal([]);
    await rail.drain();
    expect(seen).to.deep.equal(['third']);
    await rail.close();
  });

  it('builds handlers from modules, and takes filters and queue options', async () => {
    @injectable()
    class Book {
      readonly names: string[] = [];
    }
    const book = new Book();
    @Job(Work)
    class Handle implements Handler<typeof Work> {
      constructor(@inject(Book) private readonly book: Book) {}
      handle({ name }: { name: string }): void {
        this.book.names.push(name);
      }
    }
    const outcomes: string[] = [];
    const rail = await createTestRail({
      handlers: [Handle],
      modules: [new ContainerModule(({ bind }) => void bind(Book).toConstantValue(book))],
      queues: { rail: { concurrency: 1 } },
      filters: [
        {
          name: 'outcomes',
          async attempt(_attempt, next) {
            const outcome = await next();
            outcomes.push(outcome.kind);
            return outcome;
          },
        },
      ],
    });
    await rail.enqueue(Work, { name: 'low' });
    await rail.enqueue(Work, { name: 'high' }, { priority: 2 });
    await rail.drain();
    expect(book.names).to.have.members(['low', 'high']);
    expect(outcomes).to.deep.equal(['completed', 'completed']);
    await rail.close();
  });

  it('waits in drain for a handler that waits for real I/O', async () => {
    const handler = working(Work, () => new Promise((resolve) => setImmediate(() => setImmediate(resolve))));
    const rail = await createTestRail({ handlers: [handler] });
    await rail.enqueue(Work, { name: 'io' });
    await rail.drain();
    expect(rail.completed).to.have.length(1);
    await rail.close();
  });

  it('ends drain with an error when jobs come back for ever', async () => {
    const handler = working(Work, () => {
      throw new Snooze({ in: '1h' });
    });
    const rail = await createTestRail({ handlers: [handler], drainLimitMs: 5 * 3_600_000 });
    await rail.enqueue(Work, { name: 'again' });
    const error = await rejection(rail.drain());
    expect(error.message).to.match(/drain\(\) passed 5\.0 h of virtual time and jobs still come back/);
    expect(error.message).to.match(/the last attempt was number 1 of "rail\.work" \(snooze\)/);
    await rail.close();
  });

  it('refuses what a service refuses', async () => {
    const handlers = [working(Work, () => undefined), working(Work, () => undefined)];
    expect((await rejection(createTestRail({ handlers }))).message).to.match(
      /both handle contract "rail\.work"/,
    );
  });

  it('times out handlers by the virtual clock', async () => {
    const handler = working(
      Work,
      (_, { signal }) => new Promise((_resolve, reject) => signal.addEventListener('abort', reject)),
      { timeout: '2h', retry: fixed({ attempts: 1 }) },
    );
    const rail = await createTestRail({ handlers: [handler] });
    await rail.enqueue(Work, { name: 'slow' });
    await rail.advance(2 * 3_600_000 - 1);
    expect(rail.dead).to.have.length(0);
    await rail.advance(1);
    expect(rail.dead[0]!.outcome).to.have.nested.property('error.code', 'JR_ATTEMPT_TIMEOUT');
    await rail.close();
  });
});
