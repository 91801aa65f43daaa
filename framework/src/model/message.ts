/** A header value as AMQP tables have it. */
export type HeaderValue = string | number | boolean | null | HeaderValue[] | { [key: string]: HeaderValue };
export type MessageHeaders = Record<string, HeaderValue>;

/** AMQP 0-9-1 basic properties, under their usual names. */
export interface MessageProperties {
  messageId?: string;
  type?: string;
  correlationId?: string;
  /** Seconds since 1970, as AMQP has it. */
  timestamp?: number;
  contentType?: string;
  contentEncoding?: string;
  /** 2 is persistent, which every message of Jobrail is. */
  deliveryMode?: number;
  priority?: number;
  appId?: string;
  /** Where an answer is to be sent. */
  replyTo?: string;
  /** Milliseconds the message may wait in a queue, as text. */
  expiration?: string;
  headers: MessageHeaders;
}

/** A message on its way to the broker. */
export interface OutgoingMessage {
  exchange: string;
  routingKey: string;
  body: Buffer;
  properties: MessageProperties;
}

/** A message as it came from the broker. */
export interface IncomingMessage {
  readonly queue: string;
  readonly exchange: string;
  readonly routingKey: string;
  readonly redelivered: boolean;
  readonly body: Buffer;
  readonly properties: MessageProperties;
  /** Why the headers could not be read; they are empty then. */
  readonly unreadable?: Error | undefined;
}
