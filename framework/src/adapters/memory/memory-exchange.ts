import { topicMatches } from '../../model/topic.js';
import type { BindingPlan, ExchangePlan } from '../../model/topology.js';

/** A queue or another exchange, by name. */
export type Destination = Pick<BindingPlan, 'queue' | 'exchange'>;

/** An exchange and the bindings that leave it. */
export class MemoryExchange {
  /** By what makes a binding the same binding, so that binding twice is binding once. */
  readonly #bindings = new Map<string, { pattern: string; to: Destination }>();

  constructor(readonly plan: ExchangePlan) {}

  bind({ routingKey, queue, exchange }: BindingPlan): void {
    const pattern = this.plan.type === 'fanout' ? '#' : routingKey;
    this.#bindings.set(JSON.stringify([routingKey, queue, exchange]), { pattern, to: { queue, exchange } });
  }

  /** Forgets the bindings to a queue or exchange that is gone. */
  unbind({ queue, exchange }: Destination): void {
    for (const [key, { to }] of this.#bindings) {
      if (to.queue === queue && to.exchange === exchange) this.#bindings.delete(key);
    }
  }

  destinations(routingKey: string): Destination[] {
    return [...this.#bindings.values()]
      .filter(({ pattern }) => topicMatches(pattern, routingKey))
      .map(({ to }) => to);
  }
}
