import { expect } from 'chai';
import { runApi, type RunningApi } from '../running-api.js';

const order = {
  title: 'Airports',
  source: { kind: 'csv', key: 'datasets/airports.csv' },
  format: 'pdf',
  chart: { label: 'state', value: 'count' },
  notify: 'ada@example.org',
};

interface Refused {
  error: { code: string; message: string };
  fields?: { path: string; message: string }[];
}

describe('POST /reports', () => {
  let api: RunningApi;
  before(async () => {
    api = await runApi();
  });
  after(() => api.stop());

  const post = (body: unknown, headers: Record<string, string> = {}) =>
    fetch(`${api.url}/reports`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });

  it('enqueues the report and answers 202 with the job and where the report will be', async () => {
    const response = await post(order);
    expect(response.status).to.equal(202);
    const { jobs, outputKey } = (await response.json()) as {
      jobs: { id: string; contract: string }[];
      outputKey: string;
    };
    expect(jobs).to.have.length(1);
    expect(jobs[0]!.contract).to.equal('report.build');
    expect(outputKey).to.match(/^reports\/[0-9a-f-]{36}\.pdf$/);
    const message = await api.take('reports');
    if (!message) throw new Error('no job on queue reports');
    expect(message.properties).to.include({ messageId: jobs[0]!.id, type: 'report.build', deliveryMode: 2 });
    expect(JSON.parse(message.content.toString())).to.deep.equal({ ...order, outputKey });
  });

  describe('refuses', () => {
    afterEach('and enqueues nothing', async () => {
      expect(await api.take('reports')).to.equal(false);
    });

    const refused: [name: string, body: unknown, paths: string[]][] = [
      [
        'what the contract does not take, naming each field',
        { ...order, title: '', format: 'docx' },
        ['title', 'format'],
      ],
      ['a nested field', { ...order, source: { kind: 'postgres', query: 'select 1' } }, ['source.query']],
      ['an empty object', {}, ['title', 'source', 'format']],
      ['a list', [order], ['']],
      ['an output key of the caller', { ...order, outputKey: 'users/1/avatar.jpg' }, ['outputKey']],
      [
        'a source that climbs',
        { ...order, source: { kind: 'csv', key: '../../etc/passwd' } },
        ['source.key'],
      ],
      ['a format that climbs', { ...order, format: '/../../x' }, ['format']],
    ];
    for (const [name, body, paths] of refused) {
      it(`${name}: 400`, async () => {
        const response = await post(body);
        expect(response.status).to.equal(400);
        const { error, fields } = (await response.json()) as Refused;
        expect(error.code).to.equal('FIELDS_INVALID');
        expect(fields?.map(({ path }) => path)).to.deep.equal(paths);
      });
    }

    const unreadable: [
      name: string,
      body: string,
      headers: Record<string, string>,
      status: number,
      code: string,
    ][] = [
      ['a body that is no JSON', '{"title":', {}, 400, 'BODY_NOT_JSON'],
      ['a body that is a JSON text', '"x"', {}, 400, 'BODY_NOT_JSON'],
      ['a body that is too large', `{"title":"${'x'.repeat(200_000)}"}`, {}, 413, 'BODY_TOO_LARGE'],
      ['another media type', 'title=x', { 'content-type': 'text/plain' }, 415, 'MEDIA_TYPE_UNSUPPORTED'],
      [
        'another charset',
        '{}',
        { 'content-type': 'application/json; charset=klingon' },
        415,
        'MEDIA_TYPE_UNSUPPORTED',
      ],
      ['an unknown encoding', '{}', { 'content-encoding': 'zip' }, 415, 'MEDIA_TYPE_UNSUPPORTED'],
      ['a broken encoding', '{}', { 'content-encoding': 'gzip' }, 400, 'REQUEST_MALFORMED'],
    ];
    for (const [name, body, headers, status, code] of unreadable) {
      it(`${name}: ${status}`, async () => {
        const response = await post(body, headers);
        expect(response.status).to.equal(status);
        expect(((await response.json()) as Refused).error.code).to.equal(code);
      });
    }
  });

  describe('other requests', () => {
    it('for an unknown path: 404', async () => {
      const response = await fetch(`${api.url}/nothing`);
      expect(response.status).to.equal(404);
      expect(((await response.json()) as Refused).error.code).to.equal('NOT_FOUND');
    });

    for (const [method, path] of [
      ['GET', '/users'],
      ['DELETE', '/reports'],
    ]) {
      it(`${method} ${path}: 405 with the methods there are`, async () => {
        const response = await fetch(`${api.url}${path}`, { method: method! });
        expect(response.status).to.equal(405);
        expect(response.headers.get('allow')).to.equal('POST');
        expect(((await response.json()) as Refused).error.code).to.equal('METHOD_NOT_ALLOWED');
      });
    }

    it('with a malformed path: 404, and no stack', async () => {
      const response = await fetch(`${api.url}/%ff`);
      expect(response.status).to.equal(404);
      expect(await response.text()).not.to.match(/node_modules|\bat /);
    });

    it('for health: live and ready', async () => {
      for (const path of ['/health/live', '/health/ready']) {
        expect((await fetch(`${api.url}${path}`)).status).to.equal(200);
      }
      expect((await fetch(`${api.url}/health/ready`)).headers.get('x-powered-by')).to.equal(null);
    });
  });
});
