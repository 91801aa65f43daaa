import { ContractError, PublishError } from '../../base/errors.js';
import type { OutgoingMessage } from '../../model/message.js';
import type { Entry } from './publish-channel.js';

/** A message that was not confirmed in time. */
export function notPublished(
  { message, maybeAccepted }: Entry,
  timeoutMs: number,
  why: string,
): PublishError {
  const { messageId, type } = message.properties;
  const what = `Message ${messageId ?? '(no id)'}${type ? ` of "${type}"` : ''}`;
  return new PublishError('JR_PUBLISH_TIMEOUT', `${what} was not published within ${timeoutMs} ms: ${why}.`, {
    mend: maybeAccepted
      ? 'The broker may have taken it all the same: send it again with the same id.'
      : 'It was not accepted: send it again when the broker is back.',
    maybeAccepted,
  });
}

/** A message that no queue takes. */
export function cameBack({ message, maybeAccepted }: Entry, why: string): PublishError {
  const { exchange, routingKey, properties } = message;
  return new PublishError(
    'JR_PUBLISH_RETURNED',
    `Message ${properties.messageId ?? '(no id)'} came back from exchange "${exchange}", routing key "${routingKey}". ${why}.`,
    { mend: 'Declare the queue of its contract first, or check the prefix.', maybeAccepted },
  );
}

/** A message that amqplib cannot encode. */
export function unsendable({ properties }: OutgoingMessage, cause: Error): ContractError {
  return new ContractError(
    'JR_MESSAGE_UNSENDABLE',
    `Message ${properties.messageId ?? '(no id)'} cannot be sent: ${cause.message}.`,
    { mend: 'Its headers must fit into 64 KiB together and hold only values that AMQP has.', cause },
  );
}

/** The exchange whose absence made the broker close the channel. */
export function missingExchange(error: Error | undefined): string | undefined {
  return /no exchange '([^']*)'/.exec(error?.message ?? '')?.[1];
}
