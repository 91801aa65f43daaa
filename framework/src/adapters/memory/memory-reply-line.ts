import { BrokerError } from '../../base/errors.js';
import type { OutgoingMessage } from '../../model/message.js';
import type { ReplyLine, ReplyLineOptions } from '../../ports/broker.js';
import type { MemoryNode } from './memory-node.js';

let opened = 0;

/** As direct reply-to: a name that the default exchange knows for as long as the line is open, and no queue behind it. */
export class MemoryReplyLine implements ReplyLine {
  readonly name = `amq.rabbitmq.reply-to.memory.${++opened}`;
  #closed = false;

  /** @param send publishes a message as the broker of this line does. */
  constructor(
    private readonly node: MemoryNode,
    private readonly options: ReplyLineOptions,
    private readonly send: (message: OutgoingMessage) => Promise<void>,
  ) {
    node.openLine(this);
  }

  async publish(message: OutgoingMessage): Promise<void> {
    if (this.#closed) {
      throw new BrokerError('JR_BROKER_CLOSED', 'The line for replies is closed.', {
        mend: 'Open another one.',
      });
    }
    await this.send({ ...message, properties: { ...message.properties, replyTo: this.name } });
  }

  /** An answer. */
  put({ properties, body }: OutgoingMessage): void {
    this.node.activity.later(() => {
      if (!this.#closed) this.options.onReply(properties, body);
    });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.node.closeLine(this);
    this.options.onLost();
    await this.node.activity.turn();
  }
}
