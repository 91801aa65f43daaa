import { expect } from 'chai';
import { ContainerModule, inject, injectable, preDestroy } from 'inversify';
import { fixed, type Handler, Job, JobContext } from '../../src/index.js';
import { useStage } from './stage.js';
import { lone } from './working.js';

/** Builds counted by class, to see what is shared. */
let built: string[] = [];

@injectable()
class Pool {
  destroyed = false;
  constructor() {
    built.push('Pool');
  }
  @preDestroy()
  async end(): Promise<void> {
    await Promise.resolve();
    this.destroyed = true;
  }
}

/** Belongs to one attempt, because it asks for its job. */
@injectable()
class Audit {
  readonly lines: string[] = [];
  constructor(
    @inject(JobContext) readonly job: JobContext,
    @inject(Pool) readonly pool: Pool,
  ) {
    built.push('Audit');
  }
}

@injectable()
class Steps {
  constructor(@inject(Audit) readonly audit: Audit) {}
}

describe('dependencies of a handler', () => {
  const stage = useStage();
  beforeEach(() => (built = []));

  const scoped = new ContainerModule(({ bind }) => {
    bind(Pool).toSelf().inSingletonScope();
    bind(Audit).toSelf().inRequestScope();
    bind(Steps).toSelf();
  });

  it('that ask for the job have the scope of the attempt: one instance within, another for the next', async () => {
    const contract = lone('scope-attempt');
    const audits: Audit[] = [];
    @Job(contract, { retry: fixed({ attempts: 2, every: 1 }) })
    class Handle implements Handler<typeof contract> {
      constructor(
        @inject(Audit) readonly audit: Audit,
        @inject(Steps) readonly steps: Steps,
        @inject(Pool) readonly pool: Pool,
      ) {}
      handle(_: { note: string }, job: JobContext): void {
        expect(this.steps.audit).to.equal(this.audit);
        expect(this.audit.job).to.equal(job);
        expect(this.audit.pool).to.equal(this.pool);
        audits.push(this.audit);
        if (job.attempt === 1) throw new Error('once');
      }
    }
    await stage.start({ handlers: [Handle], modules: [scoped] });
    const { id } = await stage.client.enqueue(contract, { note: '' });
    await stage.signals.first({ what: 'ended', id, outcome: 'completed' });
    expect(audits).to.have.length(2);
    expect(audits[0]).to.not.equal(audits[1]);
    expect(audits.map(({ job }) => [job.id, job.attempt])).to.deep.equal([
      [id, 1],
      [id, 2],
    ]);
  });

  it('as singletons are shared by all attempts of all handlers', async () => {
    const [one, two] = [lone('scope-one'), lone('scope-two')];
    const pools = new Set<Pool>();
    @Job(one)
    class First implements Handler<typeof one> {
      constructor(@inject(Audit) readonly audit: Audit) {}
      handle(): void {
        pools.add(this.audit.pool);
      }
    }
    @Job(two)
    class Second implements Handler<typeof two> {
      constructor(@inject(Pool) readonly pool: Pool) {}
      handle(): void {
        pools.add(this.pool);
      }
    }
    const service = await stage.start({ handlers: [First, Second], modules: [scoped] });
    for (const contract of [one, two, one]) await stage.client.enqueue(contract, { note: '' });
    await stage.signals.next(3, { what: 'ended', outcome: 'completed' });
    expect(pools.size).to.equal(1);
    expect(built.filter((name) => name === 'Pool')).to.have.length(1);

    const [pool] = pools;
    expect(pool!.destroyed).to.equal(false);
    await service.stop();
    expect(pool!.destroyed, 'preDestroy is called when the service stops').to.equal(true);
  });

  it('and the handler itself are new for each attempt', async () => {
    const contract = lone('scope-handler');
    const seen = new Set<object>();
    @Job(contract)
    class Handle implements Handler<typeof contract> {
      handle(): void {
        seen.add(this);
      }
    }
    await stage.start({ handlers: [Handle] });
    await stage.client.enqueueMany(contract, [{ note: '1' }, { note: '2' }, { note: '3' }]);
    await stage.signals.next(3, { what: 'ended' });
    expect(seen.size).to.equal(3);
  });

  it('of jobs that run at the same time do not mix', async () => {
    const contract = lone('scope-mixed');
    @Job(contract)
    class Handle implements Handler<typeof contract> {
      constructor(@inject(Audit) readonly audit: Audit) {}
      async handle({ note }: { note: string }, job: JobContext): Promise<void> {
        this.audit.lines.push(note);
        stage.signals.tell('inside', note);
        await stage.signals.next(5, { what: 'inside' });
        expect(this.audit.lines).to.deep.equal([note]);
        expect(this.audit.job.id).to.equal(job.id);
      }
    }
    await stage.start({ handlers: [Handle], modules: [scoped] });
    await stage.client.enqueueMany(
      contract,
      ['a', 'b', 'c', 'd', 'e'].map((note) => ({ note })),
    );
    const ended = await stage.signals.next(5, { what: 'ended' });
    expect(ended.map(({ outcome }) => outcome)).to.deep.equal(Array(5).fill('completed'));
  });
});
