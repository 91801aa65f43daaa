import { expect } from 'chai';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { rejection } from '../contract/rejection.js';
import { useStage } from './stage.js';
import { gate, lone, working } from './working.js';

describe('health endpoints', () => {
  const stage = useStage();

  async function freePort(): Promise<number> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    return port;
  }

  async function ask(port: number, path: string) {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { connection: 'close' } });
    expect(response.headers.get('content-type')).to.equal('application/json');
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  }

  it('live and ready answer 200 while the consumers are registered; any other path 404', async () => {
    const port = await freePort();
    await stage.start({
      handlers: [working(lone('health-a'), () => undefined), working(lone('health-b'), () => undefined)],
      health: { port, host: '127.0.0.1' },
    });
    expect(await ask(port, '/health/live')).to.deep.equal({ status: 200, body: { ok: true } });
    expect(await ask(port, '/health/ready?verbose=1')).to.deep.equal({
      status: 200,
      body: { ok: true, state: 'running', consumers: { 'health-a': true, 'health-b': true } },
    });
    const other = await ask(port, '/health');
    expect(other.status).to.equal(404);
    expect(other.body).to.have.property('error').that.includes('/health/live');
  });

  it('ready answers 503 while the service drains, live still 200, and nothing answers afterwards', async () => {
    const port = await freePort();
    const contract = lone('health-drain');
    const { opened, open } = gate();
    const service = await stage.start({
      handlers: [working(contract, () => opened)],
      health: { port, host: '127.0.0.1' },
    });
    await stage.client.enqueue(contract, { note: '' });
    await stage.signals.first({ what: 'began' });
    const stopping = service.stop();
    const ready = await ask(port, '/health/ready');
    expect(ready.status).to.equal(503);
    expect(ready.body).to.deep.include({ ok: false, state: 'stopping' });
    expect((await ask(port, '/health/live')).status).to.equal(200);
    open();
    await stopping;
    expect((await rejection(fetch(`http://127.0.0.1:${port}/health/live`))).message).to.match(/fetch failed/);
  });

  it('on a port that is taken is an error at start, and nothing stays open', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    const service = stage.service({
      handlers: [working(lone('health-taken'), () => undefined)],
      health: { port, host: '127.0.0.1' },
    });
    const error = await rejection(service.start());
    taken.close();
    await once(taken, 'close');
    expect(error.message).to.match(/EADDRINUSE/);
    expect(service.state).to.equal('stopped');
  });
});
