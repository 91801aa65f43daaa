import { expect } from 'chai';
import { until } from '../contract/recorder.js';
import { startChild } from './child.js';
import { Mail, Picture } from './fixtures/one-trace-contracts.js';
import { OtlpReceiver } from './otlp-receiver.js';
import { useStage } from './stage.js';

/** What the test looks at, of a span from wherever it was read back. */
interface Seen {
  name: string;
  service: string;
  spanId: string;
  parent: string | undefined;
  links: string[];
  start: bigint;
}

interface OtlpSpan {
  name: string;
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  startTimeUnixNano: string | number;
  links?: { spanId: string }[];
}

interface JaegerTrace {
  result: {
    resourceSpans: {
      resource: { attributes: { key: string; value: { stringValue?: string } }[] };
      scopeSpans: { spans: OtlpSpan[] }[];
    }[];
  };
}

const script = new URL('fixtures/one-trace.js', import.meta.url);

/** Jaeger's query address, such as http://127.0.0.1:16686; it takes spans at JAEGER_OTLP_URL, default port 4318 there. */
const jaeger = process.env['JAEGER_URL'];

/** Set by `npm run verify:jaeger`: without a Jaeger it has nothing to say. */
const mustBeJaeger = process.env['VERIFY_JAEGER'] !== undefined;

describe(`one trace over three services and a delay, read back from ${jaeger ? 'Jaeger' : 'an OTLP receiver'}`, function () {
  this.timeout(40_000); // three processes, and a delay of 2 s
  const stage = useStage();
  let receiver: OtlpReceiver | undefined;

  function endpoint(): string {
    if (receiver) return receiver.url;
    const url = new URL(jaeger!);
    return process.env['JAEGER_OTLP_URL'] ?? `${url.protocol}//${url.hostname}:4318`;
  }

  async function readBack(traceId: string): Promise<Seen[]> {
    if (receiver) {
      const spans = receiver.spans as unknown as (OtlpSpan & { resource: Record<string, string> })[];
      return spans
        .filter((span) => span.traceId === traceId)
        .map((span) => seen(span, span.resource['service.name']!));
    }
    const response = await fetch(new URL(`/api/v3/traces/${traceId}`, jaeger));
    if (!response.ok) return [];
    const { result } = (await response.json()) as JaegerTrace;
    return result.resourceSpans.flatMap(({ resource, scopeSpans }) => {
      const service = resource.attributes.find(({ key }) => key === 'service.name')?.value.stringValue ?? '';
      return scopeSpans.flatMap(({ spans }) => spans.map((span) => seen(span, service)));
    });
  }

  it('http → send → process (media), twice → send → process (email), each once, none an orphan', async () => {
    if (!jaeger && mustBeJaeger) throw new Error('JAEGER_URL is not set: give the address of its query API.');
    if (!jaeger) receiver = await OtlpReceiver.start();
    stage.atEnd(async () => receiver?.stop());
    stage.owns(Picture);
    stage.owns(Mail);
    const env = {
      ...stage.env,
      OTEL_EXPORTER_OTLP_ENDPOINT: endpoint(),
      OTEL_TRACES_EXPORTER: 'otlp',
      ...(receiver && { OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json' }),
    };
    const start = (role: string) => startChild(stage, script, { ...env, ROLE: role });
    const services = ['media', 'email'].map(start);
    for (const { told } of services) expect(await told.one()).to.equal('ready');
    const front = start('front');
    const traceId = await front.told.one();
    expect(await services[1]!.told.one()).to.equal('mailed');
    for (const service of services) service.process.send('stop');
    for (const each of [front, ...services]) expect(await each.exited, each.output.stderr).to.equal(0);

    const spans = await until(
      () => readBack(traceId),
      (found) => found.length >= 6,
    );
    const inOrder = [...spans].sort((a, b) => (a.start < b.start ? -1 : 1));
    expect(inOrder.map(({ name, service }) => `${service}: ${name}`)).to.deep.equal([
      'front: POST /pictures',
      `front: send ${Picture.name}`,
      `media: process ${Picture.name}`,
      `media: process ${Picture.name}`,
      `media: send ${Mail.name}`,
      `email: process ${Mail.name}`,
    ]);
    const [http, send, first, second, child, mail] = inOrder as [Seen, Seen, Seen, Seen, Seen, Seen];
    expect(http.parent).to.equal(undefined);
    expect(send.parent).to.equal(http.spanId);
    expect([first.parent, second.parent], 'both attempts are children of the send').to.deep.equal([send.spanId, send.spanId]); // prettier-ignore
    expect(second.links, 'the retry is linked to the attempt before').to.deep.equal([first.spanId]);
    expect(child.parent).to.equal(second.spanId);
    expect(mail.parent).to.equal(child.spanId);
    expect(Number(first.start - send.start) / 1e6, 'the delay, in ms').to.be.at.least(1_999);
    expect(new Set(spans.map(({ spanId }) => spanId)).size).to.equal(6);
  });
});

function seen(
  { name, spanId, parentSpanId, links = [], startTimeUnixNano }: OtlpSpan,
  service: string,
): Seen {
  const parent = parentSpanId ? parentSpanId : undefined;
  return {
    name,
    service,
    spanId,
    parent,
    links: links.map((link) => link.spanId),
    start: BigInt(startTimeUnixNano),
  };
}
