import { type Clock, pause } from '../../base/clock.js';
import { toError } from '../../base/errors.js';
import type { ConsumeOptions, Subscription } from '../../ports/broker.js';
import type { AmqpConnection } from './connection.js';
import { ConsumeChannel } from './consume-channel.js';
import { droppedConsumer } from './dropped-consumer.js';
import { asMissing } from './topology.js';

const firstBackoffMs = 50;
const longestBackoffMs = 1_000;

/** Between looks whether the broker still has the consumers. */
const lookEveryMs = 2_000;

/**
 * Consumers of some queues on one channel, restored after any failure.
 *
 * Each channel is a generation with a ledger of its own; a delivery keeps the ledger it came with, so its ack goes to
 * the very channel that brought it or nowhere. When the channel or one of its consumers is lost (connection, ack
 * timeout, queue deleted, failover), the generation is abandoned and a new channel registers all consumers again;
 * if a queue is missing, the topology is declared first. What the broker forgets to tell is looked for.
 */
export class AmqpSubscription implements Subscription {
  #generation: ConsumeChannel | undefined;
  #paused: boolean;
  #stopped = false;
  #restoring: Promise<void> | undefined;
  /** Instead of the prefetch that each queue began with. */
  #prefetch: number | undefined;
  #resizing: Promise<boolean> | undefined;
  readonly #stopping = new AbortController();
  #stopListening: (() => void) | undefined;

  constructor(
    private readonly connection: AmqpConnection,
    private readonly options: ConsumeOptions,
    private readonly clock: Clock,
    private readonly redeclare: () => Promise<void>,
  ) {
    this.#paused = options.paused ?? false;
  }

  get ready(): boolean {
    return this.#generation !== undefined && !this.#paused && this.connection.fresh;
  }

  get answerMs(): number {
    return this.#generation?.answerMs ?? 0;
  }

  /** Resolves when all consumers are registered; rejects with what prevents it the first time. */
  async start(): Promise<void> {
    try {
      await this.#restore(true);
    } catch (error) {
      await this.close();
      throw asMissing(error);
    }
    this.#stopListening = this.connection.onUp(() => void this.#restore().catch(() => undefined));
    void this.#keepLooking();
  }

  async pause(): Promise<void> {
    this.#paused = true;
    await this.#restoring?.catch(() => undefined);
    await this.#resizing;
    await this.#generation?.cancel();
  }

  async resume(): Promise<void> {
    if (!this.#paused) return;
    this.#paused = false;
    await this.#restoring?.catch(() => undefined);
    const prefetch = this.#prefetch;
    await this.#generation?.consume(prefetch);
    if (this.#prefetch !== prefetch) await this.resize(this.#prefetch!);
  }

  async resize(prefetch: number): Promise<boolean> {
    this.#prefetch = prefetch;
    this.#resizing ??= this.#resize().finally(() => (this.#resizing = undefined));
    return this.#resizing;
  }

  /** See `Broker.settled`. What a lost channel brought is settled no more. */
  async settled(): Promise<void> {
    await this.#generation?.settled();
  }

  async close(): Promise<void> {
    this.#stopped = true;
    this.#stopping.abort();
    this.#stopListening?.();
    await this.#restoring?.catch(() => undefined);
    await this.#resizing;
    const generation = this.#generation;
    this.#generation = undefined;
    await generation?.close();
  }

  #restore(once = false): Promise<void> {
    this.#restoring ??= this.#open(once).finally(() => (this.#restoring = undefined));
    return this.#restoring;
  }

  /** Until the consumers have what was asked for last. A generation that is lost or paused meanwhile starts with it. */
  async #resize(): Promise<boolean> {
    for (;;) {
      const prefetch = this.#prefetch!;
      await this.#restoring?.catch(() => undefined);
      if (this.#paused || this.#stopped) return false;
      const done = await this.#generation?.resize(prefetch).catch(() => false);
      if (prefetch === this.#prefetch) return done ?? false;
    }
  }

  async #open(once: boolean): Promise<void> {
    for (let failures = 0; !this.#stopped && !this.#generation; failures++) {
      const { model } = this.connection;
      if (!model) return; // the next connection calls again
      try {
        const generation = await ConsumeChannel.open(model, this.options, this.clock, (error) =>
          this.#lost(error),
        );
        if (!this.#paused) await generation.consume(this.#prefetch);
        if (generation.lost) continue;
        this.#generation = generation;
        this.options.onReady?.();
      } catch (error) {
        if (once) throw error;
        if (/NOT[_-]FOUND/.test(toError(error).message)) await this.redeclare().catch(() => undefined);
        const bound = Math.min(longestBackoffMs, firstBackoffMs * 2 ** failures);
        await pause(this.clock, bound * (0.5 + Math.random() / 2), this.#stopping.signal);
      }
    }
  }

  /** Notices a consumer that the broker has dropped without a word, until the end. */
  async #keepLooking(): Promise<void> {
    const { signal } = this.#stopping;
    for (;;) {
      await pause(this.clock, lookEveryMs, signal);
      if (signal.aborted) return;
      const generation = this.#generation;
      const { model } = this.connection;
      if (!model || !generation?.registered || this.#resizing) continue;
      const { replacements } = generation;
      const look = droppedConsumer(model, generation.consumers).catch(() => undefined);
      const dropped = await Promise.race([look, this.#unanswered()]);
      if (generation.replacements > replacements) continue; // it may have looked between two consumers
      if (dropped !== undefined && generation.registered) generation.dropped(dropped);
    }
  }

  /** A broker that does not answer a look is asked again. */
  async #unanswered(): Promise<undefined> {
    await pause(this.clock, lookEveryMs, this.#stopping.signal);
  }

  #lost(error: Error): void {
    const wasReady = this.#generation !== undefined;
    this.#generation = undefined;
    if (this.#stopped) return;
    if (wasReady) this.options.onInterrupted?.(error);
    void this.#restore().catch(() => undefined);
  }
}
