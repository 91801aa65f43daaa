import pg from 'pg';
import type { PostgresOptions } from './postgres-options.js';

const againMs = 1_000;

/** A connection that listens on a channel, made again when it is lost. */
export class PostgresListening {
  #client: pg.Client | undefined;
  #again: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(
    private readonly options: PostgresOptions,
    private readonly channel: string,
    private readonly hear: () => void,
  ) {}

  async open(): Promise<void> {
    const { url, connectTimeoutMs = 5_000 } = this.options;
    const client = new pg.Client({
      connectionString: url,
      connectionTimeoutMillis: connectTimeoutMs,
      keepAlive: true,
      application_name: 'jobrail listening',
    });
    client.on('error', () => undefined); // its end follows
    client.on('notification', this.hear);
    await client.connect();
    client.once('end', () => this.#openAgain());
    this.#client = client;
    await client.query(`LISTEN ${client.escapeIdentifier(this.channel)}`);
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#again);
    await this.#client?.end();
  }

  #openAgain(): void {
    if (this.#closed) return;
    this.#again = setTimeout(() => {
      this.open().then(this.hear, () => this.#openAgain());
    }, againMs);
  }
}
