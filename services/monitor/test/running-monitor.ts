import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Contract } from 'jobrail';
import { eventsStream, eventsTopology } from 'jobrail/events';
import { type IsolatedRail, isolatedRail } from 'jobrail/testing';
import { pino } from 'pino';
import { readConfig } from '../src/config.js';
import { Monitor } from '../src/monitor.js';
import type { StoreCorner } from './store-corner.js';
import type { Telling } from './told.js';

const patienceMs = 10_000;
/** What tests tell of happened long ago. */
const keepAll = 'completed=100000; dead=100000; discarded=100000; cancelled=100000; expired=100000';

/** A corner of the broker for each test, monitors on it, and what tests ask of them. */
export class MonitorStage {
  readonly #monitors: Monitor[] = [];
  readonly #ends: (() => Promise<unknown>)[] = [];

  private constructor(
    readonly rail: IsolatedRail,
    private readonly store: StoreCorner,
  ) {}

  static async open(store: StoreCorner): Promise<MonitorStage> {
    const stage = new MonitorStage(await isolatedRail(), store);
    await stage.rail.broker.declare(eventsTopology(stage.rail.prefix));
    return stage;
  }

  /** @returns the address of a monitor that listens. */
  async start(environment: Record<string, string> = {}): Promise<{ url: string; monitor: Monitor }> {
    const { url, prefix } = this.rail;
    const config = readConfig({
      ...{ AMQP_URL: url, JOBRAIL_PREFIX: prefix, JOBRAIL_STORE_URL: this.store.url, PORT: '0' },
      RETENTION: keepAll,
      ...environment,
    });
    const log = pino({ level: process.env['TEST_LOG'] ?? 'silent' });
    const monitor = await Monitor.start({ config, log, version: '0.1.0' });
    this.#monitors.push(monitor);
    return { url: `http://127.0.0.1:${await monitor.listen()}`, monitor };
  }

  atEnd(end: () => Promise<unknown>): void {
    this.#ends.push(end);
  }

  /** Waits for the next job in a lane and takes it. @returns its payload */
  async take(...lanes: string[]): Promise<Record<string, unknown>> {
    const look = async () => {
      for (const lane of lanes) {
        const name = `${this.rail.prefix}.${lane}`;
        const delivery = (await this.rail.broker.depth(name)) && (await this.rail.broker.get(name));
        if (delivery) return delivery;
      }
      return undefined;
    };
    const delivery = await until(look, (seen) => seen !== undefined);
    delivery!.ack();
    return JSON.parse(delivery!.body.toString()) as Record<string, unknown>;
  }

  /** Puts what was told since the last time onto the stream. */
  async publish(telling: Telling): Promise<void> {
    for (const { body } of telling.messages.splice(0)) {
      await this.rail.broker.publish({
        exchange: '',
        routingKey: eventsStream(this.rail.prefix),
        body,
        properties: { type: 'jobrail.events', contentType: 'application/json', headers: {} },
      });
    }
  }

  /** Runs a compiled script on the same broker and store; it is gone after the test, come what may. */
  run(script: URL, environment: Record<string, string>): ChildProcess {
    const { url, prefix } = this.rail;
    const child = spawn(process.execPath, ['--enable-source-maps', fileURLToPath(script)], {
      env: {
        ...process.env,
        ...{ AMQP_URL: url, JOBRAIL_PREFIX: prefix, JOBRAIL_STORE_URL: this.store.url, RETENTION: keepAll },
        ...environment,
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.atEnd(async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'close');
    });
    return child;
  }

  /** @param contracts whose queues were used. */
  async end(...contracts: Contract[]): Promise<void> {
    for (const end of this.#ends.reverse()) await end();
    await Promise.all(this.#monitors.map((monitor) => monitor.stop()));
    await this.rail.broker.remove(eventsTopology(this.rail.prefix));
    await this.rail.cleanup(...contracts);
  }
}

export function useMonitors(store: StoreCorner): () => MonitorStage {
  let stage: MonitorStage;
  beforeEach(async () => {
    stage = await MonitorStage.open(store);
  });
  afterEach(() => stage.end());
  return () => stage;
}

export interface Answer {
  status: number;
  headers: Headers;
  body: unknown;
}

export async function ask(url: string, path: string, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(`${url}${path}`, init);
  const text = await response.text();
  const json = response.headers.get('content-type')?.includes('json');
  return { status: response.status, headers: response.headers, body: json ? JSON.parse(text) : text };
}

/** Asks until the answer fits. */
export async function until<T>(
  look: () => Promise<T>,
  fits: (seen: T) => boolean,
  withinMs = patienceMs,
): Promise<T> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const seen = await look();
    if (fits(seen)) return seen;
    if (Date.now() > deadline) throw new Error(`after ${withinMs} ms it is still ${JSON.stringify(seen)}`);
    await new Promise((resolve) => setTimeout(resolve, 5)); // the event loop is the monitor's, too
  }
}

/** An id that no other test uses. */
export const jobId = () => randomUUID();
