import type { ConfirmChannel } from 'amqplib';
import type { MessageProperties, OutgoingMessage } from '../../model/message.js';

/** What `ConfirmChannel.publish` of amqplib does inside. */
interface RawChannel {
  sendMessage(fields: object, properties: MessageProperties, content: Buffer): boolean;
  pushConfirmCallback(onConfirm: (error: unknown) => void): void;
}

/**
 * Sends a persistent, mandatory message; `onConfirm` is called with null when the broker has it, else with an error.
 *
 * This goes past `channel.publish` to the two functions that it calls: that function copies all options, and makes the
 * headers inherit from a copy, which takes longer than encoding them.
 * @throws IllegalOperationError of amqplib when the channel is closed.
 */
export function sendConfirmed(
  channel: ConfirmChannel,
  { exchange, routingKey, body, properties }: OutgoingMessage,
  onConfirm: (error: unknown) => void,
): void {
  const raw = channel as unknown as RawChannel;
  const persistent = properties.deliveryMode === 2 ? properties : { ...properties, deliveryMode: 2 };
  raw.sendMessage({ exchange, routingKey, mandatory: true, immediate: false, ticket: 0 }, persistent, body);
  raw.pushConfirmCallback(onConfirm);
}
