import { type Broker, laneNames, type QueueDepth } from 'jobrail/events';

export interface Lane extends QueueDepth {
  name: string;
}

const keptMs = 2_000;

/** What the broker has in the lanes of queues; asked at most every two seconds. */
export class LaneDepths {
  readonly #kept = new Map<string, { until: number; lanes: Promise<Lane[]> }>();

  constructor(
    private readonly broker: Broker,
    private readonly prefix: string,
  ) {}

  /** The lanes of a queue, the least urgent first; none when the broker has no such queue. */
  of(queue: string): Promise<Lane[]> {
    const kept = this.#kept.get(queue);
    if (kept && kept.until > Date.now()) return kept.lanes;
    const lanes = this.#ask(queue);
    this.#kept.set(queue, { until: Date.now() + keptMs, lanes });
    lanes.catch(() => this.#kept.delete(queue));
    return lanes;
  }

  async #ask(queue: string): Promise<Lane[]> {
    const lanes: Lane[] = [];
    for (const name of laneNames(this.prefix, queue)) {
      const depth = await this.broker.depth(name);
      if (!depth) break;
      lanes.push({ name, ...depth });
    }
    return lanes;
  }
}
