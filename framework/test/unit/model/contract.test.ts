import { expect } from 'chai';
import * as v from 'valibot';
import { z } from 'zod';
import { ContractError, OptionError } from '../../../src/base/errors.js';
import { defineJob, defineQueue, type Queue, validatePayload } from '../../../src/model/contract.js';

const queue = defineQueue('email');
const payload = z.object({ to: z.email(), copies: z.number().default(1) });

describe('defineQueue', () => {
  it('has one priority on a quorum queue by default', () => {
    expect(queue).to.include({ name: 'email', priorities: 1, type: 'quorum', ackTimeoutMs: undefined });
  });

  it('takes the priorities of a classic queue either way', () => {
    expect(defineQueue('q', { type: 'classic', maxPriority: 9 }).priorities).to.equal(10);
    expect(defineQueue('q', { type: 'classic', priorities: 4 }).priorities).to.equal(4);
    expect(defineQueue('q', { type: 'classic' }).priorities).to.equal(1);
  });

  it('takes the ack timeout as a duration', () => {
    expect(defineQueue('q', { ackTimeout: '2h' }).ackTimeoutMs).to.equal(7_200_000);
  });

  it('cannot be changed afterwards', () => {
    expect(Object.isFrozen(queue)).to.equal(true);
  });

  for (const name of [
    '',
    'a.b',
    'a b',
    'ü',
    'x'.repeat(61),
    'jobs',
    'dead',
    'delay',
    'unroutable',
    'events',
    7,
  ]) {
    it(`refuses the name ${JSON.stringify(name)}`, () => {
      expect(() => defineQueue(name as string))
        .to.throw(ContractError, JSON.stringify(name).slice(0, 20))
        .with.property('code', 'JR_CONTRACT_INVALID');
    });
  }

  const refused: [object, typeof OptionError | typeof ContractError, RegExp][] = [
    [{ priorities: 0 }, OptionError, /priorities of queue "q" is 0/],
    [{ priorities: 11 }, OptionError, /from 1 to 10/],
    [{ type: 'classic', maxPriority: 10 }, OptionError, /priorities of queue "q" is 11/],
    [{ type: 'stream' }, ContractError, /type of queue "q" is "stream"/],
    [{ maxPriority: 5 }, ContractError, /quorum queue with maxPriority/],
    [{ ackTimeout: 'long' }, OptionError, /ackTimeout of queue "q"/],
    [{ priority: 3 }, OptionError, /Did you mean "priorities"|unknown option "priority"/],
  ];
  for (const [options, kind, message] of refused) {
    it(`refuses ${JSON.stringify(options)}`, () => {
      expect(() => defineQueue('q', options)).to.throw(kind, message);
    });
  }
});

describe('defineJob', () => {
  it('records name, queue and schema, for good', () => {
    const contract = defineJob('email.send', { queue, payload });
    expect(contract).to.deep.include({ name: 'email.send', queue, payload });
    expect(Object.isFrozen(contract)).to.equal(true);
  });

  for (const name of ['', '.', 'a.', '.a', 'a..b', 'a b', 'a.*', 'a.#', 'ü', 'x'.repeat(121), null]) {
    it(`refuses the name ${JSON.stringify(name)}`, () => {
      expect(() => defineJob(name as string, { queue, payload }))
        .to.throw(ContractError, 'A job cannot be named')
        .with.property('code', 'JR_CONTRACT_INVALID');
    });
  }

  for (const name of ['email.send.p1', 'email.p12']) {
    it(`refuses the name ${name}, which would read as a priority of another contract`, () => {
      expect(() => defineJob(name, { queue, payload })).to.throw(ContractError, name);
    });
  }

  it('refuses a payload that is no schema, and a queue that is none', () => {
    expect(() => defineJob('x', { queue, payload: {} as typeof payload })).to.throw(
      ContractError,
      /no Standard Schema/,
    );
    expect(() => defineJob('x', { queue, payload: undefined as never })).to.throw(
      ContractError,
      /no Standard Schema/,
    );
    expect(() => defineJob('x', { queue: 'email' as unknown as Queue, payload })).to.throw(
      ContractError,
      /The queue of job "x" is "email"/,
    );
    expect(() => defineJob('x', { queue, payload, retries: 3 } as never)).to.throw(
      OptionError,
      /unknown option "retries"/,
    );
  });
});

describe('validatePayload', () => {
  const contract = defineJob('email.send', { queue, payload });

  it('gives what the schema made of it, without a promise when the schema has none', () => {
    expect(validatePayload(contract, { to: 'a@b.example' })).to.deep.equal({ to: 'a@b.example', copies: 1 });
  });

  it('waits for a schema that is asynchronous', async () => {
    const slow = defineJob('x', { queue, payload: z.string().refine(async (text) => text === 'yes') });
    expect(await validatePayload(slow, 'yes')).to.equal('yes');
    const refusal = await Promise.resolve(validatePayload(slow, 'no')).catch((error: unknown) => error);
    expect(refusal).to.be.instanceOf(ContractError).with.property('code', 'JR_PAYLOAD_INVALID');
  });

  it('names each place that is wrong, and says it in the message', () => {
    expect(() => validatePayload(contract, { to: 'nobody', copies: 'two' }))
      .to.throw(ContractError, /contract "email.send": to: .+; copies: /)
      .with.property('issues')
      .that.satisfies((issues: { path: string }[]) => issues.map(({ path }) => path).join() === 'to,copies');
  });

  it('gives the path into lists, and none for the payload itself', () => {
    const nested = defineJob('x', {
      queue,
      payload: z.object({ rows: z.array(z.object({ id: z.number() })) }),
    });
    const issuesOf = (given: unknown) => {
      try {
        void validatePayload(nested, given);
      } catch (error) {
        return (error as ContractError).issues.map(({ path }) => path);
      }
      return [];
    };
    expect(issuesOf({ rows: [{ id: 1 }, { id: 'x' }] })).to.deep.equal(['rows.1.id']);
    expect(issuesOf('nothing like it')).to.deep.equal(['']);
    expect(issuesOf({ rows: Array.from({ length: 100 }, () => ({})) })).to.have.length(20);
  });

  it('takes any Standard Schema', () => {
    const byValibot = defineJob('x', { queue, payload: v.object({ n: v.number() }) });
    expect(validatePayload(byValibot, { n: 1 })).to.deep.equal({ n: 1 });
    expect(() => validatePayload(byValibot, { n: '1' })).to.throw(ContractError, /n: /);
  });
});
