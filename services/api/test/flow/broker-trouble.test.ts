import { expect } from 'chai';
import { BrokerLine } from '../broker-line.js';
import { freePort } from '../free-port.js';
import { runApi, type RunningApi } from '../running-api.js';
import { userForm } from '../user-form.js';

const report = {
  title: 'Airports',
  source: { kind: 'csv', key: 'datasets/airports.csv' },
  format: 'csv',
};

const postUser = (api: RunningApi) => fetch(`${api.url}/users`, { method: 'POST', body: userForm() });
const postReport = (api: RunningApi) =>
  fetch(`${api.url}/reports`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(report),
  });

describe('An API whose broker', () => {
  describe('cannot be reached', () => {
    let api: RunningApi;
    let port: number;
    before(async () => {
      port = await freePort();
      api = await runApi({ clientUrl: `amqp://guest:secret@127.0.0.1:${port}` });
    });
    after(() => api.stop());

    for (const [path, post] of [
      ['/users', postUser],
      ['/reports', postReport],
    ] as const) {
      it(`answers POST ${path} with 503 and when to try again, and tells nothing of the inside`, async () => {
        const response = await post(api);
        expect(response.status).to.equal(503);
        expect(response.headers.get('retry-after')).to.equal('5');
        const body = await response.text();
        expect(JSON.parse(body)).to.have.nested.property('error.code', 'QUEUE_UNAVAILABLE');
        expect(body).not.to.include(String(port)).and.not.include('secret');
      });
    }

    it('keeps no avatar that no job will come for', async () => {
      expect(await api.storedKeys()).to.deep.equal([]);
    });

    it('is alive but not ready', async () => {
      expect((await fetch(`${api.url}/health/live`)).status).to.equal(200);
      const ready = await fetch(`${api.url}/health/ready`);
      expect(ready.status).to.equal(503);
      expect(await ready.json()).to.deep.equal({ ok: false, broker: 'not connected' });
    });

    it('logs the reason with its stack, and no password', async () => {
      const line = await api.log.next('a request failed');
      expect(line).to.have.nested.property('err.stack').that.includes(String(port));
      expect(JSON.stringify(api.log.all)).not.to.include('secret');
    });
  });

  describe('gets the job but cannot confirm it', () => {
    let api: RunningApi;
    let line: BrokerLine;
    before(async () => {
      line = new BrokerLine(process.env['AMQP_URL'] ?? 'amqp://127.0.0.1');
      api = await runApi({ clientUrl: await line.open() });
      // Declares the queues, while the line is good.
      expect((await postUser(api)).status).to.equal(202);
      line.goDead();
    });
    after(async () => {
      await line.close();
      await api.stop();
    });

    it('answers 503, says that the job may run, and keeps the avatar for it', async () => {
      const kept = await api.storedKeys();
      const response = await postUser(api);
      expect(response.status).to.equal(503);
      expect(response.headers.get('retry-after')).to.equal('5');
      expect(await response.json()).to.have.nested.property('error.code', 'JOB_UNCONFIRMED');
      expect(await api.storedKeys()).to.have.length(kept.length + 1);
    });
  });
});
