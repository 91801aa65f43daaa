import { expect } from 'chai';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SendEmail } from '@jobrail/email/jobs';
import type { HeartbeatEvent } from 'jobrail/events';
import { type AlertGroup, AlertWebhook } from '../../src/jobs.js';
import { ask, jobId, MonitorStage, until } from '../running-monitor.js';
import { useStore } from '../store-corner.js';
import { storyOf, Telling } from '../told.js';

const secret = 'a secret between two';

describe('alerts', () => {
  const store = useStore();
  let stage: MonitorStage;
  let receiver: Receiver;
  let telling: Telling;

  beforeEach(async () => {
    stage = await MonitorStage.open(store);
    receiver = await Receiver.open();
    stage.atEnd(() => receiver.close());
    telling = new Telling();
  });
  afterEach(() => stage.end(AlertWebhook, SendEmail));

  const start = (rules: object[], environment: Record<string, string> = {}) =>
    stage.start({
      ALERT_RULES: JSON.stringify(rules),
      ALERT_EVERY: '50ms',
      ALERT_REPEAT: '1h',
      ALERT_WEBHOOK_URL: `${receiver.url}/hook`,
      ALERT_WEBHOOK_SECRET: secret,
      ...environment,
    });
  const die = (queue: string, count: number) =>
    telling.tell(
      queue,
      Array.from({ length: count }, () => storyOf(jobId(), { queue, at: Date.now() }).dead()),
    );

  it('reach a webhook, signed, those of one look together, and once', async () => {
    const { url } = await start([{ rule: 'dead-letters', above: 1, within: '5m' }]);
    die('email', 2);
    die('media', 3);
    die('reports', 1);
    await stage.publish(telling);
    const { path, headers, body } = await receiver.next();
    expect(path).to.equal('/hook');
    const expected = createHmac('sha256', secret).update(`${String(headers['x-jobrail-timestamp'])}.${body}`);
    expect(headers['x-jobrail-signature']).to.equal(`sha256=${expected.digest('hex')}`);
    const told = JSON.parse(body) as AlertGroup;
    const more =
      told.firing.length < 2 ? (JSON.parse((await receiver.next()).body) as AlertGroup).firing : [];
    expect([...told.firing, ...more].map(({ id, value, text }) => [id, value, text])).to.have.deep.members([
      ['dead-letters:email', 2, '2 jobs of queue "email" became dead letters within 5 minutes'],
      ['dead-letters:media', 3, '3 jobs of queue "media" became dead letters within 5 minutes'],
    ]);
    // Looked at many times more: nothing new.
    const { length } = receiver.all;
    await until(async () => (await ask(url, '/projection')).body as { nextOffset: number }, ({ nextOffset }) => nextOffset > 4); // prettier-ignore
    expect(receiver.all).to.have.length(length);
    const shown = (await ask(url, '/alerts')).body as { rule: string; toldAt?: number }[];
    expect(shown.map(({ rule }) => rule)).to.deep.equal(['dead-letters', 'dead-letters']);
    expect(shown.every(({ toldAt }) => toldAt !== undefined)).to.equal(true);
  });

  it('tell when it is over, also from another replica and after the receiver was away', async () => {
    const waiting = storyOf(jobId(), { queue: 'reports', at: Date.now() - 3_600_000 });
    telling.tell('api', [waiting.enqueued()]);
    await stage.publish(telling);
    receiver.refuse(1);
    const { monitor } = await start([{ rule: 'oldest-age', above: '10m', queue: 'reports' }]);
    const refused = await receiver.next();
    const again = await receiver.next();
    expect(again.body).to.equal(refused.body);
    expect((JSON.parse(again.body) as AlertGroup).firing[0]).to.include({
      id: 'oldest-age:reports',
      text: 'a job of queue "reports" has waited for 60 minutes',
    });
    await monitor.stop();
    const second = await start([{ rule: 'oldest-age', above: '10m', queue: 'reports' }]);
    telling.tell('reports', [waiting.completed()]);
    await stage.publish(telling);
    const over = JSON.parse((await receiver.next()).body) as AlertGroup;
    expect(over.firing).to.deep.equal([]);
    expect(over.resolved[0]).to.include({ id: 'oldest-age:reports', rule: 'oldest-age' });
    const [alert] = (await ask(second.url, '/alerts')).body as { resolvedAt?: number }[];
    expect(alert!.resolvedAt).to.be.a('number');
  });

  it('go to Slack as text without mentions, and to e-mail as a job of the email service', async () => {
    await start([{ rule: 'failure-rate', above: 0.4, atLeast: 4 }], {
      ALERT_WEBHOOK_URL: '',
      ALERT_SLACK_URL: `${receiver.url}/slack`,
      ALERT_EMAIL: 'ops@example.com, dev@example.com',
    });
    const queue = '<!channel> & co';
    const story = () => storyOf(jobId(), { queue, at: Date.now() });
    telling.tell('x', [story().retried(), story().retried(), story().completed(), story().completed()]);
    await stage.publish(telling);
    const { path, body } = await receiver.next();
    expect(path).to.equal('/slack');
    const { text } = JSON.parse(body) as { text: string };
    expect(text).to.match(/^\*Jobrail: 50 % of 4 attempts/);
    expect(text).to.include('&lt;!channel&gt; &amp; co').and.not.include('<!channel>');
    const mails = [await stage.take('email.p2', 'email'), await stage.take('email.p2', 'email')];
    expect(mails.map(({ to }) => to)).to.deep.equal(['ops@example.com', 'dev@example.com']);
    expect(mails[0]).to.deep.include({ template: 'alert' });
  });

  it('see depth, queues without a consumer, and know that all is well with one', async () => {
    await stage.rail.client.enqueueMany(
      SendEmail,
      Array.from({ length: 3 }, () => ({ to: 'ada@example.com', template: 'welcome' as const, data: {} })),
    );
    await start([
      { rule: 'depth', above: 2 },
      { rule: 'no-consumer' },
      { rule: 'depth', above: 10, queue: 'alerts' },
    ]);
    const seen = new Map<string, number>();
    while (seen.size < 2) {
      for (const { id, value } of (JSON.parse((await receiver.next()).body) as AlertGroup).firing)
        seen.set(id, value);
    }
    expect(Object.fromEntries(seen)).to.deep.equal({ 'depth:email': 3, 'no-consumer:email': 3 });
  });

  it('tell that the records are behind, by how long the events of the monitor itself are on their way', async () => {
    await start([{ rule: 'projection-lag', above: '0ms' }]);
    const { firing } = JSON.parse((await receiver.next()).body) as AlertGroup;
    expect(firing).to.have.length(1);
    expect(firing[0]).to.include({ id: 'projection-lag:projection', rule: 'projection-lag' });
    expect(firing[0]!.value).to.be.above(0);
  });

  it('list workers, and tell which are gone', async () => {
    const { url } = await start([]);
    const beat = (at: number): HeartbeatEvent => ({
      ...{ kind: 'heartbeat', at, startedAt: at - 1_000, version: '0.1.0', state: 'running' },
      queues: [{ name: 'email', concurrency: 5, prefetch: 10, running: 1, held: 2, ready: true }],
      ...{ eventLoopLagMs: 1.5, rssBytes: 100_000_000 },
    });
    telling.tell('email', [beat(Date.now() + 7_200_000)]);
    await stage.publish(telling);
    const workers = await until(
      async () =>
        (await ask(url, '/workers')).body as { service: string; gone: boolean; clockSkewMs: number }[],
      (list) => list.some(({ service }) => service === 'email'),
    );
    const worker = workers.find(({ service }) => service === 'email')!;
    expect(worker.gone).to.equal(false);
    expect(worker.clockSkewMs).to.be.closeTo(7_200_000, 60_000);
  });
});

interface Received {
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
}

/** An HTTP server that takes what it gets. */
class Receiver {
  readonly all: Received[] = [];
  #taken = 0;
  #refusals = 0;
  #wake: (() => void) | undefined;
  readonly #server = createServer((request, response) => {
    let body = '';
    request.on('data', (text: Buffer) => (body += text.toString()));
    request.on('end', () => {
      response.writeHead(this.#refusals-- > 0 ? 503 : 200).end();
      this.all.push({ path: request.url!, headers: request.headers, body });
      this.#wake?.();
    });
  });

  static async open(): Promise<Receiver> {
    const receiver = new Receiver();
    receiver.#server.listen(0, '127.0.0.1');
    await once(receiver.#server, 'listening');
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Answers 503 so many times. */
  refuse(times: number): void {
    this.#refusals = times;
  }

  async next(): Promise<Received> {
    while (this.all.length <= this.#taken) await new Promise<void>((resolve) => (this.#wake = resolve));
    return this.all[this.#taken++]!;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
