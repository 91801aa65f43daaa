import type { Channel, ChannelModel } from 'amqplib';

/** A peer that does not answer a close within this is taken for gone. */
const answerMs = 3_000;

/**
 * Closes a channel and resolves when it is closed, however that came about: amqplib never answers a close whose
 * connection dies meanwhile.
 */
export async function closeChannel(channel: Channel): Promise<void> {
  await answered(channel, () => channel.close());
}

/** Closes a connection; a peer that does not answer is hung up on. */
export async function closeConnection(model: ChannelModel): Promise<void> {
  await answered(model, () => model.close());
  hangUp(model);
}

/** Lets go of the socket. amqplib ends its own half of it only, and a peer that is gone never ends the other. */
export function hangUp(model: ChannelModel): void {
  (model.connection as unknown as { stream?: { destroy(): void } }).stream?.destroy();
}

async function answered(closing: Channel | ChannelModel, close: () => Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const gone = new Promise<void>((resolve) => {
    closing.once('close', () => resolve());
    timer = setTimeout(resolve, answerMs);
  });
  // A channel that is closed already throws at once.
  const closed = Promise.resolve().then(close);
  await Promise.race([closed.catch(() => undefined), gone]);
  clearTimeout(timer);
}
