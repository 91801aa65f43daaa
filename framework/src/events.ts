import type { TlsOptions } from './adapters/amqp/tls.js';
import { tlsFromEnvironment } from './adapters/amqp/tls.js';
import { AmqpBroker } from './adapters/amqp/amqp-broker.js';
import type { Broker } from './ports/broker.js';

/*
 * What a program needs that reads the event stream itself: the events, the names on the broker, and a connection.
 */

export type {
  ControlEvent,
  EnqueuedEvent,
  ErrorFacts,
  EventBatch,
  EventSender,
  HeartbeatEvent,
  JobEvent,
  JobFacts,
  LogEvent,
  OutcomeEvent,
  ProgressEvent,
  RailEvent,
  ReplayedEvent,
  StartedEvent,
} from './model/event.js';
export type { DeadReason, JobState } from './model/outcome.js';
export type { Broker, QueueDepth, StreamMessage, StreamReading, StreamReadOptions } from './ports/broker.js';
export { defaultPrefix, eventsStream, eventsTopology } from './model/topology.js';

export interface ConnectionOptions {
  /** Broker URL, several, or a comma-separated list. Default: AMQP_URL, else amqp://127.0.0.1. */
  url?: string | readonly string[] | undefined;
  /** Certificates for `amqps://` URLs. Default: as for a client, from AMQP_CA_FILE and its kin. */
  tls?: TlsOptions | undefined;
  /** Shown by the broker's management pages. */
  name: string;
}

/** A connection to the broker, for `readStream` and `depth`; connects with `connect`. @throws OptionError */
export function openBroker({ url, tls = tlsFromEnvironment(process.env), name }: ConnectionOptions): Broker {
  return new AmqpBroker({
    url: url ?? process.env['AMQP_URL'] ?? 'amqp://127.0.0.1',
    name,
    ...(tls && { tls }),
  });
}

/** The names that the lanes of a queue have on the broker, the least urgent first. There are fewer of most queues. */
export function* laneNames(prefix: string, queue: string): Generator<string> {
  yield `${prefix}.${queue}`;
  for (let priority = 1; priority < 10; priority++) yield `${prefix}.${queue}.p${priority}`;
}
