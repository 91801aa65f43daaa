import type { ChannelModel } from 'amqplib';
import { closeChannel } from './close.js';
import { openChannel } from './topology.js';

/** A consumer that is looked at from time to time. */
export interface WatchedConsumer {
  readonly queue: string;
  /** Whether it may be given more. */
  readonly hasRoom: () => boolean;
  /** Deliveries so far. */
  came: number;
  /** Deliveries at the last look, if there were messages and room for them then. */
  cameAtLook?: number | undefined;
}

/**
 * The queue of the first of these consumers that the broker surely serves no longer: the queue is gone, or has messages
 * and nobody to take them, or has messages that have not come since the last look although there is room for them.
 *
 * A broker should say so by itself, but does not always. When a quorum queue is deleted and declared again within some 30
 * ms (RabbitMQ 3.10.8: 40 times of 40), its consumers are carried over to the new queue without a word, and what that
 * sends them is dropped on the way as if it had been seen before. That a queue has no consumer is not believed without
 * messages in it: this is what the broker answers, too, when the leader of the queue does not answer it.
 */
export async function droppedConsumer(
  model: ChannelModel,
  consumers: readonly WatchedConsumer[],
): Promise<string | undefined> {
  const channel = await openChannel(model);
  let asked: string | undefined;
  try {
    for (const consumer of consumers) {
      asked = consumer.queue;
      const { messageCount, consumerCount } = await channel.checkQueue(asked);
      if (starves(consumer, messageCount) || (messageCount > 0 && consumerCount === 0)) return asked;
    }
    return undefined;
  } catch (error) {
    if ((error as { code?: number }).code === 404) return asked;
    throw error;
  } finally {
    await closeChannel(channel);
  }
}

/** The answer of the broker came on the connection of the consumer, so all that was sent to that before it is here. */
function starves(consumer: WatchedConsumer, waiting: number): boolean {
  const couldCome = waiting > 0 && consumer.hasRoom();
  const starves = couldCome && consumer.cameAtLook === consumer.came;
  consumer.cameAtLook = couldCome ? consumer.came : undefined;
  return starves;
}
