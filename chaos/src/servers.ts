import { connect } from 'amqplib';
import type { Machinery, PrivateBroker, PrivatePostgres } from './machinery.js';

/** The servers of a run: a broker that is alone, a cluster, and a PostgreSQL, each started when it is first needed. */
export class Servers {
  #postgres: Promise<PrivatePostgres> | undefined;
  #started: { nodes: readonly PrivateBroker[]; stop: () => Promise<unknown> } | undefined;
  #version = 'unknown';

  constructor(private readonly machinery: Machinery) {}

  /** Only one of the two brokers runs at a time, to leave the machine to the scenario. */
  async withNodes(count: 1 | 3): Promise<readonly PrivateBroker[]> {
    if (this.#started?.nodes.length !== count) {
      await this.#stopBroker();
      this.#started = count === 1 ? await this.#alone() : await this.machinery.startRabbitmqCluster();
      this.#version = await versionOf(this.#started.nodes[0]!.url);
    }
    return this.#started.nodes;
  }

  /** Product and version of the broker that was started last. */
  version(): string {
    return this.#version;
  }

  postgres(): Promise<PrivatePostgres> {
    this.#postgres ??= this.machinery.startPostgres();
    return this.#postgres;
  }

  async stop(): Promise<void> {
    await this.#stopBroker();
    const postgres = await this.#postgres?.catch(() => undefined);
    this.#postgres = undefined;
    await postgres?.stop();
  }

  async #stopBroker(): Promise<void> {
    await this.#started?.stop();
    this.#started = undefined;
  }

  async #alone() {
    const broker = await this.machinery.startRabbitmq({});
    return { nodes: [broker], stop: () => broker.stop() };
  }
}

async function versionOf(url: string): Promise<string> {
  const model = await connect(url);
  const { product, version } = (
    model.connection as unknown as { serverProperties: { product: string; version: string } }
  ).serverProperties;
  await model.close();
  return `${product} ${version}`;
}
