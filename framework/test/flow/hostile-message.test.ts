import { expect } from 'chai';
import { type Contract, fixed, noRetry } from '../../src/index.js';
import { header } from '../../src/model/envelope.js';
import { jobsExchange, laneQueue } from '../../src/model/topology.js';
import { rejection } from '../contract/rejection.js';
import { manyEntries, nestedLists, publishRaw } from './raw-message.js';
import { useStage } from './stage.js';
import { lone, working } from './working.js';

describe('a hostile message', () => {
  const stage = useStage();

  /** Sends it and then a good job, which must run without the consumers having been lost. */
  async function survives(contract: Contract, send: () => Promise<unknown>): Promise<void> {
    await send();
    const { id } = await stage.client.enqueue(contract, { note: 'good' });
    await stage.signals.first({ what: 'ended', id, outcome: 'completed' });
    const lost = (detail: unknown) => (detail as { msg: string }).msg.startsWith('consumers lost');
    expect(stage.signals.of(({ what, detail }) => what === 'logged' && lost(detail))).to.deep.equal([]);
  }

  for (const type of ['quorum', 'classic'] as const) {
    it(`with headers nested 20,000 deep becomes a dead letter and costs no connection (${type})`, async () => {
      const contract = lone(`hostile-deep-${type}`, { type });
      const dead = await stage.deadLetters(contract);
      await stage.start({ handlers: [working(contract, () => undefined)] });
      await survives(contract, async () => {
        const message = {
          messageId: 'deep',
          type: contract.name,
          headers: nestedLists(20_000),
          body: Buffer.from('{"note":"x"}'),
        };
        publishRaw(
          await stage.channel(),
          { exchange: jobsExchange(stage.prefix), routingKey: contract.name },
          message,
        );
        const letter = await dead.one();
        expect(letter.body.toString()).to.equal('{"note":"x"}');
        expect(letter.properties).to.include({
          messageId: 'deep',
          type: contract.name,
          contentType: 'application/json',
          deliveryMode: 2,
        });
        expect(letter.properties.headers).to.include({ [header.deadReason]: 'unreadable' });
        expect(letter.properties.headers[header.errorMessage]).to.match(
          /headers of the message cannot be decoded/,
        );
      });
    });
  }

  it('with 10,000 headers runs, and is a dead letter of the broker where it fails', async () => {
    const contract = lone('hostile-many');
    const dead = await stage.deadLetters(contract);
    const work = (given: { note: string }, job: { headers: object }) => {
      if (given.note === 'good') return;
      stage.signals.tell('headers', Object.keys(job.headers).length);
      throw new Error('no');
    };
    await stage.start({ handlers: [working(contract, work, { retry: noRetry })] });
    await survives(contract, async () => {
      const message = {
        messageId: 'many',
        type: contract.name,
        headers: manyEntries(10_000),
        body: Buffer.from('{"note":"x"}'),
      };
      publishRaw(
        await stage.channel(),
        { exchange: jobsExchange(stage.prefix), routingKey: contract.name },
        message,
      );
      await stage.signals.first({ what: 'headers', detail: 10_000 });
      expect((await dead.one()).properties.messageId).to.equal('many');
    });
  });

  for (const name of ['CC', 'BCC']) {
    it(`cannot use a worker to send copies elsewhere by ${name}`, async () => {
      const contract = lone(`hostile-${name}`);
      const victim = lone(`hostile-${name}-victim`);
      await stage.deadLetters(victim);
      const dead = await stage.deadLetters(contract);
      const throwing = working(contract, () => Promise.reject(new Error('again')), {
        retry: fixed({ attempts: 3, every: 0 }),
      });
      await stage.start({ handlers: [throwing] });
      const channel = await stage.channel();
      channel.publish(jobsExchange(stage.prefix), contract.name, Buffer.from('{"note":"x"}'), {
        type: contract.name,
        headers: { [name]: [victim.name] },
      });
      const { headers } = (await dead.one()).properties;
      expect(headers).to.not.have.property(name);
      // The one that its sender could send there by itself.
      expect(await stage.ready(laneQueue(stage.prefix, victim.queue, 0))).to.equal(1);
    });

    it(`cannot be enqueued with the header ${name}, at which the broker would close the channel`, async () => {
      const contract = lone('hostile-enqueue');
      const error = await rejection(
        stage.client.enqueue(contract, { note: '' }, { headers: { [name.toLowerCase()]: 'x' } }),
      );
      expect(error).to.have.property('code', 'JR_OPTION_INVALID');
      expect(error.message).to.include('none that the broker acts upon (CC, BCC)');
    });
  }
});
