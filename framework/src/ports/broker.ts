import type { IncomingMessage, MessageProperties, OutgoingMessage } from '../model/message.js';
import type { Topology } from '../model/topology.js';

/*
 * The broker, as Jobrail needs it: no wider. Adapters: `adapters/amqp` (RabbitMQ) and `adapters/memory` (tests, and the
 * demo where no broker can be had). Both pass `test/contract/broker.ts`.
 */

/**
 * A message that a queue handed to this process. It belongs to the channel that brought it: exactly one of `ack`,
 * `requeue` and `reject` is called, once; when the channel is gone (`stale`), they do nothing, because the broker has
 * put the message back already.
 */
export interface Delivery extends IncomingMessage {
  readonly stale: boolean;
  /** The message is done with. May be sent a little later, together with others. */
  ack(): void;
  /** Back into its queue, as it was. */
  requeue(): void;
  /** To the dead-letter exchange of its queue; without one it is dropped. */
  reject(): void;
}

export interface ConsumeOptions {
  /** Queues to consume on one channel, each with its own prefetch (unacknowledged deliveries held). */
  queues: readonly { name: string; prefetch: number }[];
  onDelivery(delivery: Delivery): void;
  /** Begin paused: no deliveries until `resume`. */
  paused?: boolean;
  /** The channel is gone with everything it brought: all deliveries so far are stale. It is opened again by itself. */
  onInterrupted?(error: Error): void;
  /** All consumers are registered (again). */
  onReady?(): void;
}

/** Consumers of one channel. It is restored after any failure, until it is closed. */
export interface Subscription {
  /** True while all consumers are registered and the broker has been heard within a heartbeat interval. */
  readonly ready: boolean;
  /** The shortest time that the broker took to answer on the present channel, ms; 0 before it has. */
  readonly answerMs: number;
  /** No more deliveries; what was delivered can still be settled. */
  pause(): Promise<void>;
  /** Deliveries again, after `pause`. */
  resume(): Promise<void>;
  /**
   * Gives each queue another prefetch: at once where as many are held as the old one allows, so that it matters. Resolves
   * to whether all queues have it; where not, call again. Nothing is given back or comes out of order: until what is held
   * is settled, as many as the old and the new prefetch together may be in hand. Channels to come have it from the start.
   */
  resize(prefetch: number): Promise<boolean>;
  /** Sends what was settled, gives back the rest, ends. */
  close(): Promise<void>;
}

/** A message of a stream. It stays in the stream, whoever reads it. */
export interface StreamMessage {
  /** Its place in the stream, from 0; a later message has a higher one. */
  readonly offset: number;
  readonly body: Buffer;
  readonly properties: IncomingMessage['properties'];
  /** It was dealt with: makes room for another. Says nothing about where a later reading begins. */
  ack(): void;
}

export interface StreamReadOptions {
  stream: string;
  /** The first message that is still there, what comes from now on, or the first message with at least this offset. */
  from: 'first' | 'next' | number;
  /** Unacknowledged messages held, about: what was written together may come together. Default 100. */
  prefetch?: number;
  /** Called in order of the offsets, each offset once, also after a lost connection. */
  onMessage(message: StreamMessage): void;
}

/** A reading of a stream. After any failure it goes on behind the last message that it has handed over, until it is closed. */
export interface StreamReading {
  /** True while the broker sends. */
  readonly ready: boolean;
  close(): Promise<void>;
}

export interface BrokerInfo {
  /** Such as `RabbitMQ`. */
  product: string;
  version: string;
}

export interface QueueDepth {
  /** Messages ready for delivery; of a stream not known. */
  messages: number;
  consumers: number;
}

export interface DeclareOptions {
  /** Something of the topology was there and is gone. A broker may take its time, so that consumers hear of that first. */
  again?: boolean;
}

/** What to do with answers; see `Broker.openReplies`. */
export interface ReplyLineOptions {
  onReply(properties: MessageProperties, body: Buffer): void;
  /** No answer comes on it any more. */
  onLost(): void;
}

export interface ReplyLine {
  /** As `Broker.publish`, on this line and without a second try. */
  publish(message: OutgoingMessage): Promise<void>;
  close(): Promise<void>;
}

/** A message broker with the semantics of RabbitMQ. After `close`, every call rejects with `JR_BROKER_CLOSED`. */
export interface Broker {
  /** Known once connected. */
  readonly info: BrokerInfo | undefined;
  /** False while a connection that was made is lost. */
  readonly connected: boolean;

  /**
   * Connects. Safe to call again. After the first connection, a lost one is made again by itself until `close`.
   * @throws BrokerError (`JR_BROKER_UNREACHABLE`) when there is none within the connect timeout.
   */
  connect(): Promise<void>;

  /**
   * Makes exchanges, queues and bindings exist; does nothing for those that do.
   * @throws TopologyError (`JR_TOPOLOGY_CONFLICT`) when one exists with other arguments.
   */
  declare(topology: Topology, options?: DeclareOptions): Promise<void>;

  /** Deletes exchanges and queues, with what is in them. For tests and for people who know. */
  remove(topology: Topology): Promise<void>;

  /**
   * Sends a persistent, mandatory message. Resolves only when the broker has confirmed it on a queue.
   * @throws PublishError: `JR_PUBLISH_RETURNED` (no queue takes it, or no such exchange) or `JR_PUBLISH_TIMEOUT`; it says
   * whether the message may have been accepted.
   */
  publish(message: OutgoingMessage): Promise<void>;

  /**
   * Starts consumers; resolves when they are registered the first time.
   * @throws TopologyError (`JR_TOPOLOGY_MISSING`) for a queue that does not exist.
   */
  consume(options: ConsumeOptions): Promise<Subscription>;

  /**
   * Reads a stream, from a place in it on; resolves when the broker begins to send.
   * @throws TopologyError (`JR_TOPOLOGY_MISSING`) for a stream that does not exist.
   */
  readStream(options: StreamReadOptions): Promise<StreamReading>;

  /**
   * Takes one message from a queue without a consumer, or undefined when it is empty.
   * @throws TopologyError (`JR_TOPOLOGY_MISSING`) for a queue that does not exist.
   */
  get(queue: string): Promise<Delivery | undefined>;

  /**
   * Resolves when the broker has taken the acks of everything that was acked before, whatever its channel: if this process
   * dies then, none of it comes back.
   */
  settled(): Promise<void>;

  /**
   * Opens a line on which messages are sent that may be answered: each gets this line as its address, in `replyTo`. An
   * answer is sent to that address by the default exchange; it may be lost, nothing is kept for a line that is gone, and the
   * confirm of an answer says nothing.
   * @throws BrokerError
   */
  openReplies(options: ReplyLineOptions): Promise<ReplyLine>;

  /** Of a queue or a stream; undefined when there is none. */
  depth(queue: string): Promise<QueueDepth | undefined>;

  /** Ends all subscriptions and connections. Safe to call again. */
  close(): Promise<void>;
}
