import type { Options } from 'amqplib';
import { expect } from 'chai';
import { Writable } from 'node:stream';
import { inspect } from 'node:util';
import { pino, type Logger } from 'pino';
import * as v from 'valibot';
import { z } from 'zod';
import {
  type Contract,
  defineJob,
  defineQueue,
  Discard,
  type Duration,
  Fatal,
  fixed,
  JobClient,
  type JobContext,
  noRetry,
  OptionError,
  type Outcome,
  type RetryPolicy,
  Snooze,
} from '../../src/index.js';
import { header } from '../../src/model/envelope.js';
import { jobsExchange } from '../../src/model/topology.js';
import { rejection } from '../contract/rejection.js';
import { startChild } from './child.js';
import { useSpans } from './spans.js';
import { useStage } from './stage.js';
import { lone, working } from './working.js';

describe('what logs, traces and dead letters see', () => {
  const stage = useStage();
  const exporter = useSpans();
  let written: string;
  let log: Logger;

  beforeEach(() => {
    written = '';
    const keep = (chunk: Buffer, _: unknown, done: () => void) => ((written += chunk.toString()), done());
    log = pino({ level: 'trace' }, new Writable({ write: keep }));
  });

  /** What they have seen since the test began. */
  function seen(): { logs: string; spans: string } {
    const spans = exporter
      .getFinishedSpans()
      .map(({ name, attributes, events, status, links, resource }) => ({
        ...{ name, attributes, events, status, links, resource: resource.attributes },
      }));
    return { logs: written, spans: JSON.stringify(spans) };
  }

  describe('credentials', () => {
    const url = 'postgres://app:hunter2@db.internal:5432/shop';

    /** An error as clients of databases and APIs throw it: the URL in its message, in its fields, in its cause. */
    function leaky(): Error {
      const cause = Object.assign(new Error(`connect to ${url}`), {
        input: url,
        config: { auth: { password: 'hunter2' } },
      });
      return Object.assign(new Error(`cannot reach ${url}: refused`, { cause }), {
        code: 'EDB',
        options: { url },
      });
    }

    it('that handlers put into their errors are in no log line, span or dead letter', async () => {
      const contract = lone('secret-thrown');
      const dead = await stage.deadLetters(contract);
      const throwing = working(
        contract,
        ({ note }) => {
          if (note === 'discard') throw new Discard(`no ${url}`);
          throw note === 'fatal' ? new Fatal(leaky()) : leaky();
        },
        { retry: fixed({ attempts: 2, every: 1 }) },
      );
      await stage.start({ handlers: [throwing], log });
      await stage.client.enqueueMany(contract, [{ note: 'fatal' }, { note: 'fail' }, { note: 'discard' }]);
      const letters = await dead.next(2);
      await stage.signals.first({ what: 'ended', outcome: 'discard' });
      const { logs, spans } = seen();
      const headers = JSON.stringify(letters.map(({ properties }) => properties.headers));
      for (const text of [logs, spans, headers]) {
        expect(text).to.not.include('hunter2');
        expect(text).to.include('postgres://***@db.internal:5432/shop');
      }
      expect(logs).to.include('"code":"EDB"');
    });

    it('of the broker are in no error of a client that cannot connect', async () => {
      const password = 'br0ker-s3cret';
      const { host } = new URL(stage.rail.url);
      const urls = [
        `amqp://nobody:${password}@${host}`,
        `amqp://nobody:${password}@127.0.0.1:1`,
        `amqps://nobody:${password}@${host}`,
      ];
      for (const one of urls) {
        const error = await rejection(stage.newClient({ url: one, connectTimeout: '500ms' }).connect());
        expect(error).to.have.property('code', 'JR_BROKER_UNREACHABLE');
        expect(inspect(error, { depth: 10, showHidden: true })).to.not.include(password);
      }
    });

    for (const [what, bad] of [
      ['that has no scheme', 'app:br0ken@host'],
      ['of another scheme', 'http://app:br0ken@host'],
      ['with a slash in the password', 'amqp://app:x/br0ken@host'],
      ['with a slash behind digits in the password', 'amqp://app:12/br0ken@host'],
      ['with a comma in the password', 'amqp://app:x,br0ken@host'],
      ['with a question mark in the password', 'amqp://app:12?br0ken@host'],
      ['with a hash in the password', 'amqp://app:12#br0ken@host'],
      ['with an at sign and a slash in the password', 'amqp://app:x@br0ken/y@host'],
      ['without a host', 'amqp://app:br0ken@'],
      ['with a port that is none', 'amqp://app:br0ken@host:99999'],
    ] as const) {
      it(`of a broker URL ${what} are not shown when it is refused`, () => {
        expect(() => new JobClient({ url: bad }))
          .to.throw(OptionError)
          .that.satisfies((error: OptionError) => !inspect(error, { depth: 10 }).includes('br0ken'));
      });
    }

    it('of a broker URL that holds none are no reason to hide it', () => {
      expect(() => new JobClient({ url: 'localhost' })).to.throw(
        /^The broker URL "localhost" is no AMQP URL\./,
      );
    });

    const password = 'pr0cess-s3cret';
    const { host } = new URL(process.env['AMQP_URL'] ?? 'amqp://127.0.0.1');
    for (const [what, environment] of [
      ['a wrong password', { AMQP_URL: `amqp://nobody:${password}@${host}` }],
      ['no broker', { AMQP_URL: `amqp://nobody:${password}@127.0.0.1:1` }],
      ['a URL that is none', { AMQP_URL: `amqp://nobody:${password}/x@${host}` }],
      ['TLS where there is none', { AMQP_URL: `amqps://nobody:${password}@${host}` }],
    ] as const) {
      it(`are not in what a service writes that does not start for ${what}`, async () => {
        const child = startChild(stage, new URL('./fixtures/guarded.js', import.meta.url), environment);
        expect(await child.exited).to.equal(1);
        expect(child.output.stderr).to.match(/JR_(BROKER_UNREACHABLE|OPTION_INVALID)/);
        expect(child.output.stdout + child.output.stderr).to.not.include(password);
      });
    }
  });

  describe('payloads', () => {
    const marker = 'pAyL0ad-of-ada';
    const payload = { note: marker };

    /** Runs a service for as long as `run` takes; gives what logs and traces have seen of it. */
    async function after(
      contract: Contract,
      work: Parameters<typeof working>[1],
      run: () => Promise<unknown>,
      {
        retry = noRetry,
        timeout = '5s',
        gracePeriod = '2s',
      }: { retry?: RetryPolicy; timeout?: Duration; gracePeriod?: Duration } = {},
    ): Promise<string> {
      const service = await stage.start({
        handlers: [working(contract, work, { retry, timeout })],
        gracePeriod,
        log,
      });
      await run();
      await service.stop();
      const { logs, spans } = seen();
      expect(logs.length + spans.length, 'something is logged').to.be.above(500);
      return logs + spans;
    }

    const ended = (outcome: string) =>
      stage.signals.first((sign) => sign.what === 'ended' && sign.outcome === outcome);
    const untilAborted = (_: unknown, { signal }: JobContext) =>
      new Promise((_resolve, reject) =>
        signal.addEventListener('abort', () => reject(signal.reason as Error)),
      );
    let snoozes = 0;

    const outcomes: [
      outcome: Outcome['kind'],
      how: string,
      work: Parameters<typeof working>[1],
      options?: Parameters<typeof after>[3],
    ][] = [
      ['completed', 'with a result and progress', (given, job) => (job.progress(0.5, 'half'), given)],
      [
        'retry',
        'by the policy',
        (_, { attempt }) => attempt === 1 && Promise.reject(new Error('once')),
        { retry: fixed({ attempts: 2, every: 1 }) },
      ],
      [
        'retry',
        'by a timeout',
        (_, job) => job.attempt === 1 && untilAborted(_, job),
        { retry: fixed({ attempts: 2, every: 1 }), timeout: '50ms' },
      ],
      ['dead', 'by Fatal', () => Promise.reject(new Fatal('never'))],
      ['dead', 'by the last attempt', () => Promise.reject(new Error('always'))],
      ['discard', 'by Discard', () => Promise.reject(new Discard('gone'))],
      ['snooze', 'by Snooze', () => snoozes++ === 0 && Promise.reject(new Snooze({ in: 5 }))],
    ];
    for (const [i, [outcome, how, work, options]] of outcomes.entries()) {
      it(`are in no log line and no span of an attempt that ends as ${outcome} ${how}`, async () => {
        const contract = lone(`payload-${i}`);
        const text = await after(
          contract,
          work,
          async () => {
            await stage.client.enqueue(contract, payload);
            await ended(outcome);
            if (outcome === 'retry' || outcome === 'snooze') await ended('completed');
          },
          options,
        );
        expect(text).to.not.include(marker);
      });
    }

    it('are in no log line and no span of an attempt that the end of the service interrupts', async () => {
      const contract = lone('payload-released');
      const text = await after(
        contract,
        untilAborted,
        async () => {
          await stage.client.enqueue(contract, payload);
          await stage.signals.first({ what: 'began' });
        },
        { gracePeriod: '1ms' },
      );
      expect(text).to.include('given back to its queue').and.to.not.include(marker);
    });

    it('are in no log line and no span of a job that expired', async () => {
      const contract = lone('payload-expired');
      const text = await after(
        contract,
        () => undefined,
        async () => {
          await publish(contract, JSON.stringify(payload), { headers: { [header.expiresAt]: 1 } });
          await ended('expired');
        },
      );
      expect(text).to.include('expired before it started').and.to.not.include(marker);
    });

    /** As a program does that knows nothing of Jobrail. */
    async function publish(
      contract: Contract,
      body: string,
      properties: Options.Publish = {},
    ): Promise<void> {
      const channel = await stage.channel();
      channel.publish(jobsExchange(stage.prefix), contract.name, Buffer.from(body), {
        type: contract.name,
        messageId: 'm',
        ...properties,
      });
    }

    it('are there where a handler logs them itself', async () => {
      const contract = lone('payload-asked');
      const work = (given: unknown, job: { log: { info(details: object): void } }) => job.log.info({ given });
      const text = await after(contract, work, async () => {
        await stage.client.enqueue(contract, payload);
        await ended('completed');
      });
      expect(text).to.include(marker);
    });

    const schemas: [library: string, contract: Contract][] = [
      [
        'Zod',
        defineJob('payload-zod', {
          queue: defineQueue('payload-zod'),
          payload: z.object({ note: z.enum(['a', 'b'], { error: ({ input }) => `not ${String(input)}` }) }),
        }),
      ],
      [
        'Valibot',
        defineJob('payload-valibot', {
          queue: defineQueue('payload-valibot'),
          payload: v.object({ note: v.picklist(['a', 'b']) }),
        }),
      ],
    ];
    for (const [library, contract] of schemas) {
      it(`that a schema of ${library} quotes as it refuses them are in the dead letter, in no log line and no span`, async () => {
        const dead = await stage.deadLetters(contract);
        const text = await after(
          contract,
          () => undefined,
          async () => {
            const channel = await stage.channel();
            channel.publish(jobsExchange(stage.prefix), contract.name, Buffer.from(JSON.stringify(payload)), {
              type: contract.name,
              messageId: 'm',
            });
            const { headers } = (await dead.one()).properties;
            expect(headers[header.errorMessage]).to.include(marker);
          },
        );
        expect(text).to.not.include(marker);
        expect(text).to.include(`does not fit contract \\"${contract.name}\\": note: …`);
      });
    }

    it('that are no JSON are quoted nowhere, with the place that is wrong', async () => {
      const contract = lone('payload-broken');
      const dead = await stage.deadLetters(contract);
      const text = await after(
        contract,
        () => undefined,
        async () => {
          const bodies = [`{"note":${marker}}`, `{"note":"${marker}`, marker, `{"note":"${marker}"}x`];
          for (const body of bodies) await publish(contract, body);
          const headers = JSON.stringify((await dead.next(4)).map(({ properties }) => properties.headers));
          expect(headers).to.not.include(marker).and.to.not.include(marker.slice(0, 5));
          expect(headers).to.include(`is no JSON at position ${bodies[3]!.length - 1}`);
        },
      );
      expect(text).to.not.include(marker.slice(0, 5));
    });

    it('of messages that are no job are in no log line', async () => {
      const contract = lone('payload-refused');
      const dead = await stage.deadLetters(contract);
      const text = await after(
        contract,
        () => undefined,
        async () => {
          await publish(contract, JSON.stringify(payload), { type: 'another' });
          await publish(contract, JSON.stringify(payload), { contentEncoding: 'gzip' });
          await dead.next(2);
        },
      );
      expect(text).to.not.include(marker);
    });

    it('that a handler enqueues and a schema refuses are in no log line', async () => {
      const contract = lone('payload-child');
      const [, [, child]] = schemas as [unknown, [string, Contract]];
      const text = await after(
        contract,
        (_, job) =>
          job.enqueue(child, payload).catch((cause: unknown) => {
            throw new Error(`no child: ${(cause as Error).message}`, { cause });
          }),
        async () => {
          await stage.client.enqueue(contract, payload);
          await ended('dead');
        },
      );
      expect(text).to.include('no child').and.to.not.include(marker);
    });
  });
});
