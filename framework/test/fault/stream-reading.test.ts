import { expect } from 'chai';
import { AmqpBroker } from '../../src/adapters/amqp/amqp-broker.js';
import { Recorder } from '../contract/recorder.js';
import { useStage } from '../flow/stage.js';
import { TcpProxy } from './tcp-proxy.js';

describe('a reading of a stream whose connection is lost', () => {
  const stage = useStage();

  it('goes on behind the last message that it handed over, with none twice and none left out', async () => {
    const { url, prefix } = stage.rail;
    const proxy = await TcpProxy.before(url);
    const reader = new AmqpBroker({ url: proxy.through(url) });
    const writer = new AmqpBroker({ url });
    const queues = [{ name: `${prefix}.read`, arguments: { 'x-queue-type': 'stream' as const } }];
    const topology = { exchanges: [], queues, bindings: [] };
    stage.atEnd(async () => {
      await reader.close();
      await proxy.close();
      await writer.remove(topology);
      await writer.close();
    });
    const stream = queues[0]!.name;
    const write = async (from: number, to: number) => {
      for (let i = from; i < to; i++) {
        const body = Buffer.from(String(i));
        await writer.publish({ exchange: '', routingKey: stream, body, properties: { headers: {} } });
      }
    };
    await writer.declare(topology);
    await write(0, 20);

    const offsets = new Recorder<number>('offsets');
    await reader.readStream({
      stream,
      from: 3,
      prefetch: 4,
      onMessage(message) {
        offsets.record(message.offset);
        expect(message.body.toString()).to.equal(String(message.offset));
        // One in three stays without an ack, which must not keep the next connection from getting on.
        if (message.offset % 3 !== 0) message.ack();
      },
    });
    await offsets.next(3);
    for (let cut = 1; cut <= 3; cut++) {
      proxy.cut();
      await write(20 * cut, 20 * (cut + 1));
      await offsets.next(3);
    }
    const seen = offsets.all;
    expect(seen).to.deep.equal(seen.map((_, i) => i + 3));
  });
});
