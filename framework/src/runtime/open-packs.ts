import { toError } from '../base/errors.js';
import type { Delivery } from '../ports/broker.js';
import type { Refusal } from './intake.js';
import { Pack } from './pack.js';

/** Packs that were lost half done are remembered up to so many. */
const mostLost = 1_000;

/**
 * The packs that a worker has in hand. When their channel is lost the broker brings them again, with all their jobs: those
 * that were settled here are settled again, however long ago it was; one slow job may have held its pack up for long.
 */
export class OpenPacks {
  readonly #open = new Set<Pack>();
  /** By id of the message, the ids of jobs that were settled. */
  readonly #lost = new Map<string, Set<string>>();

  /** @param onSettled a pack was settled as a whole. */
  constructor(private readonly onSettled: (message: Delivery) => void) {}

  /** Takes a message apart. Some of its jobs may be settled already. */
  open(message: Delivery): Pack | Refusal {
    try {
      const pack = new Pack(message, this.#over);
      this.#open.add(pack);
      if (message.redelivered && this.#lost.size > 0) this.#settleAgain(pack);
      return pack;
    } catch (error) {
      return { refused: 'unreadable', envelope: undefined, error: toError(error) };
    }
  }

  /** The channel is gone, and what it brought with it. */
  interrupted(): void {
    for (const { message, jobs } of this.#open) {
      const settled = jobs.filter((job) => job.settled).map(({ id }) => id);
      if (settled.length > 0) this.#lost.set(message.properties.messageId ?? '', new Set(settled));
    }
    this.#open.clear();
    for (const id of this.#lost.keys()) {
      if (this.#lost.size <= mostLost) break;
      this.#lost.delete(id);
    }
  }

  readonly #over = (pack: Pack): void => {
    this.#open.delete(pack);
    this.onSettled(pack.message);
  };

  #settleAgain({ message, jobs }: Pack): void {
    const id = message.properties.messageId ?? '';
    const settled = this.#lost.get(id);
    this.#lost.delete(id);
    if (settled) for (const job of jobs) if (settled.has(job.id)) job.ack();
  }
}
