import { randomUUID } from 'node:crypto';
import { type Clock, pause } from '../base/clock.js';
import { toError } from '../base/errors.js';
import { redactError } from '../base/redact.js';
import {
  type CancelJob,
  type ControlMessage,
  type ControlOrder,
  ControlState,
  type KnownQueue,
  type QueueFacts,
  readControl,
} from '../model/control.js';
import type { JobLog } from '../model/job-context.js';
import { controlStream, controlTopology } from '../model/topology.js';
import type { Broker, StreamMessage, StreamReading } from '../ports/broker.js';
import type { EventSink } from '../ports/event-sink.js';

export interface ControlOptions {
  broker: Broker;
  prefix: string;
  clock: Clock;
  log: Pick<JobLog, 'warn'>;
  /** Told of each message after it was applied; `live` is false for those from before `start`. */
  /** Who reads, where it is a service: told to all with the mark. */
  reader?: () => { service: string; queues: readonly QueueFacts[] };
  onOrder?: (order: ControlOrder & ControlMessage, live: boolean) => void;
}

/** The broker may be slow to take the mark, or have lost the stream: a process must start all the same. */
const catchUpMs = 10_000;
const againMs = 5_000;

/**
 * What was said to all processes (pause, cancel, drain), read from the stream of the deployment.
 *
 *   new ──start()──▶ history read up to the mark of this process ──▶ live ──stop()──▶ over
 *
 * Everything that was confirmed before `start` is known when `start` resolves: the process writes a mark behind it and
 * reads until it sees that. A stream that cannot be read is no reason not to start: it is told, and the process goes on
 * without, until the broker sends.
 */
export class Control {
  readonly #state = new ControlState();
  readonly #mark = randomUUID();
  readonly #caughtUp = new AbortController();
  readonly #stopping = new AbortController();
  #reading: StreamReading | undefined;

  constructor(private readonly options: ControlOptions) {}

  /** Resolves when all that was said before is known, or after 10 s. @throws BrokerError, TopologyError */
  async start(): Promise<void> {
    const { broker, prefix, clock, log } = this.options;
    await broker.declare(controlTopology(prefix));
    const stream = controlStream(prefix);
    this.#reading = await broker.readStream({
      stream,
      from: 'first',
      prefetch: 500,
      onMessage: (message) => this.#read(message),
    });
    void this.#leaveMark();
    await pause(clock, catchUpMs, this.#caughtUp.signal);
    if (this.live) return;
    log.warn({ stream }, 'control messages cannot be read yet: what is paused or cancelled is not known');
  }

  /** True once all that was said before `start` is known. */
  get live(): boolean {
    return this.#caughtUp.signal.aborted;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#reading?.close();
  }

  isPaused(queue: string): boolean {
    return this.#state.pause(queue) !== undefined;
  }

  /** Who paused a queue and when; undefined for one that is not paused. */
  pauseOf(queue: string): { at: number; by: string } | undefined {
    return this.#state.pause(queue);
  }

  get pausedQueues(): string[] {
    return this.#state.pausedQueues;
  }

  /** Queues of the services that were ever started, by name. */
  get knownQueues(): KnownQueue[] {
    return this.#state.knownQueues;
  }

  /** The cancel of a job, if there is one. */
  cancelOf(job: string): (CancelJob & { at: number; by: string }) | undefined {
    return this.#state.cancelOf(job, this.options.clock.now());
  }

  /** Tries until the broker has it: the mark also tells when a stream that was away can be read. */
  async #leaveMark(): Promise<void> {
    const { broker, prefix, clock, log, reader } = this.options;
    const { signal } = this.#stopping;
    const about = { v: 1, at: clock.now(), by: 'start' } as const;
    const mark: ControlMessage = { ...about, action: 'mark', id: this.#mark, ...reader?.() };
    while (!signal.aborted && !this.live) {
      const error = await publishControl(broker, prefix, mark).catch(toError);
      if (!error || signal.aborted) return;
      log.warn({ err: redactError(error) }, 'the control stream takes nothing; tried again');
      await pause(clock, againMs, signal);
    }
  }

  #read(message: StreamMessage): void {
    const { clock, log, onOrder } = this.options;
    message.ack();
    try {
      const read = readControl(message.body);
      this.#state.apply(read, clock.now());
      if (read.action !== 'mark') onOrder?.(read, this.live);
      else if (read.id === this.#mark) this.#caughtUp.abort();
    } catch (error) {
      log.warn(
        { err: redactError(toError(error)), offset: message.offset },
        'control message not understood',
      );
    }
  }
}

export interface ControlSenderOptions {
  broker: Broker;
  prefix: string;
  clock: Clock;
  /** Who says it, such as `ada@web-1`; kept for the audit. */
  by: string;
  /** Told of each order that was sent. */
  events?: EventSink | undefined;
}

/**
 * Says something to all processes of a deployment, those that are started later included. Resolves when the broker has
 * it; each process that runs hears it within moments.
 * @throws PublishError, BrokerError, TopologyError
 */
export async function sendControl(
  order: ControlOrder,
  options: ControlSenderOptions,
): Promise<ControlMessage> {
  const { broker, prefix, clock, by, events } = options;
  const message: ControlMessage = { v: 1, at: clock.now(), by, ...order };
  await broker.connect();
  await broker.declare(controlTopology(prefix));
  await publishControl(broker, prefix, message);
  const { action, at } = message;
  events?.tell({ kind: 'control', at, action: order.action, subject: subjectOf(order), by });
  return { ...message, action } as ControlMessage;
}

/** The queue, job or service that an order is about. */
function subjectOf(order: ControlOrder): string {
  if (order.action === 'cancel') return order.job;
  return order.action === 'drain' ? order.service : order.queue;
}

function publishControl(broker: Broker, prefix: string, message: ControlMessage): Promise<void> {
  return broker.publish({
    exchange: '',
    routingKey: controlStream(prefix),
    body: Buffer.from(JSON.stringify(message)),
    properties: { contentType: 'application/json', deliveryMode: 2, headers: {} },
  });
}
