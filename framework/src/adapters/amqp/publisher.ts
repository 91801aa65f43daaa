import type { ConfirmChannel, Message } from 'amqplib';
import type { Clock, Timer } from '../../base/clock.js';
import { ContractError, PublishError, type ErrorCode } from '../../base/errors.js';
import type { OutgoingMessage } from '../../model/message.js';
import { closeChannel } from './close.js';
import { type AmqpConnection, closedError } from './connection.js';
import { sendConfirmed } from './send-confirmed.js';

export interface PublisherOptions {
  clock: Clock;
  /** Messages sent and not yet confirmed. */
  window: number;
  /** Messages that may wait for room in the window; more are refused. */
  mostWaiting: number;
  /** From `publish` to its rejection. Milliseconds. */
  timeoutMs: number;
}

interface Entry {
  readonly message: OutgoingMessage;
  readonly deadline: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
  /** Sent on a channel that never said what became of it. */
  maybeAccepted: boolean;
  returned: string | undefined;
  done: boolean;
}

/**
 * Publishes with confirms.
 *
 * A message waits, is sent, and is confirmed, in that order:
 *   waiting ──room in the window, channel open──▶ in flight ──ack──▶ resolved
 *      ▲                                            │ returned, then ack ──▶ rejected, certainly not accepted
 *      └────── channel lost, or nacked ─────────────┘
 *   waiting or in flight past its deadline ──▶ rejected, saying whether it may have been accepted
 *
 * Duties: mandatory and persistent always; a bounded window and a bounded line before it; a fresh channel after a nack
 * (after a leader change a channel may nack for good) or a deadline; what was in flight on a lost channel is sent again
 * under its own id, because its fate is unknown and twice is better than never.
 */
export class AmqpPublisher {
  #channel: ConfirmChannel | undefined;
  #opening = false;
  #closed = false;
  #whenIdle: (() => void) | undefined;
  #channelError: Error | undefined;
  readonly #waiting: Entry[] = [];
  readonly #inFlight = new Set<Entry>();
  #deadlineTimer: Timer | undefined;

  constructor(
    private readonly connection: AmqpConnection,
    private readonly options: PublisherOptions,
  ) {
    connection.onUp(() => void this.#openChannel());
  }

  /** Messages sent and not yet confirmed. */
  get inFlight(): number {
    return this.#inFlight.size;
  }

  publish(message: OutgoingMessage): Promise<void> {
    if (this.#closed) return Promise.reject(closedError());
    return new Promise((resolve, reject) => {
      const entry: Entry = {
        message,
        deadline: this.options.clock.now() + this.options.timeoutMs,
        resolve,
        reject,
        maybeAccepted: false,
        returned: undefined,
        done: false,
      };
      if (this.#channel && this.#waiting.length === 0 && this.#inFlight.size < this.options.window) {
        if (!this.#send(this.#channel, entry)) this.#waiting.push(entry);
      } else if (this.#waiting.length < this.options.mostWaiting) {
        this.#waiting.push(entry);
      } else {
        this.#fail(
          entry,
          'JR_PUBLISH_TIMEOUT',
          `${this.#waiting.length} messages wait for the broker already`,
        );
        return;
      }
      this.#watchDeadline();
    });
  }

  /** Waits until what was published is confirmed or rejected, then ends. */
  async close(): Promise<void> {
    this.#closed = true;
    if (!this.#idle) await new Promise<void>((resolve) => (this.#whenIdle = resolve));
    this.#deadlineTimer?.cancel();
    const channel = this.#channel;
    this.#channel = undefined;
    if (channel) await closeChannel(channel);
  }

  get #idle(): boolean {
    return this.#inFlight.size === 0 && this.#waiting.every((entry) => entry.done);
  }

  async #openChannel(): Promise<void> {
    const model = this.connection.model;
    if (this.#opening || this.#channel || !model) return;
    this.#opening = true;
    try {
      const channel = await model.createConfirmChannel();
      channel.on('error', (error: Error) => (this.#channelError = error));
      // Before amqplib fails the confirms: a closed channel says nothing of them, which is not a nack.
      channel.prependOnceListener('close', () => this.#lost(channel));
      channel.on('return', (message: Message) => this.#markReturned(message));
      this.#channel = channel;
      this.#sendWaiting();
    } catch {
      // The connection went away meanwhile; the next one opens a channel again.
    } finally {
      this.#opening = false;
      if (!this.#channel && this.connection.model && this.connection.model !== model)
        void this.#openChannel();
    }
  }

  /** False when the channel is closing and has not said so yet. */
  #send(channel: ConfirmChannel, entry: Entry): boolean {
    this.#inFlight.add(entry);
    try {
      sendConfirmed(channel, entry.message, (error: unknown) => this.#confirmed(channel, entry, error));
      return true;
    } catch (error) {
      // A closed channel throws, and so does a property that AMQP cannot hold: only the first can be mended by waiting.
      this.#inFlight.delete(entry);
      if (channel !== this.#channel || isClosedChannel(error)) return false;
      this.#settle(entry, unsendable(entry.message, error as Error));
      return true;
    }
  }

  #confirmed(channel: ConfirmChannel, entry: Entry, error: unknown): void {
    if (channel !== this.#channel) return; // #lost has dealt with it
    this.#inFlight.delete(entry);
    if (!error && entry.returned === undefined) this.#settle(entry);
    else if (!error) this.#fail(entry, 'JR_PUBLISH_RETURNED', `No queue takes it: ${entry.returned}`);
    else this.#nacked(channel, entry);
    if (this.#waiting.length > 0) this.#sendWaiting();
  }

  #nacked(channel: ConfirmChannel, entry: Entry): void {
    if (!entry.done) this.#waiting.unshift(entry);
    // Not at once: while a leader is elected each fresh channel would be nacked in turn.
    this.options.clock.setTimer(20, () => this.#replace(channel));
    this.#watchDeadline();
  }

  #replace(channel: ConfirmChannel): void {
    if (this.#channel !== channel) return;
    this.#lost(channel);
    void closeChannel(channel);
  }

  #lost(channel: ConfirmChannel): void {
    if (this.#channel !== channel) return;
    this.#channel = undefined;
    const missing = missingExchange(this.#channelError);
    this.#channelError = undefined;
    const unconfirmed: Entry[] = [];
    for (const entry of this.#inFlight) {
      if (entry.message.exchange === missing) {
        this.#fail(entry, 'JR_PUBLISH_RETURNED', 'There is no such exchange');
      } else if (!entry.done) {
        entry.maybeAccepted = true;
        unconfirmed.push(entry);
      }
    }
    this.#inFlight.clear();
    this.#waiting.unshift(...unconfirmed);
    void this.#openChannel();
  }

  #sendWaiting(): void {
    const channel = this.#channel;
    while (channel && this.#waiting.length > 0 && this.#inFlight.size < this.options.window) {
      const batch = this.#waiting.splice(0, this.options.window - this.#inFlight.size);
      const refused = batch.filter((entry) => !entry.done && !this.#send(channel, entry));
      this.#waiting.unshift(...refused);
      if (refused.length > 0) return; // the next channel takes them
    }
  }

  #markReturned({ fields, properties }: Message): void {
    const { replyText, exchange, routingKey } = fields as unknown as Record<string, string>;
    for (const entry of this.#inFlight) {
      const { message } = entry;
      if (entry.returned !== undefined || message.routingKey !== routingKey || message.exchange !== exchange)
        continue;
      if (message.properties.messageId !== properties.messageId) continue;
      entry.returned = replyText ?? 'NO_ROUTE';
      return;
    }
  }

  #watchDeadline(): void {
    if (this.#deadlineTimer) return;
    const oldest = this.#oldest();
    if (!oldest) return;
    const inMs = Math.max(10, oldest.deadline - this.options.clock.now());
    this.#deadlineTimer = this.options.clock.setTimer(inMs, () => {
      this.#deadlineTimer = undefined;
      this.#rejectOverdue();
      this.#watchDeadline();
    });
  }

  /** All entries have the same timeout, so each list is in order of deadline but for what was sent again. */
  #oldest(): Entry | undefined {
    const [sent] = this.#inFlight;
    const [waiting] = this.#waiting;
    return !sent || (waiting && waiting.deadline < sent.deadline) ? waiting : sent;
  }

  #rejectOverdue(): void {
    const now = this.options.clock.now();
    const overdue = (entry: Entry) => entry.deadline <= now;
    const late = [...this.#inFlight].filter(overdue);
    for (const entry of late) {
      entry.maybeAccepted = true;
      this.#inFlight.delete(entry);
    }
    const waited = this.#waiting.filter(overdue);
    if (waited.length > 0)
      this.#waiting.splice(0, this.#waiting.length, ...this.#waiting.filter((e) => !overdue(e)));
    const why = this.connection.blocked
      ? `the broker blocks publishers (${this.connection.blocked})`
      : this.connection.model
        ? 'the broker did not confirm it'
        : 'there is no connection to the broker';
    for (const entry of [...late, ...waited]) this.#fail(entry, 'JR_PUBLISH_TIMEOUT', why);
    // The window is counted by channel: a fresh one starts it clean.
    if (late.length > 0 && this.#channel && !this.connection.blocked) this.#replace(this.#channel);
  }

  #fail(entry: Entry, code: ErrorCode, why: string): void {
    const { messageId, type } = entry.message.properties;
    const what = `Message ${messageId ?? '(no id)'}${type ? ` of "${type}"` : ''} was not published within ${this.options.timeoutMs} ms`;
    const maybe = entry.maybeAccepted;
    const error =
      code === 'JR_PUBLISH_RETURNED'
        ? new PublishError(
            code,
            `Message ${messageId ?? '(no id)'} came back from exchange "${entry.message.exchange}", routing key "${entry.message.routingKey}". ${why}.`,
            {
              mend: 'Declare the queue of its contract first, or check the prefix.',
              maybeAccepted: maybe,
            },
          )
        : new PublishError(code, `${what}: ${why}.`, {
            mend: maybe
              ? 'The broker may have taken it all the same: send it again with the same id.'
              : 'It was not accepted: send it again when the broker is back.',
            maybeAccepted: maybe,
          });
    this.#settle(entry, error);
  }

  #settle(entry: Entry, error?: Error): void {
    if (entry.done) return;
    entry.done = true;
    if (error) entry.reject(error);
    else entry.resolve();
    if (this.#closed && this.#idle) this.#whenIdle?.();
  }
}

/** The exchange whose absence made the broker close the channel. */
function missingExchange(error: Error | undefined): string | undefined {
  return /no exchange '([^']*)'/.exec(error?.message ?? '')?.[1];
}

function unsendable({ properties }: OutgoingMessage, cause: Error): ContractError {
  return new ContractError(
    'JR_MESSAGE_UNSENDABLE',
    `Message ${properties.messageId ?? '(no id)'} cannot be sent: ${cause.message}.`,
    { mend: 'Its headers must fit into 64 KiB together and hold only values that AMQP has.', cause },
  );
}

function isClosedChannel(error: unknown): boolean {
  return error instanceof Error && error.name === 'IllegalOperationError';
}
