import {
  type Attributes,
  context,
  isSpanContextValid,
  type Link,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  type TracerProvider,
  trace,
} from '@opentelemetry/api';
import { JobrailError, toError } from '../base/errors.js';
import { redact, redactError } from '../base/redact.js';
import { header } from '../model/envelope.js';
import type { Attempt, Filter, Sending } from '../model/filter.js';
import type { MessageHeaders } from '../model/message.js';
import type { Outcome } from '../model/outcome.js';

const tracer = trace.getTracer('jobrail');

/**
 * OpenTelemetry spans by the messaging conventions: `send <contract>` (PRODUCER) around a publish, and
 * `process <contract>` (CONSUMER) around an attempt, as its child, however long after. Each retry is another child of
 * the same `send`, with a link to the attempt before. Without a registered SDK they do nothing.
 */
export const traceFilter: Filter = {
  name: 'trace',

  lightPublish: (sending, next) => (tracing() ? tracePublish(sending, next) : next()),

  lightAttempt: (attempt, next, done) => (tracing() ? traceAttempt(attempt, next, done) : next(done)),

  progress(_attempt, fraction, note) {
    trace.getActiveSpan()?.addEvent('progress', { fraction, ...(note !== undefined && { note }) });
  },
};

/** What the API hands out before and after an SDK is registered; it passes calls on to the SDK, if there is one. */
interface MaybeProxy extends TracerProvider {
  getDelegateTracer?(name: string): Tracer | undefined;
}

/** False while no SDK is registered, so that a job pays nothing for traces that nobody records. */
function tracing(): boolean {
  const provider: MaybeProxy = trace.getTracerProvider();
  return !provider.getDelegateTracer || provider.getDelegateTracer('jobrail') !== undefined;
}

function tracePublish(sending: Sending, next: () => void | Promise<void>): void | Promise<void> {
  const parent = context.active();
  const { contract, message } = sending;
  const span = tracer.startSpan(
    `send ${contract.name}`,
    { kind: SpanKind.PRODUCER, attributes: sendAttributes(sending) },
    parent,
  );
  const within = trace.setSpan(parent, span);
  propagation.inject(within, message.properties.headers);
  const failed = (error: unknown): never => {
    fail(span, toError(error));
    span.end();
    throw error;
  };
  let sent;
  try {
    sent = context.with(within, next);
  } catch (error) {
    return failed(error);
  }
  if (sent instanceof Promise) return sent.then(() => span.end(), failed);
  span.end();
}

function traceAttempt(
  attempt: Attempt,
  next: (then: (outcome: Outcome) => void) => void,
  done: (outcome: Outcome) => void,
): void {
  const { headers } = attempt.message.properties;
  const sent = propagation.extract(ROOT_CONTEXT, headers);
  const before = link(headers[header.retryOf]);
  const span = tracer.startSpan(
    `process ${attempt.contract.name}`,
    {
      kind: SpanKind.CONSUMER,
      attributes: sourceAttributes(attempt),
      startTime: attempt.startedAt,
      ...(before && { links: [before] }),
    },
    sent,
  );
  if (span.isRecording()) span.setAttributes(jobAttributes(attempt));
  attempt.span = span.spanContext();
  const end = (outcome: Outcome): void => {
    describeOutcome(span, outcome);
    if (outcome.kind === 'retry') attempt.carry = { ...attempt.carry, ...carryLink(span) };
    span.end();
    done(outcome);
  };
  try {
    context.with(trace.setSpan(sent, span), next, undefined, end);
  } catch (error) {
    if (span.isRecording()) fail(span, toError(error)); // a filter threw
    span.end();
    throw error;
  }
}

function sendAttributes({ id, contract, message, pack }: Sending): Attributes {
  const { exchange, routingKey, body, properties } = message;
  return {
    'messaging.system': 'rabbitmq',
    'messaging.operation.type': 'send',
    'messaging.operation.name': 'send',
    'messaging.destination.name': destination(exchange, routingKey),
    'messaging.rabbitmq.destination.routing_key': routingKey,
    'messaging.message.id': id,
    'messaging.message.conversation_id': properties.correlationId,
    'messaging.message.body.size': body.length,
    ...(pack && { 'messaging.batch.message_count': pack.length }),
    'jobrail.contract': contract.name,
    'jobrail.queue': contract.queue.name,
  };
}

/** What a sampler may decide by: where the job comes from and what it is. */
function sourceAttributes({ contract, message }: Attempt): Attributes {
  return {
    'messaging.system': 'rabbitmq',
    'messaging.operation.type': 'process',
    'messaging.operation.name': 'process',
    'messaging.destination.name': destination(message.exchange, message.routingKey, message.queue),
    'jobrail.contract': contract.name,
    'jobrail.queue': contract.queue.name,
  };
}

/** What only a span that is recorded needs: the SDK checks and copies those of the start twice more. */
function jobAttributes({ job, message }: Attempt): Attributes {
  return {
    'messaging.rabbitmq.destination.routing_key': message.routingKey,
    'messaging.message.id': job.id,
    'messaging.message.conversation_id': job.rootId,
    'messaging.message.body.size': message.body.length,
    'jobrail.attempt': job.attempt,
    'jobrail.priority': job.priority,
  };
}

/** By the conventions for RabbitMQ: what is empty, or the same again, is left out. */
function destination(...parts: string[]): string {
  return parts.filter((part, i) => part !== '' && part !== parts[i - 1]).join(':');
}

function describeOutcome(span: Span, outcome: Outcome): void {
  if (!span.isRecording()) return;
  span.setAttribute('jobrail.outcome', outcome.kind);
  if (outcome.kind === 'retry' || outcome.kind === 'dead') fail(span, outcome.error);
  if (outcome.kind === 'retry' || outcome.kind === 'snooze')
    span.setAttribute('jobrail.next_in_ms', outcome.inMs);
  if (outcome.kind === 'dead') span.setAttribute('jobrail.dead_reason', outcome.reason);
  if (outcome.kind === 'cancelled' && outcome.reason !== undefined)
    span.setAttribute('jobrail.cancel_reason', redact(outcome.reason));
  if (outcome.kind === 'discard') span.setAttribute('jobrail.discard_reason', redact(outcome.reason));
}

function fail(span: Span, error: Error): void {
  const shown = redactError(error);
  span.recordException(shown);
  span.setStatus({ code: SpanStatusCode.ERROR, message: shown.message });
  span.setAttribute('error.type', error instanceof JobrailError ? error.code : error.name);
}

function carryLink(span: Span): MessageHeaders {
  const { traceId, spanId, traceFlags } = span.spanContext();
  return isSpanContextValid(span.spanContext())
    ? { [header.retryOf]: `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}` }
    : {};
}

function link(value: unknown): Link | undefined {
  const match = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/.exec(
    typeof value === 'string' ? value : '',
  );
  if (!match) return undefined;
  const [, traceId, spanId, flags] = match as unknown as [string, string, string, string];
  return {
    context: { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true },
    attributes: { 'jobrail.link': 'attempt before' },
  };
}
