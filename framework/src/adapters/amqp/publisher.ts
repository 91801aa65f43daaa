import type { Clock, Timer } from '../../base/clock.js';
import type { OutgoingMessage } from '../../model/message.js';
import { type AmqpConnection, closedError } from './connection.js';
import { type Entry, PublishChannel, type PublishChannelEvents } from './publish-channel.js';
import { cameBack, missingExchange, notPublished, unsendable } from './publish-failure.js';

export interface PublisherOptions {
  clock: Clock;
  /** Messages sent and not yet confirmed. */
  window: number;
  /** Messages that may wait for room in the window; more are refused. */
  mostWaiting: number;
  /** From `publish` to its rejection. Milliseconds. */
  timeoutMs: number;
}

/** Wait before a fresh channel after a nack; it doubles up to the longest until the broker takes something again. */
const firstNackPauseMs = 20;
const longestNackPauseMs = 500;

/**
 * Publishes with confirms.
 *
 * A message waits, is sent, and is confirmed, in that order:
 *   waiting ──room in the window, channel open──▶ in flight ──ack──▶ resolved
 *      ▲                                            │ returned, then ack ──▶ rejected, certainly not accepted
 *      └──── nacked, channel lost or silent ────────┘
 *   waiting or in flight past its deadline ──▶ rejected, saying whether it may have been accepted
 *
 * Duties: mandatory and persistent always; a bounded window and a bounded line before it; a fresh channel after a nack
 * (after a leader change a channel may nack for good), while the old one still waits for its other confirms; what was in
 * flight on a lost channel is sent again under its own id, because its fate is unknown and twice is better than never.
 * So is what a channel had that confirmed nothing for half of the timeout: a queue that moved or was restarted may not
 * have got it, and RabbitMQ itself asks again only after 10 s.
 */
export class AmqpPublisher {
  #channel: PublishChannel | undefined;
  /** Channels that get no more messages and still have some in flight. */
  readonly #retired = new Set<PublishChannel>();
  #opening = false;
  #closed = false;
  #whenIdle: (() => void) | undefined;
  #inFlight = 0;
  readonly #waiting: Entry[] = [];
  #deadlineTimer: Timer | undefined;
  #nackPauseMs = firstNackPauseMs;
  readonly #events: PublishChannelEvents = {
    onAck: (entry) => this.#acked(entry),
    onNack: (entry, channel) => this.#nacked(entry, channel),
    onRoom: () => this.#sendWaiting(),
    onLost: (channel, error) => this.#lost(channel, error),
  };

  constructor(
    private readonly connection: AmqpConnection,
    private readonly options: PublisherOptions,
  ) {
    connection.onUp(() => void this.#openChannel());
  }

  /** Messages sent and not yet confirmed. */
  get inFlight(): number {
    return this.#inFlight;
  }

  publish(message: OutgoingMessage): Promise<void> {
    if (this.#closed) return Promise.reject(closedError());
    return new Promise((resolve, reject) => {
      const { clock, timeoutMs, window, mostWaiting } = this.options;
      const entry: Entry = {
        message,
        deadline: clock.now() + timeoutMs,
        resolve,
        reject,
        maybeAccepted: false,
        returned: undefined,
        done: false,
        tag: 0,
      };
      if (this.#channel && this.#waiting.length === 0 && this.#inFlight < window) {
        if (!this.#send(this.#channel, entry)) this.#waiting.push(entry);
      } else if (this.#waiting.length < mostWaiting) {
        this.#waiting.push(entry);
      } else {
        const why = `${this.#waiting.length} messages wait for the broker already`;
        this.#settle(entry, notPublished(entry, timeoutMs, why));
        return;
      }
      this.#watch();
    });
  }

  /** Waits until what was published is confirmed or rejected, then ends. */
  async close(): Promise<void> {
    this.#closed = true;
    if (!this.#idle) await new Promise<void>((resolve) => (this.#whenIdle = resolve));
    this.#deadlineTimer?.cancel();
    const channel = this.#channel;
    this.#channel = undefined;
    await channel?.close();
  }

  get #idle(): boolean {
    return this.#inFlight === 0 && this.#waiting.every((entry) => entry.done);
  }

  async #openChannel(): Promise<void> {
    const model = this.connection.model;
    if (this.#opening || this.#channel || !model) return;
    this.#opening = true;
    try {
      this.#channel = await PublishChannel.open(model, this.options.clock, this.#events);
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
  #send(channel: PublishChannel, entry: Entry): boolean {
    try {
      if (!channel.send(entry)) return false;
      this.#inFlight++;
    } catch (error) {
      this.#settle(entry, unsendable(entry.message, error as Error));
    }
    return true;
  }

  #sendWaiting(): void {
    const { window } = this.options;
    const channel = this.#channel;
    while (channel && this.#waiting.length > 0 && this.#inFlight < window) {
      const batch = this.#waiting.splice(0, window - this.#inFlight);
      const refused = batch.filter((entry) => !entry.done && !this.#send(channel, entry));
      this.#waiting.unshift(...refused);
      if (refused.length > 0) return; // the next channel takes them
    }
  }

  #acked(entry: Entry): void {
    this.#inFlight--;
    this.#nackPauseMs = firstNackPauseMs;
    if (entry.returned === undefined) this.#settle(entry);
    else this.#settle(entry, cameBack(entry, `No queue takes it: ${entry.returned}`));
  }

  #nacked(entry: Entry, channel: PublishChannel): void {
    this.#inFlight--;
    if (!entry.done) this.#waiting.unshift(entry);
    this.#watch();
    if (channel !== this.#channel) return;
    this.#channel = undefined;
    this.#retired.add(channel);
    channel.retire();
    // Not at once: while a leader is elected each fresh channel would be nacked in turn.
    this.options.clock.setTimer(this.#nackPauseMs, () => void this.#openChannel());
    this.#nackPauseMs = Math.min(longestNackPauseMs, this.#nackPauseMs * 2);
  }

  #lost(channel: PublishChannel, error?: Error): void {
    const missing = missingExchange(error);
    const unconfirmed: Entry[] = [];
    const inFlight = channel.inFlight.drain();
    for (const entry of inFlight) {
      if (entry.message.exchange === missing) {
        this.#settle(entry, cameBack(entry, 'There is no such exchange'));
      } else {
        entry.maybeAccepted = true;
        unconfirmed.push(entry);
      }
    }
    this.#inFlight -= inFlight.length;
    this.#waiting.unshift(...unconfirmed);
    this.#retired.delete(channel);
    if (this.#closed && this.#idle) this.#whenIdle?.();
    if (channel !== this.#channel) return;
    this.#channel = undefined;
    void this.#openChannel();
  }

  /** Sets the timer for what is next: a deadline, or a channel that has been silent for too long. */
  #watch(): void {
    if (this.#deadlineTimer) return;
    const next = Math.min(this.#nextDeadline(), this.#silentUntil());
    if (next === Infinity) return;
    const inMs = Math.max(10, next - this.options.clock.now());
    this.#deadlineTimer = this.options.clock.setTimer(inMs, () => {
      this.#deadlineTimer = undefined;
      this.#rejectOverdue();
      this.#replaceSilent();
      this.#watch();
    });
  }

  /** All entries have the same timeout, so each list is in order of deadline but for what was sent again. */
  #nextDeadline(): number {
    let next = this.#waiting[0]?.deadline ?? Infinity;
    for (const { inFlight } of this.#channels()) {
      for (const { deadline } of inFlight) {
        next = Math.min(next, deadline);
        break;
      }
    }
    return next;
  }

  /** When the channel will have confirmed nothing for half of the timeout. */
  #silentUntil(): number {
    const since = this.#channel?.silentSince;
    return since === undefined ? Infinity : since + this.options.timeoutMs / 2;
  }

  #replaceSilent(): void {
    const channel = this.#channel;
    if (!channel || this.#silentUntil() > this.options.clock.now()) return;
    if (this.connection.blocked) {
      channel.excuse();
      return;
    }
    void channel.close();
    this.#lost(channel);
  }

  #rejectOverdue(): void {
    const now = this.options.clock.now();
    const why = this.connection.blocked
      ? `the broker blocks publishers (${this.connection.blocked})`
      : this.connection.model
        ? 'the broker did not confirm it'
        : 'there is no connection to the broker';
    const reject = (entry: Entry) => this.#settle(entry, notPublished(entry, this.options.timeoutMs, why));
    for (const channel of [...this.#channels()]) {
      for (const entry of channel.inFlight) {
        if (entry.deadline > now) continue;
        entry.maybeAccepted = true;
        this.#inFlight--;
        channel.forget(entry);
        reject(entry);
      }
    }
    const waited = this.#waiting.filter(({ deadline }) => deadline <= now);
    if (waited.length === 0) return;
    this.#waiting.splice(0, this.#waiting.length, ...this.#waiting.filter(({ deadline }) => deadline > now));
    waited.forEach(reject);
  }

  *#channels(): Generator<PublishChannel> {
    if (this.#channel) yield this.#channel;
    yield* this.#retired;
  }

  #settle(entry: Entry, error?: Error): void {
    if (entry.done) return;
    entry.done = true;
    if (error) entry.reject(error);
    else entry.resolve();
    if (this.#closed && this.#idle) this.#whenIdle?.();
  }
}
