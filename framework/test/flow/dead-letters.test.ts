import { expect } from 'chai';
import { ContractError, Fatal, fixed, noRetry } from '../../src/index.js';
import { header, readHistory } from '../../src/model/envelope.js';
import { deadExchange, deadQueue, jobsExchange } from '../../src/model/topology.js';
import { useStage } from './stage.js';
import { lone, working } from './working.js';

describe('a dead letter', () => {
  const stage = useStage();

  it('keeps body, properties, error, stack, fingerprint, reason and the history of attempts', async () => {
    const contract = lone('dead-all', { priorities: 2 });
    const dead = await stage.deadLetters(contract);
    class CardDeclined extends Error {
      override name = 'CardDeclined';
    }
    const handler = working(
      contract,
      (_, { attempt }) => {
        throw new CardDeclined(`card 4711 declined, try ${attempt}`);
      },
      { retry: fixed({ attempts: 3, every: 2 }) },
    );
    await stage.start({ handlers: [handler], name: 'billing' });
    const before = Date.now();
    const options = { priority: 1, headers: { tenant: 'acme' } };
    const { id } = await stage.client.enqueue(contract, { note: 'pay' }, options);
    const letter = await dead.one();

    expect(letter.queue).to.equal(deadQueue(stage.prefix, contract.queue));
    expect(letter).to.include({ exchange: deadExchange(stage.prefix), routingKey: 'dead-all' });
    expect(letter.body.toString()).to.equal('{"note":"pay"}');
    const { properties } = letter;
    expect(properties).to.include({
      messageId: id,
      type: 'dead-all',
      correlationId: id,
      priority: 1,
      contentType: 'application/json',
      appId: 'test',
    });
    const { headers } = properties;
    expect(headers).to.include({
      tenant: 'acme',
      [header.deadReason]: 'retries-exhausted',
      [header.errorName]: 'CardDeclined',
      [header.errorMessage]: 'card 4711 declined, try 3',
      [header.attempt]: 3,
    });
    expect(headers[header.errorStack]).to.match(
      /^CardDeclined: card 4711 declined, try 3\n\s+at .*dead-letters\.test/,
    );
    expect(headers[header.errorFingerprint]).to.match(/^[0-9a-f]{12}$/);
    expect(headers[header.deadAt]).to.be.within(before, Date.now());
    const history = readHistory(headers);
    expect(history.map(({ attempt, error, service }) => ({ attempt, error, service }))).to.deep.equal(
      [1, 2, 3].map((attempt) => ({
        attempt,
        error: `CardDeclined: card 4711 declined, try ${attempt}`,
        service: 'billing',
      })),
    );
    for (const { at, ms } of history) {
      expect(at).to.be.within(before, Date.now());
      expect(ms).to.be.within(0, Date.now() - before);
    }
  });

  it('has the same fingerprint as another of the same cause, and not as one of another cause', async () => {
    const contract = lone('dead-fingerprint');
    const dead = await stage.deadLetters(contract);
    const handler = working(
      contract,
      ({ note }) => {
        if (note === 'other') throw new TypeError('user 1 not found');
        throw new Error(`user ${note} not found`);
      },
      { retry: noRetry },
    );
    await stage.start({ handlers: [handler], queues: { 'dead-fingerprint': { concurrency: 1 } } });
    await stage.client.enqueueMany(contract, [{ note: '17' }, { note: '42' }, { note: 'other' }]);
    const [first, second, other] = (await dead.next(3)).map(
      ({ properties }) => properties.headers[header.errorFingerprint],
    );
    expect(first).to.equal(second);
    expect(first).to.not.equal(other);
  });

  it('carries nothing of the way through the delay net, which an older broker takes for a circle', async () => {
    const contract = lone('dead-stripped');
    const dead = await stage.deadLetters(contract);
    const handler = working(
      contract,
      () => {
        throw new Error('always');
      },
      { retry: fixed({ attempts: 2, every: 600 }) },
    );
    await stage.start({ handlers: [handler] });
    await stage.client.enqueue(contract, { note: '' }, { delay: 600 });
    const { headers } = (await dead.one()).properties;
    expect(Object.keys(headers).filter((name) => /death|x-delivery-count/.test(name))).to.deep.equal([]);
  });

  it('goes through the delay net again when it is replayed by hand as docs/wire.md says', async () => {
    const contract = lone('dead-replayed');
    const dead = await stage.deadLetters(contract);
    let fail = true;
    const handler = working(
      contract,
      (_, { attempt }) => {
        if (fail) throw new Fatal('not yet');
        if (attempt === 1) throw new Error('once more');
      },
      { retry: fixed({ attempts: 2, every: 600 }) },
    );
    await stage.start({ handlers: [handler] });
    const { id } = await stage.client.enqueue(contract, { note: '' }, { delay: 600 });
    const letter = await dead.one();
    fail = false;
    const channel = await stage.channel();
    channel.publish(jobsExchange(stage.prefix), letter.properties.type!, letter.body, {
      ...letter.properties,
      deliveryMode: 2,
    });
    await stage.signals.first({ what: 'ended', id, attempt: 2, outcome: 'completed' });
  });

  describe('names its reason:', () => {
    it('fatal, for Fatal', async () => {
      const contract = lone('dead-fatal');
      const dead = await stage.deadLetters(contract);
      const handler = working(contract, () => {
        throw new Fatal('no such user');
      });
      await stage.start({ handlers: [handler] });
      await stage.client.enqueue(contract, { note: '' });
      const { headers } = (await dead.one()).properties;
      expect(headers).to.include({ [header.deadReason]: 'fatal', [header.errorMessage]: 'no such user' });
      expect(readHistory(headers)).to.have.length(1);
    });

    it('invalid-payload, when the schema of the service refuses what an older producer sent', async () => {
      const contract = lone('dead-invalid');
      const dead = await stage.deadLetters(contract);
      await stage.start({ handlers: [working(contract, () => undefined)] });
      await stage.rail.broker.publish({
        exchange: jobsExchange(stage.prefix),
        routingKey: contract.name,
        body: Buffer.from('{"text":"an older shape"}'),
        properties: { messageId: 'old', type: contract.name, headers: {} },
      });
      const { headers } = (await dead.one()).properties;
      expect(headers).to.include({
        [header.deadReason]: 'invalid-payload',
        [header.errorName]: ContractError.name,
      });
      expect(headers[header.errorMessage]).to.match(/does not fit contract "dead-invalid": note: /);
      expect(stage.signals.of({ what: 'ended', outcome: 'dead' })).to.have.length(1);
    });
  });
});
