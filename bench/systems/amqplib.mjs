// Bare amqplib, as Jobrail has it: `best` is the best recipe known (quorum queue, confirm window of 1,000, acks of a turn
// of the event loop coalesced, frames of a turn in one write); `plain` is what most people write (an ack each). The last ack
// of a turn may stand for all before it, because the handlers end in the order they began in.
import { createRequire } from 'node:module';

const { connect } = createRequire(new URL('../../framework/package.json', import.meta.url))('amqplib');

export const settings = 'quorum queue, persistent, confirms (window 1,000), manual acks';
export const server = 'rabbitmq';

export async function open({ url, queue, variant }) {
  const best = variant !== 'plain';
  const model = await connect(url, { noDelay: true });
  if (best) cork(model);
  const channel = await model.createConfirmChannel();
  await channel.assertQueue(queue, { durable: true, arguments: { 'x-queue-type': 'quorum' } });
  let id = 0;
  let consumer;
  const send = (payload, confirmed) =>
    channel.publish(
      '',
      queue,
      Buffer.from(JSON.stringify(payload)),
      { persistent: true, mandatory: true, messageId: String(++id), contentType: 'application/json' },
      confirmed,
    );
  return {
    one: (payload) =>
      new Promise((resolve, reject) => send(payload, (error) => (error ? reject(error) : resolve()))),
    many: (count, payload) =>
      new Promise((resolve) => {
        let sent = 0;
        let confirmed = 0;
        const more = () => {
          for (; sent < count && sent - confirmed < 1_000; sent++)
            send(payload, () => (++confirmed === count ? resolve() : more()));
        };
        more();
      }),
    async start(concurrency, onJob) {
      consumer = await model.createChannel();
      await consumer.prefetch(concurrency);
      let last;
      await consumer.consume(queue, async (message) => {
        await onJob(JSON.parse(message.content.toString()));
        if (!best) return consumer.ack(message);
        if (!last)
          setImmediate(() => {
            consumer.ack(last, true);
            last = undefined;
          });
        last = message;
      });
    },
    async stop() {
      await new Promise((resolve) => setTimeout(resolve, 50));
      await consumer?.close();
      await model.close();
    },
    async clean() {
      const other = await connect(url);
      await (await other.createChannel()).deleteQueue(queue);
      await other.close();
    },
  };
}

/** Frames of a turn leave in one write. */
function cork({ connection: { muxer } }) {
  const read = muxer._readIncoming;
  muxer._readIncoming = () => {
    muxer.out.cork();
    try {
      read.call(muxer);
    } finally {
      muxer.out.uncork();
    }
  };
}
