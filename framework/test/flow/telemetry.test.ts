import { expect } from 'chai';
import { startChild } from './child.js';
import { useEndings } from './endings.js';
import { OtlpReceiver } from './otlp-receiver.js';

/** Each in a process of its own, because an SDK is registered once for a process. */
describe('startTelemetry', () => {
  const endings = useEndings();
  let receiver: OtlpReceiver;

  beforeEach(async () => {
    receiver = await OtlpReceiver.start();
    endings.atEnd(() => receiver.stop());
  });

  /** Runs the traced process to its end, and gives what it told of its telemetry. */
  async function run(env: NodeJS.ProcessEnv) {
    const child = startChild(endings, new URL('fixtures/traced.js', import.meta.url), {
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      ...env,
    });
    const word = await child.told.one();
    expect(await child.exited, child.output.stderr).to.equal(0);
    return JSON.parse(word) as { active: boolean; second?: boolean };
  }

  it('sends the spans of a job over OTLP/HTTP in one line, as the OTEL_* variables say', async () => {
    const told = await run({
      OTEL_SERVICE_NAME: 'shop',
      OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
      OTEL_EXPORTER_OTLP_HEADERS: 'x-api-key=secret',
    });
    expect(told.active).to.equal(true);
    const byName = new Map(receiver.spans.map((span) => [span.name, span]));
    expect([...byName.keys()].sort()).to.deep.equal(['process traced', 'request', 'send traced']);
    expect(receiver.spans, 'each span once').to.have.length(3);
    const [request, send, process] = ['request', 'send traced', 'process traced'].map((name) =>
      byName.get(name)!,
    );
    expect(send!.parentSpanId).to.equal(request!.spanId);
    expect(process!.parentSpanId).to.equal(send!.spanId);
    expect(new Set(receiver.spans.map(({ traceId }) => traceId)).size).to.equal(1);
    expect(send!.resource).to.include({ 'service.name': 'shop', 'deployment.environment.name': 'test' });
    expect(send!.resource).to.have.property('host.name').that.is.a('string');
    expect(receiver.requests[0]).to.have.property('url', '/v1/traces');
    expect(receiver.requests[0]!.headers).to.include({ 'x-api-key': 'secret' });
  });

  it('speaks protobuf where OTEL_EXPORTER_OTLP_PROTOCOL is not set', async () => {
    await run({ OTEL_EXPORTER_OTLP_PROTOCOL: undefined });
    const [request] = receiver.requests;
    expect(request!.headers).to.include({ 'content-type': 'application/x-protobuf' });
    for (const name of ['request', 'send traced', 'process traced'])
      expect(request!.body.includes(name), name).to.equal(true);
  });

  it('takes the name of the service where OTEL_SERVICE_NAME is not set', async () => {
    await run({ OTEL_SERVICE_NAME: undefined });
    expect(receiver.spans[0]!.resource).to.include({ 'service.name': 'traced' });
  });

  it('samples as OTEL_TRACES_SAMPLER says', async () => {
    const told = await run({ OTEL_TRACES_SAMPLER: 'always_off' });
    expect(told.active).to.equal(true);
    expect(receiver.requests).to.deep.equal([]);
  });

  for (const env of [{ OTEL_SDK_DISABLED: 'true' }, { OTEL_TRACES_EXPORTER: 'none' }]) {
    it(`does nothing with ${Object.entries(env).flat().join('=')}, and jobs run as ever`, async () => {
      expect((await run(env)).active).to.equal(false);
      expect(receiver.requests).to.deep.equal([]);
    });
  }

  it('leaves an SDK alone that is registered: no second exporter, no span twice', async () => {
    const told = await run({ TWICE: 'yes' });
    expect(told).to.deep.equal({ active: true, second: false });
    expect(receiver.spans).to.have.length(3);
  });
});
