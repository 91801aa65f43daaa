import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { expect } from 'chai';
import { answersAmqp } from '../../answers.mjs';
import { findRabbitmqServer } from '../../rabbitmq-installed.mjs';
import { startRabbitmq } from '../../rabbitmq.mjs';
import { comesTrue, isGone, processesNaming } from '../process-watch.mjs';
/** @import { Rabbitmq } from '../../rabbitmq.mjs' */

describe('a private RabbitMQ', function () {
  this.timeout(120_000);
  this.slow(60_000);

  before(async function () {
    const wanted = ['any', 'installed'].includes(process.env.JOBRAIL_BROKER ?? 'any');
    if (!process.env.CI && !(wanted && (await findRabbitmqServer()))) this.skip();
  });

  describe('with management', () => {
    /** @type {Rabbitmq} */
    let broker;
    before(
      async () =>
        (broker = await startRabbitmq({ management: true, config: ['management.rates_mode = none'] })),
    );
    after(() => broker.stop());

    it('answers on ports of its own, on the loopback interface only', async () => {
      const ports = [broker.url, broker.managementUrl, broker.prometheusUrl].map((url) =>
        Number(new URL(url ?? '').port),
      );
      expect(new Set(ports)).to.have.lengthOf(3);
      expect(ports).to.not.include(5672);
      expect(await answersAmqp(ports[0] ?? 0)).to.equal(true);
      const outside = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
      for (const { address } of outside.filter(({ internal, family }) => !internal && family === 'IPv4')) {
        for (const port of ports) expect(await accepts(address, port), `${address}:${port}`).to.equal(false);
      }
    });

    it('takes more configuration', async () => {
      expect(await api(broker, 'GET', 'overview')).to.include({ rates_mode: 'none' });
    });

    it('has metrics', async () => {
      const metrics = await fetch(broker.prometheusUrl ?? '');
      expect(await metrics.text()).to.include('rabbitmq_build_info');
    });

    it('keeps its data and its ports through a crash and through a shutdown', async () => {
      const { url } = broker;
      await api(broker, 'PUT', 'queues/%2F/survivor', {
        durable: true,
        arguments: { 'x-queue-type': 'quorum' },
      });
      await broker.kill();
      expect(broker.pid).to.equal(undefined);
      await broker.start();
      expect(await api(broker, 'GET', 'queues/%2F/survivor')).to.include({ name: 'survivor', durable: true });
      await broker.stop({ keepData: true });
      await broker.start();
      await broker.start();
      expect(await api(broker, 'GET', 'queues/%2F/survivor')).to.include({ name: 'survivor', durable: true });
      expect(broker.url).to.equal(url);
    });

    it('is gone after stop, with its port mapper and its folder', async () => {
      const folder = broker.folder ?? '';
      expect(processesNaming(folder)).to.have.lengthOf.at.least(2);
      await broker.stop();
      await broker.stop();
      expect(await comesTrue(() => processesNaming(folder).length === 0)).to.equal(true);
      expect(existsSync(folder)).to.equal(false);
    });
  });

  it('is gone when its owner is killed', async () => {
    const script = `
      import { startRabbitmq } from '${new URL('../../rabbitmq.mjs', import.meta.url).href}';
      console.log((await startRabbitmq()).folder);
      process.stdin.resume();`;
    const owner = spawn(process.execPath, ['--input-type=module', '--eval', script], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let folder = '';
    for await (const chunk of owner.stdout) {
      folder += chunk;
      if (folder.endsWith('\n')) break;
    }
    folder = folder.trim();
    expect(processesNaming(folder)).to.have.lengthOf.at.least(2);
    owner.kill('SIGKILL');
    expect(await comesTrue(() => processesNaming(folder).length === 0), 'processes').to.equal(true);
    expect(await comesTrue(isGone(folder)), 'folder').to.equal(true);
  });

  it('that does not start says what the broker said, and leaves nothing', async () => {
    const failure = await startRabbitmq({ config: ['no.such.setting = 1'] }).catch(
      (/** @type {unknown} */ error) => error,
    );
    expect(failure)
      .to.be.an('error')
      .with.property('message')
      .that.matches(/did not start: it ended while booting/)
      .and.includes('no.such.setting');
  });
});

/**
 * @param {Rabbitmq} broker
 * @param {string} method
 * @param {string} path
 * @param {object} [body]
 * @returns {Promise<unknown>}
 */
async function api(broker, method, path, body) {
  const { origin, username, password } = new URL(broker.managementUrl ?? '');
  const response = await fetch(`${origin}/api/${path}`, {
    method,
    headers: { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` },
    body: body && JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  return response.status === 200 ? response.json() : undefined;
}

/**
 * @param {string} host
 * @param {number} port
 * @returns {Promise<boolean>}
 */
function accepts(host, port) {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
