import 'reflect-metadata';
import { expect } from 'chai';
import { defineJob, defineQueue, type Handler, Job, JobClient, JobService, noRetry } from 'jobrail';
import { pino } from 'pino';
import { z } from 'zod';
import { MonitorStage, until } from '../running-monitor.js';
import { useStore } from '../store-corner.js';

const Square = defineJob('square', {
  queue: defineQueue('square'),
  payload: z.object({ n: z.number() }),
  result: z.object({ square: z.number() }),
});

@Job(Square, { retry: noRetry })
class SquareHandler implements Handler<typeof Square> {
  handle({ n }: { n: number }) {
    if (n < 0) throw new RangeError(`${n} is below zero`);
    return { square: n * n };
  }
}

describe('client.result', () => {
  const store = useStore();
  let stage: MonitorStage;
  let client: JobClient;
  beforeEach(async () => {
    stage = await MonitorStage.open(store);
    const { url, prefix } = stage.rail;
    client = new JobClient({ url, prefix, monitor: (await stage.start()).url });
  });
  afterEach(async () => {
    await client.close();
    await stage.end(Square);
  });

  const startService = async () => {
    const { url, prefix } = stage.rail;
    const service = new JobService({
      ...{ url, prefix, name: 'square', handlers: [SquareHandler], queues: { square: {} } },
      log: pino({ level: 'silent' }),
    });
    stage.atEnd(() => service.stop());
    await service.start();
  };
  const recorded = (id: string, state: string) =>
    until(
      () => client.status(id),
      (seen) => seen?.state === state,
    );

  it('gives what the handler returned, from the record', async () => {
    await startService();
    const { id } = await client.enqueue(Square, { n: 7 });
    await recorded(id, 'completed');
    expect(await client.result(id)).to.deep.equal({ square: 49 });
  });

  it('gives that of a job whose caller waited no longer', async () => {
    const id = 'left-alone';
    const late = await client
      .run(Square, { n: 3 }, { id, within: '50ms' })
      .catch((error: unknown) => error as { code: string });
    expect(late).to.include({ code: 'JR_RESULT_LATE' });
    await startService();
    await recorded(id, 'completed');
    expect(await client.result(id)).to.deep.equal({ square: 9 });
  });

  it('fails with the error that the job ended with, by name and message', async () => {
    await startService();
    const { id } = await client.enqueue(Square, { n: -7 });
    await recorded(id, 'dead');
    const error = await client.result(id).catch((thrown: unknown) => thrown);
    expect(error).to.include({ code: 'JR_JOB_FAILED', name: 'RangeError', outcome: 'dead', job: id });
    expect((error as Error).message).to.equal('-7 is below zero');
  });

  it('gives nothing for a job that has not ended, and for one that nobody knows', async () => {
    const { id } = await client.enqueue(Square, { n: 1 });
    await recorded(id, 'pending');
    expect(await client.result(id)).to.equal(undefined);
    expect(await client.result('unknown')).to.equal(undefined);
  });
});
