import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { eventsStream, type Broker, type EventBatch } from 'jobrail/events';

/**
 * How far the records are behind the stream: markers of its own are sent onto it, and it is looked how long they take to
 * come by. Both ends are on one clock, so the clocks of services do not matter.
 */
export class LagMeter {
  readonly instance = `lag-${randomUUID()}`;
  readonly #sentAt = new Map<number, number>();
  #seq = 0;
  #lastMs: number | undefined;

  constructor(
    private readonly broker: Broker,
    private readonly prefix: string,
  ) {}

  /** Milliseconds, or undefined while no marker has come by or is late. */
  get lagMs(): number | undefined {
    const [oldest] = this.#sentAt.values();
    const waited = oldest === undefined ? 0 : Date.now() - oldest;
    return this.#lastMs === undefined && waited < 1_000 ? undefined : Math.max(this.#lastMs ?? 0, waited);
  }

  /** Sends a marker. Fails never: where none can be sent, no events come either. */
  async send(): Promise<void> {
    const seq = ++this.#seq;
    const from = { service: 'monitor', instance: this.instance, host: hostname(), pid: process.pid };
    const batch: EventBatch = { v: 1, from, seq, events: [] };
    this.#sentAt.set(seq, Date.now());
    try {
      await this.broker.publish({
        exchange: '',
        routingKey: eventsStream(this.prefix),
        body: Buffer.from(JSON.stringify(batch)),
        properties: { type: 'jobrail.events', contentType: 'application/json', headers: {} },
      });
    } catch {
      this.#sentAt.delete(seq);
    }
  }

  /** A marker came by. */
  seen(seq: number): void {
    const sentAt = this.#sentAt.get(seq);
    if (sentAt === undefined) return;
    this.#lastMs = Date.now() - sentAt;
    for (const sent of [...this.#sentAt.keys()]) if (sent <= seq) this.#sentAt.delete(sent);
  }

  /** Another replica projects, or this one starts anew. */
  forget(): void {
    this.#sentAt.clear();
    this.#lastMs = undefined;
  }
}
