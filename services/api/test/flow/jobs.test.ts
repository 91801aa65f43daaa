import { expect } from 'chai';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { runApi, type RunningApi } from '../running-api.js';

/** Answers as the monitor does; `services/monitor` has the test of the two together. */
const records: Record<string, object> = {
  'job-1': {
    ...{
      id: 'job-1',
      contract: 'report.build',
      queue: 'reports',
      state: 'retrying',
      attempts: 2,
      replays: 0,
    },
    ...{ updatedAt: 3, enqueuedAt: 1, startedAt: 2, nextAt: 9, payload: { notify: 'ada@example.org' } },
    error: { name: 'Error', message: 'password=hunter2', fingerprint: '0123456789ab' },
  },
};

describe('GET /jobs/:id', () => {
  let api: RunningApi;
  const monitor = createServer((request, response) => {
    const id = decodeURIComponent(request.url!.slice('/jobs/'.length));
    const record = Object.hasOwn(records, id) ? records[id] : undefined;
    response.writeHead(record ? 200 : 404, { 'content-type': 'application/json' });
    response.end(JSON.stringify(record ?? { error: { code: 'JOB_UNKNOWN', message: 'No such job.' } }));
  });
  before(async () => {
    monitor.listen(0, '127.0.0.1');
    await once(monitor, 'listening');
    api = await runApi({ monitor: `http://127.0.0.1:${(monitor.address() as AddressInfo).port}` });
  });
  after(async () => {
    await api.stop();
    if (monitor.listening) await new Promise((resolve) => monitor.close(resolve));
  });

  it('tells the state of a job, and neither payload nor error', async () => {
    const response = await fetch(`${api.url}/jobs/job-1`);
    expect(response.status).to.equal(200);
    expect(await response.json()).to.deep.equal({
      ...{ id: 'job-1', contract: 'report.build', state: 'retrying', attempts: 2 },
      ...{ enqueuedAt: 1, startedAt: 2, nextAt: 9 },
    });
  });

  it('answers 404 for a job that is not known, however it is called', async () => {
    for (const id of ['none', '..%2Fqueues', '%00', '__proto__', 'x'.repeat(2_000)]) {
      expect((await fetch(`${api.url}/jobs/${id}`)).status, id).to.equal(404);
    }
    expect((await fetch(`${api.url}/jobs/job-1`, { method: 'DELETE' })).status).to.equal(405);
  });

  it('answers 503 when the monitor is away', async () => {
    monitor.closeAllConnections();
    await new Promise((resolve) => monitor.close(resolve));
    const response = await fetch(`${api.url}/jobs/job-1`);
    expect(response.status).to.equal(503);
    expect(((await response.json()) as { error: { code: string } }).error.code).to.equal(
      'STATUS_UNAVAILABLE',
    );
  });
});
