import { ContainerModule, inject, injectable } from 'inversify';
import { expect } from 'chai';
import { randomUUID } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { z } from 'zod';
import {
  ConfigError,
  ContractError,
  defineJob,
  defineQueue,
  Fatal,
  fixed,
  type Handler,
  Job,
  type JobContext,
  type JobOptions,
  noRetry,
  OptionError,
  type PayloadOf,
} from '../../src/index.js';
import { checkIdempotent } from '../../src/testing.js';
import { rejection } from '../contract/rejection.js';

const Charge = defineJob('check.charge', {
  queue: defineQueue('check'),
  payload: z.object({ order: z.string() }),
});
const Receipt = defineJob('check.receipt', {
  queue: defineQueue('check'),
  payload: z.object({ order: z.string() }),
});

/** What is outside: it goes on when a process is killed. */
@injectable()
class Provider {
  readonly charged: string[] = [];
  readonly #keys = new Set<string>();

  /** @param key a second charge with the same one charges nothing. */
  async charge(order: string, key: string = randomUUID()): Promise<number> {
    await turn();
    if (!this.#keys.has(key)) this.charged.push(order);
    this.#keys.add(key);
    return this.charged.length;
  }

  async has(order: string): Promise<boolean> {
    await turn();
    return this.charged.includes(order);
  }

  async refund(order: string): Promise<void> {
    await turn();
    throw new RangeError(`nothing was charged for ${order}`);
  }
}

type Work = (provider: Provider, payload: PayloadOf<typeof Charge>, job: JobContext) => unknown;

/** Checks a handler whose work is a function, and that is built with a provider. */
function checked(work: Work, options: JobOptions<PayloadOf<typeof Charge>> = {}, provider = new Provider()) {
  @Job(Charge, options)
  class Charging implements Handler<typeof Charge> {
    constructor(@inject(Provider) private readonly provider: Provider) {}
    handle(payload: PayloadOf<typeof Charge>, job: JobContext): unknown {
      return work(this.provider, payload, job);
    }
  }
  const modules = [new ContainerModule(({ bind }) => void bind(Provider).toConstantValue(provider))];
  const payload = (trial: number) => ({ order: `order-${trial}` });
  return checkIdempotent(Charging, payload, { modules, effects: () => provider.charged.length });
}

const idempotency = { key: ({ order }: { order: string }) => order, keepFor: '7d' } as const;

describe('checkIdempotent', () => {
  it('finds out a handler that charges again whenever it runs again', async () => {
    const report = await checked((provider, { order }) => provider.charge(order));
    expect(report.effects).to.equal(1);
    expect(report.awaits).to.deep.equal(['Provider.charge #1', 'the end of handle']);
    expect(report.doubled).to.deep.equal([
      { when: 'twice', effects: 2 },
      { when: 'concurrently', effects: 2 },
      { when: 'killed', at: 'Provider.charge #1', effects: 2 },
      { when: 'killed', at: 'the end of handle', effects: 2 },
    ]);
    expect(report.problems[2]).to.equal('killed at Provider.charge #1: 2 effects instead of 1');
    // Two undisturbed, and two for each of the four trials.
    expect(report.runs).to.equal(10);
  });

  it('finds the moment between effect and mark, which "idempotency" alone leaves open', async () => {
    const report = await checked((provider, { order }) => provider.charge(order), { idempotency });
    expect(report.doubled.map(({ when }) => when)).to.deep.equal(['killed', 'killed']);
  });

  it('passes a handler that gives the provider a key', async () => {
    const report = await checked((provider, { order }, { id }) => provider.charge(order, id), {
      idempotency,
    });
    expect(report.problems).to.deep.equal([]);
    expect(report).to.deep.include({ doubled: [], missing: [], failed: [] });
  });

  it('passes a handler that is idempotent by itself', async () => {
    expect((await checked((provider, { order }) => provider.charge(order, order))).problems).to.deep.equal(
      [],
    );
  });

  it('finds out who looks first and charges then, with another doing the same', async () => {
    const report = await checked(async (provider, { order }) => {
      if (!(await provider.has(order))) await provider.charge(order);
    });
    expect(report.doubled).to.deep.equal([{ when: 'concurrently', effects: 2 }]);
  });

  it('kills at each call, also of those that fail or are made together', async () => {
    const report = await checked(async (provider, { order }) => {
      await Promise.all([provider.has(order), provider.has(order)]);
      await provider.refund(order).catch(() => provider.charge(order, order));
    });
    expect(report.awaits).to.deep.equal([
      'Provider.has #1',
      'Provider.has #2',
      'Provider.refund #1',
      'Provider.charge #1',
      'the end of handle',
    ]);
    expect(report.problems).to.deep.equal([]);
  });

  it('finds out a handler that notes the work as done before it does it', async () => {
    const done = new Set<string>();
    const provider = new Provider();
    const notes = { add: async (order: string) => void done.add(order) };
    @Job(Charge)
    class Hasty implements Handler<typeof Charge> {
      constructor(
        @inject(Provider) private readonly provider: Provider,
        @inject('Notes') private readonly book: typeof notes,
      ) {}
      async handle({ order }: { order: string }): Promise<void> {
        if (done.has(order)) return;
        await this.book.add(order);
        await this.provider.charge(order);
      }
    }
    const modules = [
      new ContainerModule(({ bind }) => {
        bind(Provider).toConstantValue(provider);
        bind('Notes').toConstantValue(Object.freeze(notes));
      }),
    ];
    const payload = (trial: number) => ({ order: `order-${trial}` });
    const report = await checkIdempotent(Hasty, payload, {
      modules,
      effects: () => provider.charged.length,
    });
    expect(report.missing).to.deep.equal([{ when: 'killed', at: 'Notes.add #1', effects: 0 }]);
    expect(report.problems).to.deep.equal(['killed at Notes.add #1: 0 effects instead of 1']);
  });

  it('gives each process objects of its own, as after a start: what one remembers, another does not know', async () => {
    const ledger: string[] = [];
    @injectable()
    class Remembering {
      readonly #seen = new Set<string>();
      async charge(order: string) {
        if (this.#seen.has(order)) return;
        this.#seen.add(order);
        ledger.push(order);
      }
    }
    @Job(Charge)
    class Charging implements Handler<typeof Charge> {
      constructor(@inject(Remembering) private readonly provider: Remembering) {}
      handle = ({ order }: { order: string }) => this.provider.charge(order);
    }
    const modules = [new ContainerModule(({ bind }) => void bind(Remembering).toSelf().inSingletonScope())];
    const effects = () => ledger.length;
    const report = await checkIdempotent(Charging, { order: 'order-1' }, { modules, effects });
    expect(report.doubled.map(({ when }) => when)).to.include('twice');
  });

  it('lets nothing more happen in a process that was killed', async () => {
    const report = await checked(
      async (provider, { order }) => {
        // Goes on although its first call is never answered.
        await Promise.race([provider.has(order), turn().then(() => turn())]);
        await provider.charge(order);
      },
      { idempotency },
    );
    expect(report.problems).to.deep.equal([
      'killed at Provider.charge #1: 2 effects instead of 1',
      'killed at the end of handle: 2 effects instead of 1',
    ]);
  });

  it('tells when the job ends otherwise after a disturbance', async () => {
    const report = await checked(
      async (provider, { order }) => {
        if (await provider.has(order)) throw new Fatal('charged before');
        await provider.charge(order);
      },
      { retry: noRetry },
    );
    expect(report.failed).to.deep.include({
      when: 'twice',
      effects: 1,
      outcome: 'dead (fatal) by Fatal: charged before',
    });
    expect(report.problems).to.include(
      'twice: the job did not complete: dead (fatal) by Fatal: charged before',
    );
  });

  it('runs a job that fails again, as a service would', async () => {
    const report = await checked(
      async (provider, { order }, { attempt }) => {
        if (attempt === 1) throw new Error('not yet');
        await provider.charge(order, order);
      },
      { retry: fixed({ attempts: 3, every: '1h' }) },
    );
    expect(report.problems).to.deep.equal([]);
  });

  it('gives the handler its job, and shows what it enqueues', async () => {
    const enqueuing = (id?: string) => {
      @Job(Charge)
      class Enqueuing implements Handler<typeof Charge> {
        async handle({ order }: { order: string }, job: JobContext) {
          expect(job.signal.aborted).to.equal(false);
          expect(job.contract).to.equal('check.charge');
          job.log.info('charging');
          await job.enqueue(Receipt, { order }, id === undefined ? {} : { id });
        }
      }
      return checkIdempotent(
        Enqueuing,
        { order: 'order-1' },
        {
          effects: (enqueued) => {
            const [first] = enqueued;
            if (first) {
              expect(first).to.deep.include({ contract: 'check.receipt', payload: { order: 'order-1' } });
            }
            return new Set(enqueued.map((job) => job.id)).size;
          },
        },
      );
    };
    const naive = await enqueuing();
    expect(naive.awaits).to.deep.equal(['job.enqueue #1', 'the end of handle']);
    expect(naive.doubled.map(({ when }) => when)).to.include.members(['twice', 'killed']);
    expect((await enqueuing('receipt-of-order-1')).problems).to.deep.equal([]);
  });

  it('ends what the modules opened, in every process', async () => {
    let open = 0;
    const ledger: string[] = [];
    @Job(Charge)
    class Charging implements Handler<typeof Charge> {
      constructor(@inject('pool') private readonly pool: { charge: (order: string) => Promise<unknown> }) {}
      handle = ({ order }: { order: string }) => this.pool.charge(order);
    }
    const modules = [
      new ContainerModule(({ bind }) => {
        bind('pool')
          .toDynamicValue(() => {
            open++;
            return { charge: async (order: string) => ledger.push(order) };
          })
          .inSingletonScope()
          .onDeactivation(() => {
            open--;
          });
      }),
    ];
    await checkIdempotent(Charging, { order: 'x' }, { modules, effects: () => ledger.length });
    expect(open).to.equal(0);
  });

  describe('refuses, and says what to do', () => {
    const nothing = () => checked(() => undefined);

    it('a handler without an effect that is counted', async () => {
      expect((await rejection(nothing())).message).to.match(/Charging has no effect that "effects" counts/);
    });

    it('a world that remembers the first trial', async () => {
      const ledger = new Set<string>();
      @Job(Charge)
      class Remembered implements Handler<typeof Charge> {
        handle = ({ order }: { order: string }) => ledger.add(order);
      }
      const error = await rejection(
        checkIdempotent(Remembered, { order: 'same' }, { effects: () => ledger.size }),
      );
      expect(error.message).to.match(/1 effect when it runs the first time, and 0 effects/);
      expect(error.message).to.include('give a function as payload');
    });

    it('a handler that fails undisturbed', async () => {
      const failing = () => {
        throw new TypeError('no card');
      };
      const error = await rejection(checked(failing, { retry: noRetry }));
      expect(error.message).to.match(/Charging does not complete undisturbed: dead .* TypeError: no card/);
      expect(error.cause).to.be.instanceOf(TypeError);
    });

    it('what is no handler, cannot be built, or cannot be read', async () => {
      const effects = () => 1;
      class Plain {
        handle() {}
      }
      @Job(Charge)
      class Needy implements Handler<typeof Charge> {
        constructor(@inject(Provider) readonly provider: Provider) {}
        handle() {}
      }
      @Job(Charge)
      class Fine implements Handler<typeof Charge> {
        handle() {}
      }
      const order = { order: '1' };
      expect(await rejection(checkIdempotent(Plain, order, { effects }))).to.be.instanceOf(ConfigError);
      expect(await rejection(checkIdempotent(Needy, order, { effects }))).to.include({
        code: 'JR_HANDLER_UNRESOLVED',
      });
      const bad = await rejection(checkIdempotent(Fine, { order: 7 }, { effects }));
      expect(bad).to.be.instanceOf(ContractError).and.include({ code: 'JR_PAYLOAD_INVALID' });
      for (const counted of [Number.NaN, -1, 0.5, '1' as never]) {
        const error = await rejection(checkIdempotent(Fine, order, { effects: () => counted }));
        expect(error).to.be.instanceOf(OptionError);
        expect(error.message).to.match(/effects of checkIdempotent gave/);
      }
      const none = await rejection(checkIdempotent(Fine, order, {} as never));
      expect(none.message).to.match(/effects of checkIdempotent is undefined/);
      const unknown = await rejection(checkIdempotent(Fine, order, { effects, module: [] } as never));
      expect(unknown.message).to.match(/unknown option "module". Did you mean "modules"/);
    });
  });
});
