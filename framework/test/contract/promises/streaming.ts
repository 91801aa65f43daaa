import { expect } from 'chai';
import { TopologyError } from '../../../src/base/errors.js';
import type { StreamMessage, StreamReading, StreamReadOptions } from '../../../src/ports/broker.js';
import { Recorder, until } from '../recorder.js';
import { rejection } from '../rejection.js';
import type { Scene } from '../scene.js';

export function streaming(scene: () => Scene): void {
  it('reads what is there from the beginning, then what comes, with rising offsets', async () => {
    const stream = await scene().queue('s', streamArguments);
    await scene().send(stream, ['a', 'b']);
    const { messages } = await read(scene(), stream, 'first');
    await messages.next(2);
    await scene().send(stream, ['c']);
    await messages.one();
    expect(messages.all.map(body)).to.deep.equal(['a', 'b', 'c']);
    expect(messages.all.map(({ offset }) => offset)).to.deep.equal([0, 1, 2]);
  });

  it('keeps what was read for the next reader', async () => {
    const stream = await scene().queue('s', streamArguments);
    await scene().send(stream, ['a', 'b']);
    const first = await read(scene(), stream, 'first');
    await first.messages.next(2);
    await first.reading.close();
    const second = await read(scene(), stream, 'first');
    expect((await second.messages.next(2)).map(body)).to.deep.equal(['a', 'b']);
  });

  it('reads from an offset on, and from the next message on', async () => {
    const stream = await scene().queue('s', streamArguments);
    await scene().send(stream, ['a', 'b', 'c', 'd']);
    const later = await read(scene(), stream, 2);
    expect((await later.messages.next(2)).map(body)).to.deep.equal(['c', 'd']);
    const next = await read(scene(), stream, 'next');
    await scene().send(stream, ['e']);
    expect(body(await next.messages.one())).to.equal('e');
    expect(next.messages.all[0]!.offset).to.equal(4);
  });

  it('sends no more than about the prefetch while nothing is acked, then the rest', async () => {
    const stream = await scene().queue('s', streamArguments);
    const bodies = Array.from({ length: 30 }, (_, i) => `m${i}`);
    // One after another, because RabbitMQ hands over together what it wrote together.
    for (const each of bodies) await scene().send(stream, [each]);
    const { messages } = await read(scene(), stream, 'first', { prefetch: 5, settle: () => undefined });
    await messages.next(5);
    const control = await read(scene(), stream, 'first');
    await control.messages.next(30);
    expect(messages.all.length).to.be.lessThan(30);
    const held = messages.all.slice(0, 5);
    for (let acked = 0; acked < 30; acked++) {
      if (held.length === acked) held.push(await messages.one());
      held[acked]!.ack();
    }
    expect(messages.all.map(body)).to.deep.equal(bodies);
  });

  it('brings properties and headers', async () => {
    const stream = await scene().queue('s', streamArguments);
    await scene().publish(stream, 'key', '{}', {
      type: 'jobrail.events',
      contentType: 'application/json',
      headers: { a: 'b' },
    });
    const { messages } = await read(scene(), stream, 'first');
    const { properties } = await messages.one();
    expect(properties).to.include({ type: 'jobrail.events', contentType: 'application/json' });
    expect(properties.headers).to.include({ a: 'b' });
  });

  it('rejects for a stream that does not exist', async () => {
    const error = await rejection(read(scene(), scene().name('missing'), 'first'));
    expect(error).to.be.instanceOf(TopologyError).with.property('code', 'JR_TOPOLOGY_MISSING');
    expect(error.message).to.include(scene().name('missing'));
  });

  it('goes on by itself with the stream that takes the place of one that was deleted', async () => {
    const stream = await scene().queue('s', streamArguments);
    await scene().send(stream, ['a']);
    const { messages, reading } = await read(scene(), stream, 'first');
    await messages.one();
    const other = await scene().another();
    await other.remove({
      exchanges: [],
      queues: [{ name: stream, arguments: streamArguments }],
      bindings: [],
    });
    await until(
      async () => (await other.depth(stream)) !== undefined && reading.ready,
      (ready) => ready,
    );
    await scene().queue('s', streamArguments);
    await scene().send(stream, ['b']);
    expect(body(await messages.one())).to.equal('b');
  });

  it('reads nothing after close, which may be called again', async () => {
    const stream = await scene().queue('s', streamArguments);
    const { messages, reading } = await read(scene(), stream, 'first');
    await reading.close();
    await reading.close();
    expect(reading.ready).to.equal(false);
    await scene().send(stream, ['a']);
    const second = await read(scene(), stream, 'first');
    await second.messages.one();
    expect(messages.all).to.deep.equal([]);
  });
}

const streamArguments = { 'x-queue-type': 'stream', 'x-max-length-bytes': 10_000_000 } as const;

async function read(
  scene: Scene,
  stream: string,
  from: StreamReadOptions['from'],
  how: { prefetch?: number; settle?: (message: StreamMessage) => void } = {},
): Promise<{ reading: StreamReading; messages: Recorder<StreamMessage> }> {
  const messages = new Recorder<StreamMessage>('messages', body);
  const { prefetch = 10, settle = (message: StreamMessage) => message.ack() } = how;
  const reading = await scene.broker.readStream({
    stream,
    from,
    prefetch,
    onMessage(message) {
      messages.record(message);
      settle(message);
    },
  });
  return { reading, messages };
}

function body(message: StreamMessage): string {
  return message.body.toString();
}
