import { once } from 'node:events';
import { type ClientRequest, type IncomingMessage, request as httpRequest } from 'node:http';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { SendEmail } from '@jobrail/email/jobs';
import { ResizeImage } from '@jobrail/media/jobs';
import { BuildReport } from '@jobrail/reports/jobs';
import { expect } from 'chai';
import { type IsolatedRail, isolatedRail } from 'jobrail/testing';
import { ApiProcess } from '../api-process.js';
import { TraceCollector } from '../trace-collector.js';
import { userForm } from '../user-form.js';

const serverKind = 2;
const producerKind = 4;

describe('The process', () => {
  let rail: IsolatedRail;
  let folder: string;
  let environment: Record<string, string>;
  let api: ApiProcess | undefined;

  before(async () => {
    rail = await isolatedRail();
    folder = await mkdtemp(join(tmpdir(), 'api-process-'));
    environment = {
      AMQP_URL: rail.url,
      JOBRAIL_PREFIX: rail.prefix,
      STORAGE_URL: pathToFileURL(folder).href,
    };
  });
  afterEach(async () => {
    await api?.kill();
    api = undefined;
  });
  after(async () => {
    await rail.cleanup(SendEmail, ResizeImage, BuildReport);
    await rm(folder, { recursive: true });
  });

  it("continues the caller's trace over the request to the jobs on the queue", async () => {
    const collector = new TraceCollector();
    api = new ApiProcess({
      ...environment,
      OTEL_SDK_DISABLED: 'false',
      OTEL_EXPORTER_OTLP_ENDPOINT: await collector.start(),
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    });
    const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
    const callerSpan = '00f067aa0ba902b7';
    const response = await fetch(`${await api.url()}/users`, {
      method: 'POST',
      body: userForm(),
      headers: { traceparent: `00-${traceId}-${callerSpan}-01` },
    });
    expect(response.status).to.equal(202);
    expect(response.headers.get('x-trace-id')).to.equal(traceId);
    const report = await fetch(`${await api.url()}/reports`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ title: 'x', source: { kind: 'csv', key: 'a' }, format: 'csv' }),
    });
    expect(report.status).to.equal(202);
    api.signal('SIGTERM');
    expect(await api.exitCode()).to.equal(0);
    await collector.stop();

    const server = collector.spans.find(({ name }) => name === 'POST /users');
    expect(server).to.include({ kind: serverKind, traceId, parentSpanId: callerSpan });
    expect(attributesOf(server!)).to.include({
      'http.request.method': 'POST',
      'http.route': '/users',
      'http.response.status_code': 202,
    });
    for (const [name, queue] of [
      ['send media.resize', 'media'],
      ['send email.send', 'email'],
    ]) {
      const send = collector.spans.find((span) => span.name === name);
      expect(send, name).to.include({ kind: producerKind, traceId, parentSpanId: server!.spanId });
      const delivery = await rail.broker.get(`${rail.prefix}.${queue}`);
      expect(delivery?.properties.headers?.['traceparent']).to.equal(`00-${traceId}-${send!.spanId}-01`);
      delivery?.ack();
    }
    const asked = collector.spans.find(({ name }) => name === 'POST /reports');
    const sent = collector.spans.find(({ name }) => name === 'send report.build');
    expect(sent).to.include({ traceId: asked!.traceId, parentSpanId: asked!.spanId });
    expect(asked!.traceId).to.equal(report.headers.get('x-trace-id')).and.not.equal(traceId);
  });

  it('tells Prometheus how many jobs it sent, and how long that took', async () => {
    api = new ApiProcess({ ...environment, OTEL_SDK_DISABLED: 'false', OTEL_TRACES_EXPORTER: 'none' });
    const url = await api.url();
    expect((await fetch(`${url}/users`, { method: 'POST', body: userForm() })).status).to.equal(202);
    const page = await (await fetch(`${url}/metrics`)).text();
    for (const queue of ['email', 'media']) {
      const sent = new RegExp(
        `^messaging_client_sent_messages_total\\{.*jobrail_queue="${queue}".*\\} 1$`,
        'm',
      );
      expect(page).to.match(sent);
      expect(page).to.match(
        new RegExp(`^messaging_client_operation_duration_count\\{.*jobrail_queue="${queue}"`, 'm'),
      );
    }
  });

  it('told to stop, finishes the request it is reading, takes no other, and exits 0', async () => {
    api = new ApiProcess(environment);
    const url = await api.url();
    const { upload, finish } = await beginUpload(url);
    api.signal('SIGTERM');
    await api.log.next('stopping; a second signal ends at once');
    const refused = await fetch(`${url}/health/live`).catch((error: unknown) => error);
    expect(refused).to.have.nested.property('cause.code', 'ECONNREFUSED');
    finish();
    const [response] = (await once(upload, 'response')) as [IncomingMessage];
    expect(response.statusCode).to.equal(202);
    expect(response.headers.connection).to.equal('close');
    response.resume();
    expect(await api.exitCode()).to.equal(0);
    expect(api.log.all.at(-1)?.msg).to.equal('stopped');
  });

  it('told to stop, cuts off a request that outlasts the grace period, and exits 0', async () => {
    api = new ApiProcess({ ...environment, GRACE_PERIOD: '100ms' });
    const { upload } = await beginUpload(await api.url());
    const cut = once(upload, 'error') as Promise<[NodeJS.ErrnoException]>;
    api.signal('SIGINT');
    expect((await cut)[0].code).to.equal('ECONNRESET');
    expect(await api.exitCode()).to.equal(0);
  });

  it('told twice, ends at once with exit code 1', async () => {
    api = new ApiProcess(environment);
    const { upload } = await beginUpload(await api.url());
    upload.on('error', () => undefined);
    api.signal('SIGTERM');
    await api.log.next('stopping; a second signal ends at once');
    api.signal('SIGTERM');
    expect(await api.exitCode()).to.equal(1);
  });

  it('starts and stops without a broker', async () => {
    api = new ApiProcess({ ...environment, AMQP_URL: 'amqp://127.0.0.1:1', PUBLISH_TIMEOUT: '200ms' });
    const url = await api.url();
    await api.log.next('the broker cannot be reached yet');
    expect((await fetch(`${url}/health/live`)).status).to.equal(200);
    expect((await fetch(`${url}/health/ready`)).status).to.equal(503);
    api.signal('SIGTERM');
    expect(await api.exitCode()).to.equal(0);
  });

  it('says which variable is wrong, and exits 1', async () => {
    api = new ApiProcess({ ...environment, UPLOAD_LIMIT: 'plenty' });
    expect(await api.stderr()).to.include('Environment variable UPLOAD_LIMIT is "plenty"');
    expect(await api.exitCode()).to.equal(1);
  });
});

/** A request whose body has arrived in part; `finish` sends the rest. */
async function beginUpload(url: string): Promise<{ upload: ClientRequest; finish(): void }> {
  const form = new Response(userForm());
  const body = Buffer.from(await form.arrayBuffer());
  const upload = httpRequest(`${url}/users`, {
    method: 'POST',
    headers: {
      'content-type': form.headers.get('content-type')!,
      'content-length': body.length,
      expect: '100-continue',
    },
  });
  upload.flushHeaders();
  // The server says so once it has begun with the request: until then, a stop would rightly refuse it.
  await once(upload, 'continue');
  upload.write(body.subarray(0, 200));
  return { upload, finish: () => upload.end(body.subarray(200)) };
}

function attributesOf({ attributes }: { attributes: { key: string; value: Record<string, unknown> }[] }) {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
}
