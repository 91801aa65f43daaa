import { expect } from 'chai';
import * as v from 'valibot';
import { z } from 'zod';
import {
  ContractError,
  defineJob,
  defineQueue,
  type EnqueuedJob,
  fixed,
  type Handler,
  type InputOf,
  Job,
  type JobClient,
  type JobContext,
  OptionError,
  type PayloadOf,
  Retry,
} from '../../src/index.js';
import { createTestRail, type TestRail } from '../../src/testing.js';
import { rejection } from '../contract/rejection.js';
import { working } from '../flow/working.js';

/*
 * The build is the test: a call marked as an error that compiles makes `tsc` fail, and so does one that should compile
 * and does not. What is wrong by its types is run as well, as JavaScript would call it.
 */

const queue = defineQueue('typed', { priorities: 2 });
const SendEmail = defineJob('typed.email', {
  queue,
  payload: z.object({ to: z.email(), copies: z.number().default(1) }),
});
const Resize = defineJob('typed.resize', {
  queue,
  payload: v.object({ key: v.string(), width: v.pipe(v.number(), v.minValue(1)) }),
});
const Remind = defineJob('typed.remind', {
  queue,
  payload: z.object({ at: z.iso.datetime().transform((text) => new Date(text)) }),
});

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<A, B>(_: Same<A, B>): void {}

describe('types', () => {
  let rail: TestRail;
  const got: unknown[] = [];
  before(async () => {
    const keep = (payload: unknown) => void got.push(payload);
    rail = await createTestRail({
      handlers: [working(SendEmail, keep), working(Resize, keep), working(Remind, keep)],
    });
  });
  after(() => rail.close());

  it('of a payload are those of its schema: the input to enqueue, the output to handle', async () => {
    same<InputOf<typeof SendEmail>, { to: string; copies?: number | undefined }>(true);
    same<PayloadOf<typeof SendEmail>, { to: string; copies: number }>(true);
    same<InputOf<typeof Remind>, { at: string }>(true);
    same<PayloadOf<typeof Remind>, { at: Date }>(true);
    same<PayloadOf<typeof Resize>, { key: string; width: number }>(true);
    same<Awaited<ReturnType<JobClient['enqueue']>>, EnqueuedJob>(true);
    same<EnqueuedJob['id'], string>(true);

    await rail.enqueue(SendEmail, { to: 'ada@example.com' });
    await rail.enqueue(Remind, { at: '2030-01-02T03:04:05Z' });
    await rail.enqueue(Resize, { key: 'a.png', width: 100 });
    await rail.drain();
    expect(got).to.deep.equal([
      { to: 'ada@example.com', copies: 1 },
      { at: new Date('2030-01-02T03:04:05Z') },
      { key: 'a.png', width: 100 },
    ]);
  });

  it('make enqueue of a wrong payload an error of the compiler, and of the client', async () => {
    const { client } = rail;
    const wide = { key: 'b', width: 'wide' };
    const wrong = [
      // @ts-expect-error -- a number where the schema has text
      () => client.enqueue(SendEmail, { to: 7 }),
      // @ts-expect-error -- a field is missing
      () => client.enqueue(Resize, { key: 'a.png' }),
      // @ts-expect-error -- the payload of another contract
      () => client.enqueue(Remind, { to: 'ada@example.com' }),
      // @ts-expect-error -- what the handler gets is not what enqueue takes
      () => client.enqueue(Remind, { at: new Date() }),
      // @ts-expect-error -- no payload
      () => client.enqueue(SendEmail),
      // @ts-expect-error -- one wrong among many
      () => client.enqueueMany(Resize, [{ key: 'a', width: 1 }, wide]),
    ];
    for (const enqueue of wrong) {
      const error = await rejection(enqueue());
      expect(error).to.be.instanceOf(ContractError);
      expect(error).to.have.property('code', 'JR_PAYLOAD_INVALID');
      expect((error as ContractError).issues).to.have.length.above(0);
    }
    const issues = (await rejection(wrong[1]!())) as ContractError;
    expect(
      issues.issues.map(({ path }) => path),
      'by Valibot',
    ).to.deep.equal(['width']);
  });

  it('make wrong options an error of both', async () => {
    const { client } = rail;
    const payload = { to: 'ada@example.com' };
    const wrong = [
      // @ts-expect-error -- no duration
      () => client.enqueue(SendEmail, payload, { delay: 'soon' }),
      // @ts-expect-error -- a misspelt option
      () => client.enqueue(SendEmail, payload, { dealy: '1s' }),
      // @ts-expect-error -- a date as text
      () => client.enqueue(SendEmail, payload, { runAt: '2030-01-01' }),
      // @ts-expect-error -- a priority as text
      () => client.enqueue(SendEmail, payload, { priority: '1' }),
      // @ts-expect-error -- a function as header
      () => client.enqueue(SendEmail, payload, { headers: { when: () => 1 } }),
    ];
    for (const enqueue of wrong) expect(await rejection(enqueue())).to.be.instanceOf(OptionError);
    // @ts-expect-error -- no duration
    expect(() => fixed({ every: '3 minutes' })).to.throw(OptionError);
    // @ts-expect-error -- no duration
    expect(() => new Retry({ in: 'soon' })).to.throw(OptionError);
    // @ts-expect-error -- an id for many jobs
    const many = await rejection(client.enqueueMany(SendEmail, [payload, payload], { id: 'one' }));
    expect(many).to.be.instanceOf(OptionError);
  });

  it('hold a handler to its contract', () => {
    @Job(SendEmail)
    class Right implements Handler<typeof SendEmail> {
      handle({ to, copies }: PayloadOf<typeof SendEmail>, job: JobContext): string {
        return `${to} ${copies.toFixed()} ${job.id}`;
      }
    }
    // @ts-expect-error -- handles the payload of another contract
    @Job(SendEmail)
    class Wrong {
      handle(payload: { key: string }): string {
        return payload.key;
      }
    }
    // @ts-expect-error -- has no handle()
    @Job(SendEmail)
    class Empty {}

    class Typed implements Handler<typeof Resize> {
      // @ts-expect-error -- width is a number
      handle(payload: { key: string; width: string }): string {
        return payload.width;
      }
    }
    expect([Right, Wrong, Empty, Typed]).to.have.length(4);
  });

  it('hold child jobs to theirs', async () => {
    const wrongChild = (job: JobContext) =>
      // @ts-expect-error -- width is a number
      job.enqueue(Resize, { key: 'a', width: 'wide' });
    const other = await createTestRail({ handlers: [working(Remind, (_, job) => wrongChild(job))] });
    await other.enqueue(Remind, { at: '2030-01-02T03:04:05Z' });
    await other.drain();
    expect(other.dead[0]!.outcome).to.have.nested.property('error.code', 'JR_PAYLOAD_INVALID');
    await other.close();
  });

  it('take only a Standard Schema as payload', () => {
    // @ts-expect-error -- a plain object
    expect(() => defineJob('typed.plain', { queue, payload: { to: 'string' } })).to.throw(ContractError);
    // @ts-expect-error -- no queue
    expect(() => defineJob('typed.nowhere', { payload: z.string() })).to.throw(ContractError);
  });
});
