import { context, propagation, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base';
import { ATTR_ERROR_TYPE } from '@opentelemetry/semantic-conventions';
import {
  ATTR_MESSAGING_DESTINATION_NAME,
  ATTR_MESSAGING_MESSAGE_BODY_SIZE,
  ATTR_MESSAGING_MESSAGE_CONVERSATION_ID,
  ATTR_MESSAGING_MESSAGE_ID,
  ATTR_MESSAGING_OPERATION_NAME,
  ATTR_MESSAGING_OPERATION_TYPE,
  ATTR_MESSAGING_RABBITMQ_DESTINATION_ROUTING_KEY,
  ATTR_MESSAGING_SYSTEM,
  MESSAGING_OPERATION_TYPE_VALUE_PROCESS,
  MESSAGING_OPERATION_TYPE_VALUE_SEND,
  MESSAGING_SYSTEM_VALUE_RABBITMQ,
} from '@opentelemetry/semantic-conventions/incubating';
import { expect } from 'chai';
import { Discard, Fatal, fixed, type JobContext, noRetry, Retry, Snooze } from '../../src/index.js';
import { header } from '../../src/model/envelope.js';
import { jobsExchange, laneQueue } from '../../src/model/topology.js';
import { rejection } from '../contract/rejection.js';
import { useSpans } from './spans.js';
import { useStage } from './stage.js';
import { lone, working } from './working.js';

describe('tracing', () => {
  const stage = useStage();
  const exporter = useSpans();
  const tracer = trace.getTracer('test');

  /** Waits for so many finished spans of this name, in the order of their start. */
  async function spans(count: number, name: string): Promise<ReadableSpan[]> {
    const found = () => exporter.getFinishedSpans().filter((span) => span.name === name);
    await stage.signals.when(() => found().length >= count, `${count} spans "${name}"`);
    const seen = found();
    expect(seen, name).to.have.length(count);
    return seen.sort((a, b) => a.startTime[0] - b.startTime[0] || a.startTime[1] - b.startTime[1]);
  }

  const span = async (name: string): Promise<ReadableSpan> => (await spans(1, name))[0]!;
  const parentOf = (of: ReadableSpan) => of.parentSpanContext?.spanId;
  const idOf = (of: ReadableSpan) => of.spanContext().spanId;
  const traceOf = (of: ReadableSpan) => of.spanContext().traceId;

  it('gives a PRODUCER span "send" and a CONSUMER span "process" as its child, in the trace of the caller', async () => {
    const contract = lone('trace-pair', { priorities: 2 });
    await stage.start({ handlers: [working(contract, () => undefined)] });
    const { id } = await tracer.startActiveSpan('request', async (request) => {
      const job = await stage.client.enqueue(contract, { note: 'x' }, { priority: 1 });
      request.end();
      return job;
    });
    const [request, send, process] = await Promise.all(
      ['request', 'send trace-pair', 'process trace-pair'].map(span),
    );
    expect(send!.kind).to.equal(SpanKind.PRODUCER);
    expect(process!.kind).to.equal(SpanKind.CONSUMER);
    expect(parentOf(send!)).to.equal(idOf(request!));
    expect(parentOf(process!)).to.equal(idOf(send!));
    expect(process!.parentSpanContext!.isRemote).to.equal(true);
    expect(new Set([request!, send!, process!].map(traceOf)).size).to.equal(1);

    const common = {
      [ATTR_MESSAGING_SYSTEM]: MESSAGING_SYSTEM_VALUE_RABBITMQ,
      [ATTR_MESSAGING_RABBITMQ_DESTINATION_ROUTING_KEY]: laneQueue(stage.prefix, contract.queue, 1),
      [ATTR_MESSAGING_MESSAGE_ID]: id,
      [ATTR_MESSAGING_MESSAGE_CONVERSATION_ID]: id,
      [ATTR_MESSAGING_MESSAGE_BODY_SIZE]: '{"note":"x"}'.length,
      'jobrail.contract': 'trace-pair',
      'jobrail.queue': 'trace-pair',
    };
    expect(send!.attributes).to.deep.equal({
      ...common,
      [ATTR_MESSAGING_OPERATION_TYPE]: MESSAGING_OPERATION_TYPE_VALUE_SEND,
      [ATTR_MESSAGING_OPERATION_NAME]: 'send',
      [ATTR_MESSAGING_DESTINATION_NAME]: laneQueue(stage.prefix, contract.queue, 1),
    });
    expect(process!.attributes).to.deep.equal({
      ...common,
      [ATTR_MESSAGING_OPERATION_TYPE]: MESSAGING_OPERATION_TYPE_VALUE_PROCESS,
      [ATTR_MESSAGING_OPERATION_NAME]: 'process',
      [ATTR_MESSAGING_DESTINATION_NAME]: laneQueue(stage.prefix, contract.queue, 1),
      'jobrail.attempt': 1,
      'jobrail.priority': 1,
      'jobrail.outcome': 'completed',
    });
    expect(process!.status.code).to.equal(SpanStatusCode.UNSET);
  });

  it('gives one span "send" for jobs that share a message, and each its "process" as a child of it', async () => {
    const contract = lone('trace-pack');
    await stage.start({ handlers: [working(contract, () => undefined)] });
    const payloads = ['a', 'b', 'c'].map((note) => ({ note }));
    await tracer.startActiveSpan('request', async (request) => {
      await stage.client.enqueueMany(contract, payloads, { pack: 3 });
      request.end();
    });
    const [request, send] = await Promise.all(['request', 'send trace-pack'].map(span));
    expect(parentOf(send!)).to.equal(idOf(request!));
    expect(send!.attributes).to.include({ 'messaging.batch.message_count': 3 });
    for (const process of await spans(3, 'process trace-pack')) {
      expect(parentOf(process)).to.equal(idOf(send!));
      expect(traceOf(process)).to.equal(traceOf(request!));
    }
  });

  it('makes retries siblings in the same trace, each linked to the attempt before, failed ones with the error', async () => {
    const contract = lone('trace-retry');
    const handler = working(
      contract,
      (_, { attempt }) => {
        if (attempt < 3) throw new RangeError(`failure ${attempt}`);
      },
      { retry: fixed({ attempts: 3, every: 410 }) },
    );
    await stage.start({ handlers: [handler] });
    await stage.client.enqueue(contract, { note: '' });
    const attempts = await spans(3, 'process trace-retry');
    const send = await span('send trace-retry');
    expect(attempts.map(parentOf)).to.deep.equal(Array(3).fill(idOf(send)));
    expect(attempts.map(traceOf)).to.deep.equal(Array(3).fill(traceOf(send)));
    expect(attempts.map(({ attributes }) => attributes['jobrail.attempt'])).to.deep.equal([1, 2, 3]);
    expect(attempts.map(({ links }) => links.map(({ context }) => context.spanId))).to.deep.equal([
      [],
      [idOf(attempts[0]!)],
      [idOf(attempts[1]!)],
    ]);
    expect(attempts.map(({ status }) => status.code)).to.deep.equal([
      SpanStatusCode.ERROR,
      SpanStatusCode.ERROR,
      SpanStatusCode.UNSET,
    ]);
    const [first] = attempts;
    expect(first!.status.message).to.equal('failure 1');
    expect(first!.attributes).to.include({
      [ATTR_ERROR_TYPE]: 'RangeError',
      'jobrail.outcome': 'retry',
      'jobrail.next_in_ms': 410,
    });
    expect(first!.events.map(({ name }) => name)).to.deep.equal(['exception']);
  });

  it('puts child jobs under the attempt that enqueued them, also across a delay', async () => {
    const [parent, child] = [lone('trace-parent'), lone('trace-child')];
    await stage.start({
      handlers: [
        working(parent, (_, job: JobContext) => job.enqueue(child, { note: '' }, { delay: 420 })),
        working(child, () => tracer.startActiveSpan('inside', (inside) => inside.end())),
      ],
    });
    const { id } = await stage.client.enqueue(parent, { note: '' });
    const [process, send, childProcess, inside] = await Promise.all(
      ['process trace-parent', 'send trace-child', 'process trace-child', 'inside'].map(span),
    );
    expect(parentOf(send!)).to.equal(idOf(process!));
    expect(parentOf(childProcess!)).to.equal(idOf(send!));
    expect(parentOf(inside!)).to.equal(idOf(childProcess!));
    expect(traceOf(inside!)).to.equal(traceOf(process!));
    expect(childProcess!.attributes[ATTR_MESSAGING_MESSAGE_CONVERSATION_ID]).to.equal(id);
  });

  const ends: [string, () => Error, object, SpanStatusCode][] = [
    [
      'snooze',
      () => new Snooze({ in: '1h' }),
      { 'jobrail.outcome': 'snooze', 'jobrail.next_in_ms': 3_600_000 },
      SpanStatusCode.UNSET,
    ],
    [
      'discard',
      () => new Discard('gone'),
      { 'jobrail.outcome': 'discard', 'jobrail.discard_reason': 'gone' },
      SpanStatusCode.UNSET,
    ],
    [
      'dead',
      () => new Fatal(new TypeError('no')),
      { 'jobrail.outcome': 'dead', 'jobrail.dead_reason': 'fatal', [ATTR_ERROR_TYPE]: 'TypeError' },
      SpanStatusCode.ERROR,
    ],
    [
      'exhausted',
      () => new Retry({ in: 1 }),
      { 'jobrail.dead_reason': 'retries-exhausted' },
      SpanStatusCode.ERROR,
    ],
  ];
  for (const [how, error, attributes, status] of ends) {
    it(`tells how an attempt ended: ${how}`, async () => {
      const contract = lone(`trace-${how}`);
      const handler = working(
        contract,
        () => {
          throw error();
        },
        { retry: noRetry },
      );
      await stage.start({ handlers: [handler] });
      await stage.client.enqueue(contract, { note: '' });
      const process = await span(`process trace-${how}`);
      expect(process.attributes).to.include(attributes);
      expect(process.status.code).to.equal(status);
    });
  }

  it('tells of jobs that expired', async () => {
    const contract = lone('trace-expired');
    await stage.client.enqueue(contract, { note: '' }, { expiresIn: 1 });
    const later = Date.now() + 2;
    await stage.signals.when(() => Date.now() > later, 'the job to expire');
    await stage.start({ handlers: [working(contract, () => undefined)] });
    expect((await span('process trace-expired')).attributes['jobrail.outcome']).to.equal('expired');
  });

  it('has the code of an error of Jobrail as its type', async () => {
    const contract = lone('trace-timeout');
    const handler = working(
      contract,
      (_, { signal }) =>
        new Promise((_resolve, reject) =>
          signal.addEventListener('abort', () => reject(signal.reason as Error)),
        ),
      { timeout: '20ms', retry: noRetry },
    );
    await stage.start({ handlers: [handler] });
    await stage.client.enqueue(contract, { note: '' });
    const process = await span('process trace-timeout');
    expect(process.attributes[ATTR_ERROR_TYPE]).to.equal('JR_ATTEMPT_TIMEOUT');
  });

  it('marks a send that failed', async () => {
    const contract = lone('trace-refused');
    const client = stage.newClient();
    client.use({ name: 'refuse', publish: () => Promise.reject(new Error('not today')) });
    await rejection(client.enqueue(contract, { note: '' }));
    const send = await span('send trace-refused');
    expect(send.status).to.deep.equal({ code: SpanStatusCode.ERROR, message: 'not today' });
    expect(send.attributes[ATTR_ERROR_TYPE]).to.equal('Error');
  });

  it('ends the span of an attempt in which a filter threw', async () => {
    const contract = lone('trace-filter');
    const service = stage.service({ handlers: [working(contract, () => undefined, { retry: noRetry })] });
    service.use({ name: 'broken', attempt: () => Promise.reject(new Error('a filter of mine')) });
    await service.start();
    await stage.client.enqueue(contract, { note: '' });
    const process = await span('process trace-filter');
    expect(process.status).to.deep.equal({ code: SpanStatusCode.ERROR, message: 'a filter of mine' });
  });

  it('has an event for each progress', async () => {
    const contract = lone('trace-progress');
    const handler = working(contract, (_, job) => {
      job.progress(0.5, 'halfway');
      job.progress(1);
    });
    await stage.start({ handlers: [handler] });
    await stage.client.enqueue(contract, { note: '' });
    const { events } = await span('process trace-progress');
    expect(events.map(({ name, attributes }) => [name, attributes])).to.deep.equal([
      ['progress', { fraction: 0.5, note: 'halfway' }],
      ['progress', { fraction: 1 }],
    ]);
  });

  it('stands in the log lines of an attempt', async () => {
    const contract = lone('trace-log');
    await stage.start({ handlers: [working(contract, () => undefined)] });
    const { id } = await stage.client.enqueue(contract, { note: '' });
    const process = await span('process trace-log');
    const { detail } = await stage.signals.first(
      ({ what, detail }) => what === 'logged' && (detail as { job?: string }).job === id,
    );
    expect(detail).to.include({ traceId: traceOf(process), spanId: idOf(process) });
  });

  it('goes on with the trace of a message that others sent, and begins one for a message without', async () => {
    const contract = lone('trace-foreign');
    await stage.start({ handlers: [working(contract, () => undefined)] });
    const [traceId, spanId] = ['0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331'];
    const send = (messageId: string, headers: Record<string, string>) =>
      stage.rail.broker.publish({
        exchange: jobsExchange(stage.prefix),
        routingKey: contract.name,
        body: Buffer.from('{"note":""}'),
        properties: { messageId, type: contract.name, headers },
      });
    await send('with', { traceparent: `00-${traceId}-${spanId}-01` });
    await send('without', {});
    await send('spoilt', { traceparent: 'nonsense', [header.retryOf]: 'nonsense' });
    const all = await spans(3, 'process trace-foreign');
    const of = (id: string) => all.find(({ attributes }) => attributes[ATTR_MESSAGING_MESSAGE_ID] === id)!;
    expect(traceOf(of('with'))).to.equal(traceId);
    expect(parentOf(of('with'))).to.equal(spanId);
    for (const id of ['without', 'spoilt']) {
      expect(parentOf(of(id)), id).to.equal(undefined);
      expect(of(id).links, id).to.deep.equal([]);
    }
  });

  it('carries baggage to the handler', async () => {
    const contract = lone('trace-baggage');
    const handler = working(contract, () => {
      stage.signals.tell('baggage', propagation.getActiveBaggage()?.getEntry('tenant')?.value);
    });
    await stage.start({ handlers: [handler] });
    const baggage = propagation.createBaggage({ tenant: { value: 'acme' } });
    await context.with(propagation.setBaggage(context.active(), baggage), () =>
      stage.client.enqueue(contract, { note: '' }),
    );
    expect((await stage.signals.first({ what: 'baggage' })).detail).to.equal('acme');
  });
});
