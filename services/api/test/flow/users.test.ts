import { type IncomingMessage, request as httpRequest } from 'node:http';
import { once } from 'node:events';
import { buffer } from 'node:stream/consumers';
import { expect } from 'chai';
import { pixel, userForm } from '../user-form.js';
import { runApi, type RunningApi } from '../running-api.js';

const uploadLimitBytes = 100_000;

interface Accepted {
  userId: string;
  jobs: { id: string; contract: string }[];
  pictures: string[];
}

describe('POST /users', () => {
  let api: RunningApi;
  before(async () => {
    api = await runApi({ uploadLimitBytes });
  });
  after(() => api.stop());

  const post = (body: FormData) => fetch(`${api.url}/users`, { method: 'POST', body });

  it('stores the avatar, enqueues its resizing and the welcome mail, and answers 202 with their ids', async () => {
    const response = await post(userForm({ name: '  Ada <b>Lovelace</b> ' }));
    expect(response.status).to.equal(202);
    const { userId, jobs, pictures } = (await response.json()) as Accepted;
    expect(jobs.map(({ contract }) => contract)).to.deep.equal(['media.resize', 'email.send']);

    const resize = await api.take('media');
    if (!resize) throw new Error('no job on queue media');
    expect(resize.properties).to.include({
      messageId: jobs[0]!.id,
      type: 'media.resize',
      contentType: 'application/json',
      deliveryMode: 2,
      appId: 'api',
    });
    const payload = JSON.parse(resize.content.toString()) as {
      key: string;
      outputPrefix: string;
      variants: { name: string; format: string }[];
    };
    expect(payload).to.include({
      key: `uploads/${userId}/avatar.png`,
      outputPrefix: `users/${userId}/avatar`,
    });
    expect(pictures).to.have.length(payload.variants.length);
    expect(pictures[0]).to.equal(`users/${userId}/avatar/small.webp`);
    expect((await buffer(await api.read(payload.key))).equals(pixel)).to.equal(true);

    const welcome = await api.take('email');
    if (!welcome) throw new Error('no job on queue email');
    expect(welcome.properties).to.include({ messageId: jobs[1]!.id, type: 'email.send' });
    expect(JSON.parse(welcome.content.toString())).to.deep.equal({
      to: 'ada@example.org',
      template: 'welcome',
      data: { name: 'Ada <b>Lovelace</b>', loginUrl: 'https://app.example/login' },
    });
  });

  it('takes many at once, each with its own files and jobs', async () => {
    const responses = await Promise.all(Array.from({ length: 30 }, () => post(userForm())));
    const answers = (await Promise.all(responses.map((response) => response.json()))) as Accepted[];
    expect(responses.every(({ status }) => status === 202)).to.equal(true);
    const sent = new Set<unknown>();
    for (const queue of ['media', 'email']) {
      for (let message = await api.take(queue); message; message = await api.take(queue)) {
        sent.add(message.properties.messageId);
      }
    }
    expect(sent).to.deep.equal(new Set(answers.flatMap(({ jobs }) => jobs.map(({ id }) => id))));
    expect(new Set(answers.map(({ userId }) => userId)).size).to.equal(30);
  });

  it('takes an avatar of exactly the limit', async () => {
    expect((await post(userForm({ avatar: png(uploadLimitBytes) }))).status).to.equal(202);
    expect(await api.take('media')).not.to.equal(false);
    expect(await api.take('email')).not.to.equal(false);
  });

  describe('refuses', () => {
    let before: string[];
    beforeEach(async () => {
      before = await api.storedKeys();
    });
    afterEach('and leaves neither a file nor a job', async () => {
      expect(await api.storedKeys()).to.deep.equal(before);
      expect(await api.take('media')).to.equal(false);
      expect(await api.take('email')).to.equal(false);
    });

    it('fields that the contracts do not take, naming each: 400', async () => {
      const response = await post(userForm({ email: 'no address', name: '  ', avatar: undefined }));
      expect(response.status).to.equal(400);
      const { error, fields } = (await response.json()) as {
        error: { code: string };
        fields: { path: string; message: string }[];
      };
      expect(error.code).to.equal('FIELDS_INVALID');
      expect(fields.map(({ path }) => path)).to.deep.equal(['email', 'name', 'avatar']);
      for (const { message } of fields) expect(message).to.match(/\w/);
    });

    it('a good avatar with bad fields: 400', async () => {
      expect((await post(userForm({ email: `${'a'.repeat(300)}@example.org` }))).status).to.equal(400);
    });

    for (const [name, form] of [
      [
        'a file in another field',
        extended((form) => form.set('cv', new File(['x'], 'cv.png', { type: 'image/png' }))),
      ],
      [
        'a second avatar',
        extended((form) => form.append('avatar', new File([pixel], 'b.png', { type: 'image/png' }))),
      ],
      ['nested fields', extended((form) => form.set('a[b]', 'x'))],
      ['a field of 20 kB', userForm({ name: 'x'.repeat(20_000) })],
      ['too many fields', extended((form) => Array.from({ length: 30 }, (_, i) => form.set(`f${i}`, 'x')))],
    ] as const) {
      it(`${name}: 400`, async () => {
        const response = await post(form);
        expect(response.status).to.equal(400);
        expect(await response.json()).to.have.nested.property('error.code', 'FIELDS_INVALID');
      });
    }

    it('an avatar beyond the limit, by what is announced: 413', async () => {
      const response = await post(userForm({ avatar: png(1_000_000) }));
      expect(response.status).to.equal(413);
      expect(await response.json()).to.have.nested.property('error.code', 'UPLOAD_TOO_LARGE');
    });

    it('an announced avatar beyond the limit without waiting for it: 413', async () => {
      const request = httpRequest(`${api.url}/users`, {
        method: 'POST',
        headers: { 'content-type': 'multipart/form-data; boundary=edge', 'content-length': 2 ** 40 },
      });
      request.on('error', () => undefined);
      request.write(partHead('edge'));
      const [response] = (await once(request, 'response')) as [IncomingMessage];
      expect(response.statusCode).to.equal(413);
      request.destroy();
    });

    it('an avatar of one byte beyond the limit: 413', async () => {
      const response = await post(userForm({ avatar: png(uploadLimitBytes + 1) }));
      expect(response.status).to.equal(413);
    });

    it('an avatar beyond the limit whose size is not announced: 413', async () => {
      const boundary = 'edge';
      const request = httpRequest(`${api.url}/users`, {
        method: 'POST',
        headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
      });
      request.write(partHead(boundary));
      for (let i = 0; i < 50; i++) request.write(Buffer.alloc(65_536));
      request.end(`\r\n--${boundary}--\r\n`);
      const [response] = (await once(request, 'response')) as [IncomingMessage];
      expect(response.statusCode).to.equal(413);
      response.resume();
      await once(response, 'end');
    });

    it('an avatar of another type than a picture: 415', async () => {
      const response = await post(
        userForm({ avatar: new File(['%PDF'], 'a.png', { type: 'application/pdf' }) }),
      );
      expect(response.status).to.equal(415);
      expect(await response.json())
        .to.have.nested.property('error.message')
        .that.includes('application/pdf');
    });

    it('a body that is no form: 415', async () => {
      const response = await fetch(`${api.url}/users`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{}',
      });
      expect(response.status).to.equal(415);
    });

    for (const [name, type, body] of [
      ['that has no boundary', 'multipart/form-data', 'x'],
      ['that breaks off', 'multipart/form-data; boundary=edge', partHead('edge') + 'half a pict'],
      ['that is garbage', 'multipart/form-data; boundary=edge', '--edge\r\ngarbage'],
    ] as const) {
      it(`a form ${name}: 400`, async () => {
        const response = await fetch(`${api.url}/users`, {
          method: 'POST',
          headers: { 'content-type': type },
          body,
        });
        expect(response.status).to.equal(400);
        expect(await response.json()).to.have.nested.property('error.code', 'FORM_MALFORMED');
      });
    }

    it('nobody, when the caller leaves in the middle of the upload', async () => {
      const request = httpRequest(`${api.url}/users`, {
        method: 'POST',
        headers: { 'content-type': 'multipart/form-data; boundary=edge', 'content-length': 90_000 },
      });
      request.on('error', () => undefined);
      request.write(partHead('edge') + 'x'.repeat(30_000));
      await new Promise((resolve) => request.write('x', resolve));
      request.destroy();
      await api.log.next('the caller left before the request was read');
    });
  });
});

function png(bytes: number): File {
  return new File([Buffer.alloc(bytes)], 'a.png', { type: 'image/png' });
}

function extended(change: (form: FormData) => unknown): FormData {
  const form = userForm();
  change(form);
  return form;
}

function partHead(boundary: string): string {
  return (
    `--${boundary}\r\ncontent-disposition: form-data; name="avatar"; filename="a.png"\r\n` +
    'content-type: image/png\r\n\r\n'
  );
}
