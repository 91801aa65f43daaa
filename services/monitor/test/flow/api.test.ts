import { Ajv } from 'ajv';
import { expect } from 'chai';
import { JobClient, MonitorError } from 'jobrail';
import { eventsTopology } from 'jobrail/events';
import { openStore } from 'jobrail/store';
import { request as httpRequest } from 'node:http';
import { ask, jobId, until, useMonitors } from '../running-monitor.js';
import { useStore } from '../store-corner.js';
import { noon, storyOf, Telling } from '../told.js';

interface Operation {
  operationId: string;
  parameters: { name: string; in: string; required: boolean }[];
  responses: Record<string, { content?: Record<string, { schema: object }> }>;
}

interface Document {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
}

describe('the HTTP API', () => {
  const store = useStore();
  const stage = useMonitors(store);
  let telling: Telling;
  beforeEach(() => (telling = new Telling()));

  const projected = (url: string, id: string, withinMs?: number) =>
    until(
      () => ask(url, `/jobs/${encodeURIComponent(id)}`),
      ({ status }) => status === 200,
      withinMs,
    );

  it('answers every operation as its OpenAPI document says', async () => {
    const { url } = await stage().start();
    const [done, dead, child] = [jobId(), jobId(), jobId()];
    telling.tell('api', [
      storyOf(done).enqueued({ traceId: 'ab'.repeat(16), priority: 1, dueAt: noon }),
      storyOf(child).enqueued({ rootId: done, causationId: done }),
    ]);
    telling.tell('email', [
      storyOf(done).started(),
      storyOf(done).progress(0.5, { note: 'half' }),
      storyOf(done).completed(),
      storyOf(dead, { at: Date.now() - 1_000 }).dead(),
      {
        ...{ kind: 'heartbeat', at: Date.now(), startedAt: noon, version: '0.1.0', state: 'running' },
        queues: [{ name: 'email', concurrency: 5, prefetch: 10, running: 1, held: 2, ready: true }],
        ...{ eventLoopLagMs: 1.5, rssBytes: 100_000_000 },
      },
      { kind: 'control', at: noon, action: 'pause', subject: 'email', by: 'ada' },
    ]);
    await stage().publish(telling);
    await projected(url, dead);

    const document = (await ask(url, '/openapi.json')).body as Document;
    expect(document.openapi).to.equal('3.1.0');
    const ajv = new Ajv({ strict: false });
    ajv.addSchema(document, 'document');
    const check = (schema: object, value: unknown, where: string) => {
      const rooted = JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"document#/')) as object;
      const validate = ajv.compile(rooted);
      expect(
        validate(value),
        `${where}: ${ajv.errorsText(validate.errors)} in ${JSON.stringify(value)}`,
      ).to.equal(true);
    };
    const seen: string[] = [];
    for (const [path, operations] of Object.entries(document.paths)) {
      for (const [method, { operationId, responses, parameters }] of Object.entries(operations)) {
        const [status, { content }] = Object.entries(responses).find(([code]) => code.startsWith('2'))! as [
          string,
          { content: Record<string, { schema: object }> },
        ];
        if (content['text/event-stream']) continue; // followed below
        const real = path.replace('{id}', done);
        const answer = await ask(url, real, { method: method.toUpperCase() });
        expect(answer.status, `${method} ${real}`).to.equal(Number(status));
        check(content['application/json']!.schema, answer.body, operationId);
        if (Array.isArray(answer.body))
          expect(answer.body, operationId).to.have.length.at.least(operationId === 'listAlerts' ? 0 : 1);
        seen.push(operationId);
        const wrong = await ask(url, `${real}?no-such=1`, { method: method.toUpperCase() });
        if (parameters.some((one) => one.in === 'query')) expect(wrong.status, operationId).to.equal(400);
        if (wrong.status === 400)
          check(responses['400']!.content!['application/json']!.schema, wrong.body, '400');
      }
    }
    expect(seen).to.include.members(['searchJobs', 'getJob', 'listQueues', 'listWorkers', 'getProjection']);

    const { body } = await ask(url, `/jobs/${done}`);
    expect(body).to.deep.include({ state: 'completed', service: 'email', traceId: 'ab'.repeat(16) });
    expect((body as { children: { id: string }[] }).children.map(({ id }) => id)).to.deep.equal([child]);
  });

  it('finds by parameters, pages, and tells what is wrong with them', async () => {
    const { url } = await stage().start();
    for (let i = 0; i < 5; i++)
      telling.tell('email', [storyOf(`j-${i}`).enqueued({ payload: { to: `${i}@example.com` } })]);
    await stage().publish(telling);
    await projected(url, 'j-4');
    const first = (await ask(url, '/jobs?queue=email&limit=3')).body as {
      jobs: { id: string }[];
      next: string;
      total: number;
    };
    expect(first.jobs.map(({ id }) => id)).to.deep.equal(['j-4', 'j-3', 'j-2']);
    expect(first.total).to.equal(5);
    const second = (await ask(url, `/jobs?queue=email&limit=3&cursor=${first.next}`)).body as typeof first;
    expect(second.jobs.map(({ id }) => id)).to.deep.equal(['j-1', 'j-0']);
    expect(second.next).to.equal(undefined);
    const other = await ask(url, `/jobs?queue=media&limit=3&cursor=${first.next}`);
    expect([other.status, (other.body as { total: number }).total]).to.deep.equal([400, undefined]);
    const typed = (await ask(url, `/jobs?q=${encodeURIComponent('to:3@example.com')}`)).body as typeof first;
    expect(typed.jobs.map(({ id }) => id)).to.deep.equal(['j-3']);
    for (const query of [
      'state=broken',
      'limit=1000',
      'a[b]=c',
      'cursor=zzz',
      'id=%00',
      'q=%22',
      'after=never',
      'constructor=x',
      '__proto__=x',
    ]) {
      const { status, body } = await ask(url, `/jobs?${query}`);
      expect(status, query).to.equal(400);
      expect((body as { error: { code: string } }).error.code).to.equal('QUERY_INVALID');
    }
  });

  it('knows no job of another id, however it looks', async () => {
    const { url } = await stage().start();
    for (const id of [
      'none',
      '%00',
      'a%2Fb',
      '..%2f..%2fetc',
      "'%20OR%201=1",
      'x'.repeat(3_000),
      '%F0%9D%84%9E',
      '__proto__',
    ]) {
      expect((await ask(url, `/jobs/${id}`)).status, id).to.equal(404);
    }
    expect((await ask(url, '/jobs/%E0%A4%A')).status).to.equal(400);
    expect((await ask(url, '/nothing')).status).to.equal(404);
    const { status, headers } = await ask(url, '/jobs', { method: 'DELETE' });
    expect([status, headers.get('allow')]).to.deep.equal([405, 'GET']);
  });

  it('lets in by token, where one is set, and tells only the health to others', async () => {
    const token = 'a-token-of-enough-characters';
    const { url } = await stage().start({ MONITOR_TOKEN: token });
    for (const authorization of [
      undefined,
      'Bearer wrong',
      `Basic ${token}`,
      `Bearer ${token}x`,
      'Bearer ',
    ]) {
      const answer = await ask(
        url,
        '/jobs',
        authorization === undefined ? {} : { headers: { authorization } },
      );
      expect(answer.status, authorization).to.equal(401);
    }
    expect((await ask(url, '/jobs', { headers: { authorization: `Bearer ${token}` } })).status).to.equal(200);
    expect((await ask(url, '/health/ready')).body).to.deep.equal({
      ok: true,
      broker: 'connected',
      store: 'reachable',
    });
  });

  it('refuses, without a token, names that pages of the web can have, and pages of other origins', async () => {
    const { url } = await stage().start();
    const statusFor = (headers: Record<string, string>) =>
      new Promise<number>((resolve, reject) => {
        const sent = httpRequest(`${url}/jobs`, { headers }, (response) => {
          response.resume();
          resolve(response.statusCode!);
        });
        sent.on('error', reject).end();
      });
    const { host } = new URL(url);
    expect(await statusFor({ host: 'rebound.attacker.example' })).to.equal(403);
    expect(await statusFor({ host: 'monitor:8090' })).to.equal(200);
    expect(await statusFor({ host: '[::1]:8090' })).to.equal(200);
    expect(await statusFor({ host, origin: 'https://attacker.example' })).to.equal(403);
    expect(await statusFor({ host, origin: `http://${host}` })).to.equal(200);
  });

  it('tells events as they come, only those asked for, and what was missed after a break', async () => {
    const { url } = await stage().start();
    const [mine, other] = [storyOf('mine'), storyOf('other', { queue: 'media' })];
    const follow = (headers: Record<string, string> = {}) =>
      Follower.open(`${url}/events?queue=email`, headers);
    const first = await follow();
    telling.tell('email', [mine.enqueued(), other.enqueued(), mine.started()]);
    await stage().publish(telling);
    expect((await first.next(2)).map(({ event }) => event)).to.deep.equal(['enqueued', 'started']);
    const last = first.seen[0]!;
    expect(JSON.parse(last.data)).to.deep.include({
      kind: 'enqueued',
      job: 'mine',
      service: 'email',
      host: 'test-host',
    });
    first.close();
    telling.tell('email', [mine.completed()]);
    await stage().publish(telling);
    const second = await follow({ 'last-event-id': last.id });
    expect((await second.next(2)).map(({ event }) => event)).to.deep.equal(['started', 'completed']);
    second.close();
    expect((await ask(url, '/events?colour=red')).status).to.equal(400);
    expect((await ask(url, '/events', { headers: { 'last-event-id': '1; DROP' } })).status).to.equal(400);
  });

  it('ends followers when it stops', async () => {
    const { url, monitor } = await stage().start();
    const follower = await Follower.open(`${url}/events`);
    await monitor.stop();
    await follower.ended;
  });

  it('serves from each replica, and another projects when one stops', async () => {
    const [first, second] = [await stage().start(), await stage().start()];
    telling.tell('email', [storyOf('a').completed()]);
    await stage().publish(telling);
    await projected(first.url, 'a');
    await projected(second.url, 'a');
    expect([first.monitor.projecting, second.monitor.projecting].filter(Boolean)).to.have.length(1);
    const [gone, left] = first.monitor.projecting ? [first, second] : [second, first];
    await gone.monitor.stop();
    telling.tell('email', [storyOf('b').completed()]);
    await stage().publish(telling);
    await projected(left.url, 'b');
    expect(left.monitor.projecting).to.equal(true);
  });

  it('builds the records anew on demand', async () => {
    const { url } = await stage().start();
    for (let i = 0; i < 20; i++)
      telling.tell('email', [storyOf(`j-${i}`).retried(), storyOf(`j-${i}`).completed({ attempt: 2 })]);
    await stage().publish(telling);
    await projected(url, 'j-19');
    const before = (await ask(url, '/jobs?limit=200')).body;
    const history = (await ask(url, '/jobs/j-7')).body;
    const database = await openStore(store.url);
    await database.query(`DELETE FROM monitor_jobs WHERE id <> 'j-3'`); // what a rebuild is for
    await database.close();
    expect((await ask(url, '/projection/rebuild', { method: 'POST' })).status).to.equal(202);
    await until(
      async () => (await ask(url, '/projection')).body as { rebuilding: boolean },
      ({ rebuilding }) => !rebuilding,
    );
    expect((await ask(url, '/jobs?limit=200')).body).to.deep.equal(before);
    expect((await ask(url, '/jobs/j-7')).body).to.deep.equal(history);
  });

  it('goes on with a stream that takes the place of one that was deleted, and keeps what it knew', async () => {
    const { url, monitor } = await stage().start();
    for (let i = 0; i < 10; i++) telling.tell('email', [storyOf(`old-${i}`).completed()]);
    await stage().publish(telling);
    await projected(url, 'old-9');
    await monitor.stop();
    const { broker, prefix } = stage().rail;
    await broker.remove(eventsTopology(prefix));
    await broker.declare(eventsTopology(prefix));
    telling.tell('email', [storyOf('new').completed()]);
    await stage().publish(telling);
    const again = await stage().start();
    await projected(again.url, 'new');
    await ask(again.url, '/projection/rebuild', { method: 'POST' });
    await until(
      async () => (await ask(again.url, '/projection')).body as { rebuilding: boolean },
      ({ rebuilding }) => !rebuilding,
    );
    const { jobs } = (await ask(again.url, '/jobs')).body as { jobs: { id: string }[] };
    expect(jobs.map(({ id }) => id)).to.deep.equal([
      'new',
      ...Array.from({ length: 10 }, (_, i) => `old-${9 - i}`),
    ]);
  });

  it('notices that while it runs, too', async function () {
    this.timeout(60_000); // up to seven seconds pass until it is noticed
    const { url } = await stage().start();
    for (let i = 0; i < 10; i++) telling.tell('email', [storyOf(`old-${i}`).completed()]);
    await stage().publish(telling);
    await projected(url, 'old-9');
    const { broker, prefix } = stage().rail;
    await broker.remove(eventsTopology(prefix));
    await broker.declare(eventsTopology(prefix));
    telling.tell('email', [storyOf('new').completed()]);
    await stage().publish(telling);
    await projected(url, 'new', 40_000);
    const { jobs } = (await ask(url, '/jobs')).body as { jobs: { id: string }[] };
    expect(jobs).to.have.length(11);
  });

  it('answers client.status, with its token, and undefined for a job that it does not know', async () => {
    const token = 'a-token-of-enough-characters';
    const { url } = await stage().start({ MONITOR_TOKEN: token });
    telling.tell('email', [storyOf('mine').retried()]);
    await stage().publish(telling);
    process.env['JOBRAIL_MONITOR_TOKEN'] = token;
    const client = new JobClient({ url: stage().rail.url, monitor: `${url}/` });
    delete process.env['JOBRAIL_MONITOR_TOKEN'];
    const status = await until(
      () => client.status('mine'),
      (seen) => seen !== undefined,
    );
    expect(status).to.deep.include({ id: 'mine', state: 'retrying', attempts: 1, nextAt: noon + 1_020 });
    expect(status).not.to.have.any.keys('payload', 'history');
    expect(await client.status('../queues')).to.equal(undefined);
    const stranger = new JobClient({ url: stage().rail.url, monitor: url });
    const error = await stranger.status('mine').catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(MonitorError).with.property('code', 'JR_MONITOR_UNREACHABLE');
    expect((error as Error).message).to.match(/answered 401.*JOBRAIL_MONITOR_TOKEN/);
    await Promise.all([client.close(), stranger.close()]);
  });

  it('tells how far it is behind', async () => {
    const { url } = await stage().start();
    const { lagMs } = await until(
      async () => (await ask(url, '/projection')).body as { lagMs?: number },
      (seen) => seen.lagMs !== undefined,
    );
    expect(lagMs).to.be.at.least(0);
  });
});

/** Reads Server-Sent Events. */
class Follower {
  readonly seen: { id: string; event: string; data: string }[] = [];
  readonly ended: Promise<void>;
  #taken = 0;
  #wake: (() => void) | undefined;

  private constructor(
    private readonly abort: AbortController,
    body: ReadableStream<Uint8Array>,
  ) {
    this.ended = this.#read(body).catch(() => undefined);
  }

  /** Resolves when the server follows. */
  static async open(url: string, headers: Record<string, string> = {}): Promise<Follower> {
    const abort = new AbortController();
    const response = await fetch(url, { headers, signal: abort.signal });
    expect(response.status).to.equal(200);
    expect(response.headers.get('content-type')).to.match(/^text\/event-stream/);
    return new Follower(abort, response.body!);
  }

  async next(count: number) {
    while (this.seen.length < this.#taken + count)
      await new Promise<void>((resolve) => (this.#wake = resolve));
    return this.seen.slice(this.#taken, (this.#taken += count));
  }

  close(): void {
    this.abort.abort();
  }

  async #read(body: ReadableStream<Uint8Array>): Promise<void> {
    let text = '';
    const decoder = new TextDecoder();
    for await (const chunk of body) {
      text += decoder.decode(chunk, { stream: true });
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const [, id, event, data] = /^id: (.*)\nevent: (.*)\ndata: (.*)$/.exec(text.slice(0, end)) ?? [];
        text = text.slice(end + 2);
        if (id !== undefined) this.seen.push({ id, event: event!, data: data! });
        this.#wake?.();
      }
    }
  }
}
