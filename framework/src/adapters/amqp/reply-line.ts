import type { ChannelModel, ConfirmChannel } from 'amqplib';
import { PublishError, toError } from '../../base/errors.js';
import type { MessageProperties, OutgoingMessage } from '../../model/message.js';
import type { ReplyLine, ReplyLineOptions } from '../../ports/broker.js';
import { closeChannel } from './close.js';

/** Direct reply-to: the broker itself puts the address of this channel in the place of this name. */
const direct = 'amq.rabbitmq.reply-to';

/** A channel that sends requests and gets their answers, which have to be the same one. */
export class AmqpReplyLine implements ReplyLine {
  readonly #returned = new Map<string, string>();

  static async open(model: ChannelModel, options: ReplyLineOptions): Promise<AmqpReplyLine> {
    const channel = await model.createConfirmChannel();
    const line = new AmqpReplyLine(channel);
    channel.on('error', () => undefined);
    channel.once('close', () => options.onLost());
    await channel.consume(
      direct,
      (message) => {
        if (message) options.onReply(message.properties as MessageProperties, message.content);
      },
      { noAck: true },
    );
    return line;
  }

  private constructor(private readonly channel: ConfirmChannel) {
    channel.on('return', ({ properties, fields }: { properties: MessageProperties; fields: object }) => {
      const { replyText = 'NO_ROUTE' } = fields as { replyText?: string };
      this.#returned.set(properties.messageId ?? '', replyText);
    });
  }

  async publish({ exchange, routingKey, body, properties }: OutgoingMessage): Promise<void> {
    const id = properties.messageId ?? '';
    const options = { ...properties, replyTo: direct, mandatory: true, persistent: true };
    const failure = await new Promise<Error | undefined>((resolve) => {
      try {
        this.channel.publish(exchange, routingKey, body, options, (error: unknown) =>
          resolve(error === null || error === undefined ? undefined : toError(error)),
        );
      } catch (error) {
        resolve(toError(error));
      }
    });
    const returned = this.#returned.get(id);
    this.#returned.delete(id);
    if (returned !== undefined) {
      throw new PublishError('JR_PUBLISH_RETURNED', `Job ${id} was returned by the broker: ${returned}.`, {
        maybeAccepted: false,
      });
    }
    if (failure) {
      throw new PublishError('JR_PUBLISH_TIMEOUT', `Job ${id} was not confirmed: ${failure.message}.`, {
        mend: 'It may have been accepted: run it again under the same id.',
        cause: failure,
        maybeAccepted: true,
      });
    }
  }

  async close(): Promise<void> {
    await closeChannel(this.channel);
  }
}
