import { expect } from 'chai';
import { type Attempt, type Filter, fixed, noRetry, type Outcome } from '../../src/index.js';
import { header } from '../../src/model/envelope.js';
import { laneQueue } from '../../src/model/topology.js';
import { rejection } from '../contract/rejection.js';
import { useStage } from './stage.js';
import { lone, working } from './working.js';

describe('filters', () => {
  const stage = useStage();

  /** Tells when it is entered and left, on both sides. */
  const telling = (name: string): Filter => ({
    name,
    async publish(_sending, next) {
      stage.signals.tell(`${name} sends`);
      await next();
      stage.signals.tell(`${name} has sent`);
    },
    async attempt(_attempt, next) {
      stage.signals.tell(`${name} begins`);
      const outcome = await next();
      stage.signals.tell(`${name} ends`, outcome.kind);
      return outcome;
    },
  });
  const told = () =>
    stage.signals.all.map(({ what }) => what).filter((what) => /^(outer|inner|handler)/.test(what));

  describe('around a publish', () => {
    it('run in the order of use, the first outermost, and resolve after the confirm', async () => {
      const contract = lone('filter-order');
      const client = stage.newClient();
      client
        .use(telling('outer'))
        .use(telling('inner'))
        .use({
          name: 'confirmed',
          async publish(_sending, next) {
            await next();
            stage.signals.tell(
              'inner sees it waiting',
              await stage.ready(laneQueue(stage.prefix, contract.queue, 0)),
            );
          },
        });
      await client.enqueue(contract, { note: '' });
      expect(told()).to.deep.equal([
        'outer sends',
        'inner sends',
        'inner sees it waiting',
        'inner has sent',
        'outer has sent',
      ]);
      expect(stage.signals.of({ what: 'inner sees it waiting' })[0]!.detail).to.equal(1);
    });

    it('may add headers, which the handler gets', async () => {
      const contract = lone('filter-headers');
      const client = stage.newClient();
      client.use({
        name: 'tenant',
        publish({ message, contract, id, parent }, next) {
          message.properties.headers['tenant'] = `${contract.name} ${id} ${parent === undefined}`;
          return next();
        },
      });
      await stage.start({
        handlers: [working(contract, (_, job) => stage.signals.tell('got', job.headers))],
      });
      const { id } = await client.enqueue(contract, { note: '' });
      const { detail } = await stage.signals.first({ what: 'got' });
      expect(detail).to.deep.equal({ tenant: `filter-headers ${id} true` });
    });

    it('may refuse: what it throws is what enqueue rejects with, and nothing is sent', async () => {
      const contract = lone('filter-refuse');
      const client = stage.newClient();
      client.use({ name: 'quota', publish: () => Promise.reject(new Error('quota used up')) });
      expect((await rejection(client.enqueue(contract, { note: '' }))).message).to.equal('quota used up');
      expect(await stage.ready(laneQueue(stage.prefix, contract.queue, 0))).to.equal(undefined);
    });

    it('may swallow a job by not going on', async () => {
      const contract = lone('filter-swallow');
      const client = stage.newClient();
      client.use({ name: 'dry run', publish: () => Promise.resolve() });
      expect((await client.enqueue(contract, { note: '' })).id).to.be.a('string');
      expect(await stage.ready(laneQueue(stage.prefix, contract.queue, 0))).to.equal(undefined);
    });

    it('of a service go around what its handlers enqueue, and know the job that does', async () => {
      const contract = lone('filter-parent');
      const child = lone('filter-child');
      const handlers = [
        working(contract, (_, job) => job.enqueue(child, { note: 'child' })),
        working(child, (_, job) =>
          stage.signals.tell('child', { ...job.headers, cause: job.causationId, root: job.rootId }),
        ),
      ];
      const service = stage.service({ handlers, name: 'parents' });
      service.use({
        name: 'mark',
        publish({ message, parent }, next) {
          message.properties.headers['by'] = `${parent!.contract} ${parent!.id}`;
          return next();
        },
      });
      await service.start();
      const { id } = await stage.client.enqueue(contract, { note: '' });
      const { detail } = await stage.signals.first({ what: 'child' });
      expect(detail).to.deep.equal({ by: `filter-parent ${id}`, cause: id, root: id });
    });
  });

  describe('around an attempt', () => {
    /** A service with filters, one job on it; gives how that ended. */
    async function outcomesWith(
      name: string,
      filters: Filter[],
      work: () => unknown = () => undefined,
      attempts = 2,
    ) {
      const contract = lone(name);
      const handler = working(
        contract,
        () => {
          stage.signals.tell('handler');
          return work();
        },
        { retry: fixed({ attempts, every: 1 }) },
      );
      const service = stage.service({ handlers: [handler] });
      for (const filter of filters) service.use(filter);
      await service.start();
      const { id } = await stage.client.enqueue(contract, { note: '' });
      return { id, contract, service };
    }

    it('run in the order of use, the first outermost', async () => {
      const { id } = await outcomesWith('filter-attempt', [telling('outer'), telling('inner')]);
      await stage.signals.first({ what: 'ended', id });
      expect(told()).to.deep.equal(['outer begins', 'inner begins', 'handler', 'inner ends', 'outer ends']);
    });

    it('know the attempt: contract, job, message, service, times', async () => {
      const seen: Attempt[] = [];
      const before = Date.now();
      const filter: Filter = { name: 'look', attempt: (attempt, next) => (seen.push(attempt), next()) };
      const { id, contract } = await outcomesWith('filter-knows', [filter]);
      await stage.signals.first({ what: 'ended', id });
      const [attempt] = seen;
      expect(attempt!.contract).to.equal(contract);
      expect(attempt!.job.id).to.equal(id);
      expect(attempt!.service).to.equal('stage');
      expect(attempt!.message.body.toString()).to.equal('{"note":""}');
      expect(attempt!.readyAt).to.be.within(before, attempt!.startedAt);
      expect(attempt!.startedAt).to.be.at.most(Date.now());
    });

    it('may decide the outcome without the handler', async () => {
      const veto: Filter = {
        name: 'veto',
        attempt: () => Promise.resolve<Outcome>({ kind: 'discard', reason: 'not on sundays' }),
      };
      const { id } = await outcomesWith('filter-veto', [veto]);
      await stage.signals.first({ what: 'ended', id, outcome: 'discard' });
      expect(told()).to.deep.equal([]);
    });

    it('may change the outcome', async () => {
      const patient: Filter = {
        name: 'patient',
        async attempt({ job }, next) {
          const outcome = await next();
          return outcome.kind === 'retry' && job.attempt === 1 ? { kind: 'snooze', inMs: 1 } : outcome;
        },
      };
      let times = 0;
      const { id } = await outcomesWith('filter-change', [patient], () => {
        if (times++ === 0) throw new Error('once');
      });
      const ended = await stage.signals.next(2, { what: 'ended', id });
      expect(ended.map(({ attempt, outcome }) => [attempt, outcome])).to.deep.equal([
        [1, 'snooze'],
        [1, 'completed'],
      ]);
    });

    it('may carry headers to the next attempt', async () => {
      const counter: Filter = {
        name: 'counter',
        attempt(attempt, next) {
          const seen = Number(attempt.message.properties.headers['seen'] ?? 0);
          stage.signals.tell('seen', seen);
          attempt.carry = { ...attempt.carry, seen: seen + 1 };
          return next();
        },
      };
      const work = () => {
        throw new Error('always');
      };
      await outcomesWith('filter-carry', [counter], work, 3);
      const seen = await stage.signals.next(3, { what: 'seen' });
      expect(seen.map(({ detail }) => detail)).to.deep.equal([0, 1, 2]);
    });

    it('that throw fail the attempt, which is told, retried and kept like any other', async () => {
      const broken: Filter = { name: 'broken', attempt: () => Promise.reject(new TypeError('my own fault')) };
      const { contract, id } = await outcomesWith('filter-throws', [broken]);
      const dead = await stage.deadLetters(contract);
      const { headers, messageId } = (await dead.one()).properties;
      expect(messageId).to.equal(id);
      expect(headers).to.include({
        [header.attempt]: 2,
        [header.deadReason]: 'retries-exhausted',
        [header.errorName]: 'TypeError',
      });
      const lines = stage.signals.of(
        ({ what, detail }) => what === 'logged' && /a filter threw/.test((detail as { msg: string }).msg),
      );
      expect(lines).to.have.length(2);
      expect(told()).to.deep.equal([]);
    });

    it('hear of progress', async () => {
      const contract = lone('filter-progress');
      const handler = working(contract, (_, job) => {
        job.progress(0.25);
        job.progress(2, 'too far');
        job.progress(Number.NaN);
      });
      const service = stage.service({ handlers: [handler] });
      service.use({
        name: 'bar',
        progress: ({ job }, fraction, note) => stage.signals.tell('progress', [job.id, fraction, note]),
      });
      await service.start();
      const { id } = await stage.client.enqueue(contract, { note: '' });
      const seen = await stage.signals.next(3, { what: 'progress' });
      expect(seen.map(({ detail }) => detail)).to.deep.equal([
        [id, 0.25, undefined],
        [id, 1, 'too far'],
        [id, 0, undefined],
      ]);
    });

    it('are refused once the service was started', async () => {
      const service = await stage.start({ handlers: [working(lone('filter-late'), () => undefined)] });
      expect(() => service.use({ name: 'late' })).to.throw(/Filter "late" was added after start\(\)/);
    });
  });

  it('the log has one line for each outcome, with ids and times, never with the payload', async () => {
    const contract = lone('filter-log');
    const handler = working(
      contract,
      ({ note }, job) => {
        job.log.info('in the handler');
        if (note === 'secret fails') throw new Error('no');
      },
      { retry: noRetry },
    );
    await stage.start({ handlers: [handler] });
    const { id } = await stage.client.enqueue(contract, { note: 'secret' });
    const { id: failing } = await stage.client.enqueue(contract, { note: 'secret fails' });
    await stage.signals.next(2, ({ what, detail }) => what === 'logged' && 'outcome' in (detail as object));
    const lines = stage.signals.of({ what: 'logged' }).map(({ detail }) => detail as Record<string, unknown>);
    const about = (job: string) => lines.filter((line) => line['job'] === job && 'outcome' in line);
    expect(about(id)).to.have.length(1);
    expect(about(id)[0]).to.include({
      level: 30,
      msg: 'job completed',
      contract: 'filter-log',
      queue: 'filter-log',
      attempt: 1,
      priority: 0,
      outcome: 'completed',
    });
    expect(about(id)[0]).to.have.property('waitedMs').that.is.at.least(0);
    expect(about(id)[0]).to.have.property('ranMs').that.is.at.least(0);
    expect(about(failing)[0]).to.include({ level: 50, outcome: 'dead', reason: 'retries-exhausted' });
    expect(lines.filter(({ msg }) => msg === 'in the handler')[0]).to.include({ job: id, attempt: 1 });
    expect(JSON.stringify(lines)).to.not.include('secret');
  });
});
