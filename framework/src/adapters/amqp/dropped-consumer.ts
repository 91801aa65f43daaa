import type { ChannelModel } from 'amqplib';
import { closeChannel } from './close.js';
import { openChannel } from './topology.js';

/**
 * The first of these queues that surely has no consumer any more: it is gone, or has messages and nobody to take them.
 *
 * A broker should say so by itself, but does not always: a cluster of RabbitMQ 3.10.8 says nothing to the consumers of
 * one quorum queue in fifteen that is deleted. That a queue has no consumer is not believed without messages in it: this is
 * what the broker answers, too, when the leader of the queue does not answer it.
 */
export async function droppedConsumer(
  model: ChannelModel,
  queues: readonly string[],
): Promise<string | undefined> {
  const channel = await openChannel(model);
  let asked: string | undefined;
  try {
    for (const queue of queues) {
      asked = queue;
      const { messageCount, consumerCount } = await channel.checkQueue(queue);
      if (messageCount > 0 && consumerCount === 0) return queue;
    }
    return undefined;
  } catch (error) {
    if ((error as { code?: number }).code === 404) return asked;
    throw error;
  } finally {
    await closeChannel(channel);
  }
}
