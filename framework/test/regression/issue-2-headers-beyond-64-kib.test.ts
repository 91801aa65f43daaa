import { expect } from 'chai';
import { fixed, noRetry } from '../../src/index.js';
import { header, readHistory } from '../../src/model/envelope.js';
import { jobsExchange, laneQueue } from '../../src/model/topology.js';
import { useStage } from '../flow/stage.js';
import { lone, working } from '../flow/working.js';

/*
 * amqplib writes at most 64 KiB of headers. A large error, a long history or large headers of the producer went beyond:
 * what follows from the outcome could not be published, and was tried for ever while the job was kept.
 */
describe('a dead letter of a job with large headers', () => {
  const stage = useStage();

  it('is cut where errors are huge, so that all its headers fit into what AMQP carries', async () => {
    const contract = lone('dead-huge');
    const dead = await stage.deadLetters(contract);
    const handler = working(
      contract,
      () => {
        throw new Error('ж'.repeat(1_000_000));
      },
      { retry: fixed({ attempts: 30, every: 0 }) },
    );
    await stage.start({ handlers: [handler] });
    const headers = { note: 'x'.repeat(16_000) };
    await stage.client.enqueue(contract, { note: '' }, { headers });
    const { headers: got } = (await dead.one()).properties;
    expect(got[header.errorMessage]).to.equal('ж'.repeat(2_000));
    expect(Buffer.byteLength(got[header.errorStack] as string)).to.be.within(7_990, 8_000);
    const history = readHistory(got).map(({ attempt }) => attempt);
    expect(history).to.deep.equal(history.map((_, i) => 30 - history.length + 1 + i));
    expect(history).to.have.length.within(10, 25);
    expect(got).to.include(headers);
    expect(stage.signals.of({ what: 'began' })).to.have.length(30);
  });

  it('tells of an error whose name and message are no text', async () => {
    const contract = lone('dead-odd');
    const dead = await stage.deadLetters(contract);
    const handler = working(
      contract,
      () => {
        throw Object.assign(new Error(), { name: undefined, message: { status: 503 }, stack: 7 });
      },
      { retry: noRetry },
    );
    await stage.start({ handlers: [handler] });
    await stage.client.enqueue(contract, { note: '' });
    const { headers } = (await dead.one()).properties;
    expect(headers[header.errorMessage]).to.equal('undefined: {"status":503}');
  });

  it('is made by the broker of a message whose headers are too large to send them on', async () => {
    const contract = lone('dead-unsendable');
    const dead = await stage.deadLetters(contract);
    const handler = working(
      contract,
      () => {
        throw new Error('always');
      },
      { retry: fixed({ attempts: 3, every: 0 }) },
    );
    const service = await stage.start({ handlers: [handler] });
    // amqplib itself writes no more than 64 KiB; these come close, and the history of attempts goes beyond.
    const headers = { note: 'x'.repeat(65_400) };
    const channel = await stage.channel();
    channel.publish(jobsExchange(stage.prefix), contract.name, Buffer.from('{"note":""}'), {
      messageId: 'large',
      type: contract.name,
      deliveryMode: 2,
      headers,
    });
    const { headers: got, messageId } = (await dead.one()).properties;
    expect(messageId).to.equal('large');
    expect(got).to.include({ ...headers, 'x-first-death-reason': 'rejected' });
    await stage.signals.first(
      ({ what, detail }) =>
        what === 'logged' && (detail as { err?: { code?: string } }).err?.code === 'JR_MESSAGE_UNSENDABLE',
    );
    await service.stop();
    expect(await stage.ready(laneQueue(stage.prefix, contract.queue, 0))).to.equal(0);
  });
});
