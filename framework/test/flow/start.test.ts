import { expect } from 'chai';
import { ContainerModule, inject, injectable } from 'inversify';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { z } from 'zod';
import {
  defineJob,
  defineQueue,
  type Handler,
  Job,
  JobrailError,
  JobService,
  OptionError,
} from '../../src/index.js';
import { laneQueue } from '../../src/model/topology.js';
import { rejection } from '../contract/rejection.js';
import { type ServiceOptions, useStage } from './stage.js';
import { lone, working } from './working.js';

describe('a service does not start', () => {
  const stage = useStage();

  /** What `start` rejects with; nothing may be left open, which the stage sees to. */
  async function startError(options: ServiceOptions): Promise<JobrailError> {
    const service = stage.service(options);
    const error = await rejection(service.start());
    expect(error).to.be.instanceOf(JobrailError);
    expect(service.state).to.equal('stopped');
    return error as JobrailError;
  }

  it('with two handlers for one contract', async () => {
    const contract = lone('start-double');
    @Job(contract)
    class First implements Handler<typeof contract> {
      handle(): void {}
    }
    @Job(contract)
    class Second implements Handler<typeof contract> {
      handle(): void {}
    }
    const error = await startError({ handlers: [First, Second] });
    expect(error.code).to.equal('JR_CONFIG_INVALID');
    expect(error.message).to.match(/^First and Second both handle contract "start-double"\./);
  });

  it('with a handler whose queue is not configured', async () => {
    const error = await startError({ handlers: [working(lone('start-unset'), () => undefined)], queues: {} });
    expect(error.code).to.equal('JR_CONFIG_INVALID');
    expect(error.message).to.match(/Handler Working works on queue "start-unset", which is not configured/);
    expect(error.mend).to.equal('Add it: queues: { start-unset: { concurrency: 10 } }.');
  });

  it('with a queue that is configured but that no handler works on', async () => {
    const handlers = [working(lone('start-mail'), () => undefined)];
    const typo = await startError({ handlers, queues: { 'start-mail': {}, 'start-mial': {} } });
    expect(typo.message).to.match(/Queue "start-mial" is configured but no handler works on it\./);
    expect(typo.mend).to.equal('Did you mean "start-mail"?');
    const unused = await startError({ handlers, queues: { 'start-mail': {}, completely_else: {} } });
    expect(unused.mend).to.equal('Remove it, or add its handlers.');
  });

  it('with a queue that is defined twice, differently', async () => {
    const [one, two] = [{ priorities: 1 }, { priorities: 2 }].map((options, i) =>
      defineJob(`start-twice-${i}`, { queue: defineQueue('start-twice', options), payload: z.unknown() }),
    );
    const handlers = [working(one!, () => undefined), working(two!, () => undefined)];
    expect((await startError({ handlers })).message).to.match(/"start-twice" is defined twice, differently/);
  });

  it('with no handlers', async () => {
    expect((await startError({ handlers: [] })).message).to.match(/Service "stage" has no handlers\./);
  });

  it('with a class that is not marked with @Job', async () => {
    class Plain {
      handle(): void {}
    }
    const unmarked = new JobService({
      name: 'unmarked',
      url: stage.rail.url,
      handlers: [Plain],
      queues: {},
      log: stage.signals.log,
    });
    const error = await rejection(unmarked.start());
    expect(error.message).to.match(/^Plain is given as a handler but is not marked with @Job\./);
  });

  describe('with a dependency that is not bound, naming handler and dependency', () => {
    @injectable()
    class Mailer {}

    @injectable()
    class Templates {
      constructor(@inject(Mailer) readonly mailer: Mailer) {}
    }

    it('of the handler itself', async () => {
      const contract = lone('start-missing');
      @Job(contract)
      class SendMail implements Handler<typeof contract> {
        constructor(@inject(Mailer) readonly mailer: Mailer) {}
        handle(): void {}
      }
      const error = await startError({ handlers: [SendMail] });
      expect(error.code).to.equal('JR_HANDLER_UNRESOLVED');
      expect(error.message).to.match(
        /^Handler SendMail of "start-missing" needs Mailer, which is not bound\./,
      );
      expect(error.mend).to.include('Bind Mailer in a ContainerModule');
    });

    it('of a dependency of the handler', async () => {
      const contract = lone('start-missing-deep');
      @Job(contract)
      class SendMail implements Handler<typeof contract> {
        constructor(@inject(Templates) readonly templates: Templates) {}
        handle(): void {}
      }
      const module = new ContainerModule(({ bind }) => void bind(Templates).toSelf());
      const error = await startError({ handlers: [SendMail], modules: [module] });
      expect(error.message).to.match(
        /^Handler SendMail of "start-missing-deep" needs Mailer, which is not bound\./,
      );
    });

    it('by a symbol', async () => {
      const contract = lone('start-missing-symbol');
      const clock = Symbol('clock');
      @Job(contract)
      class Tick implements Handler<typeof contract> {
        constructor(@inject(clock) readonly now: unknown) {}
        handle(): void {}
      }
      const error = await startError({ handlers: [Tick] });
      expect(error.message).to.match(/^Handler Tick of "start-missing-symbol" needs Symbol\(clock\)/);
    });
  });

  it('with a dependency whose constructor throws, telling why', async () => {
    const contract = lone('start-throwing');
    @injectable()
    class Broken {
      constructor() {
        throw new Error('no SMTP_URL');
      }
    }
    @Job(contract)
    class Send implements Handler<typeof contract> {
      constructor(@inject(Broken) readonly broken: Broken) {}
      handle(): void {}
    }
    const modules = [new ContainerModule(({ bind }) => void bind(Broken).toSelf())];
    const error = await startError({ handlers: [Send], modules });
    expect(error.code).to.equal('JR_HANDLER_UNRESOLVED');
    expect(error.message).to.match(/Handler Send of "start-throwing" cannot be built: .*no SMTP_URL/);
  });

  it('with a queue that exists with other arguments, showing both values', async () => {
    const contract = lone('start-conflict', { type: 'classic', maxPriority: 3 });
    const channel = await stage.channel();
    const name = laneQueue(stage.prefix, contract.queue, 0);
    await channel.assertQueue(name, { durable: true, arguments: { 'x-queue-type': 'classic' } });
    const error = await startError({ handlers: [working(contract, () => undefined)] });
    expect(error.code).to.equal('JR_TOPOLOGY_CONFLICT');
    expect(error.message)
      .to.include(name)
      .and.to.match(/the code asks for .+, the broker has .+\./);
    expect(error.mend).to.match(/jobrail topology migrate/);
  });

  it('with a binding to an exchange that does not exist', async () => {
    const contract = lone('start-foreign');
    const bindings = [{ exchange: `${stage.prefix}.orders`, routingKey: '#' }];
    const error = await startError({ handlers: [working(contract, () => undefined, { bindings })] });
    expect(error.code).to.equal('JR_TOPOLOGY_MISSING');
    expect(error.message).to.include(`${stage.prefix}.orders`);
    expect(error.mend).to.include('"bindings"');
  });

  it('without a broker, naming where it looked but no password', async () => {
    const silent = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => silent.once('listening', resolve));
    const { port } = silent.address() as AddressInfo;
    await new Promise((resolve) => silent.close(resolve));
    const error = await startError({
      handlers: [working(lone('start-nowhere'), () => undefined)],
      url: `amqp://ada:secret@127.0.0.1:${port}/shop`,
      connectTimeout: '150ms',
    });
    expect(error.code).to.equal('JR_BROKER_UNREACHABLE');
    expect(error.message)
      .to.include(`amqp://127.0.0.1:${port}/shop within 150 ms`)
      .and.include('ECONNREFUSED');
    expect(error.message).to.not.include('secret');
  });

  it('with credentials the broker refuses, saying so', async () => {
    const url = new URL(stage.rail.url);
    url.username = 'nobody-here';
    url.password = 'wrong';
    const error = await startError({
      handlers: [working(lone('start-refused'), () => undefined)],
      url: url.toString(),
      connectTimeout: '700ms',
    });
    expect(error.code).to.equal('JR_BROKER_UNREACHABLE');
    expect(error.message).to.match(/ACCESS[_-]REFUSED/);
    expect(error.message).to.not.include('wrong');
  });

  it('twice', async () => {
    const service = await stage.start({ handlers: [working(lone('start-again'), () => undefined)] });
    const error = await rejection(service.start());
    expect(error.message).to.match(/start\(\) was called on a service that is running/);
  });

  it('where a job may be in hand for longer than the broker waits for its ack', async () => {
    const handlers = [working(lone('start-long'), () => undefined, { timeout: '2h' })];
    const error = await startError({ handlers });
    expect(error.code).to.equal('JR_CONFIG_INVALID');
    expect(error.message).to.include('2.0 h').and.to.include('30.0 min');
  });

  describe('with an unknown option', () => {
    const handlers = [working(lone('start-options'), () => undefined)];
    const queue = (options: object) => ({ handlers, queues: { 'start-options': options } });
    const job = (options: object) => ({
      handlers: [working(lone('start-options'), () => undefined, options)],
    });
    const wrong: [string, ServiceOptions, RegExp][] = [
      [
        'of JobService',
        { handlers, gracePerod: '1s' } as object as ServiceOptions,
        /Did you mean "gracePeriod"\?/,
      ],
      ['of a queue', queue({ concurency: 3 }), /queue "start-options" .*Did you mean "concurrency"\?/],
      ['of @Job', job({ timeuot: '3s' }), /@Job\("start-options"\) of Working .*Did you mean "timeout"\?/],
      ['value: concurrency 0', queue({ concurrency: 0 }), /concurrency .* is 0\. .*1 to 10000/],
      ['value: prefetch below concurrency', queue({ concurrency: 20, prefetch: 5 }), /prefetch .* is 5\./],
      ['value: lowShare 2', queue({ lowShare: 2 }), /lowShare .* is 2\./],
      [
        'value: gracePeriod',
        { handlers, gracePeriod: 'long' as never },
        /gracePeriod of JobService is "long"/,
      ],
      [
        'value: timeout',
        job({ timeout: '3 seconds' }),
        /timeout of @Job\("start-options"\) of Working is "3 seconds"/,
      ],
      ['value: name', { handlers, name: '' }, /name of JobService is ""/],
    ];
    for (const [what, options, message] of wrong) {
      it(what, async () => {
        const error = await rejection((async () => stage.service(options).start())());
        expect(error).to.be.instanceOf(OptionError);
        expect(error.message).to.match(message);
      });
    }
  });
});

describe('defining', () => {
  const payload = z.unknown();
  const wrong: [string, () => unknown, RegExp][] = [
    ['a queue named with a dot', () => defineQueue('a.b'), /cannot be named "a\.b"/],
    ['a queue with a reserved name', () => defineQueue('dead'), /cannot be named "dead"/],
    ['a queue with eleven priorities', () => defineQueue('a', { priorities: 11 }), /priorities .* is 11/],
    ['a queue of an unknown type', () => defineQueue('a', { type: 'stream' as never }), /is "stream"/],
    [
      'a quorum queue with maxPriority',
      () => defineQueue('a', { maxPriority: 3 }),
      /quorum queue with maxPriority/,
    ],
    [
      'a queue with an unknown option',
      () => defineQueue('a', { priority: 3 } as object),
      /Known options: priorities/,
    ],
    [
      'a job named with a space',
      () => defineJob('a b', { queue: defineQueue('a'), payload }),
      /cannot be named/,
    ],
    [
      'a job without a schema',
      () => defineJob('a', { queue: defineQueue('a'), payload: {} as never }),
      /no Standard Schema/,
    ],
    [
      'a job without a queue',
      () => defineJob('a', { queue: 'a' as never, payload }),
      /The queue of job "a" is "a"/,
    ],
  ];
  for (const [what, define, message] of wrong) {
    it(`refuses ${what}`, () => {
      expect(define).to.throw(JobrailError, message);
    });
  }
});
