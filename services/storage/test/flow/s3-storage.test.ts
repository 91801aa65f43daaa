import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3';
import S3rver from '@20minutes/s3rver';
import { expect } from 'chai';
import { openStorage, S3Storage } from '../../src/index.js';
import { failureOf, failuresOf } from '../failure-of.js';
import { storageContract } from '../storage-contract.js';

/** The one account that the server knows; it checks the signature of each request. */
const account = { AWS_ACCESS_KEY_ID: 'S3RVER', AWS_SECRET_ACCESS_KEY: 'S3RVER' };
const bucket = 'files';

describe('S3Storage', () => {
  let directory: string;
  let server: S3rver;
  let endpoint: string;
  let requests: string[];
  let environment: NodeJS.ProcessEnv;

  before(async () => {
    environment = { ...process.env };
    Object.assign(process.env, account);
    directory = await mkdtemp(join(tmpdir(), 's3-storage-'));
    server = new S3rver({
      address: '127.0.0.1',
      port: 0,
      silent: true,
      directory,
      vhostBuckets: false,
      configureBuckets: [{ name: bucket }],
    });
    endpoint = `http://127.0.0.1:${(await server.run()).port}`;
    server.httpServer.on('request', ({ method, url }) => requests.push(`${method} ${url}`));
  });
  beforeEach(() => {
    requests = [];
  });
  after(async () => {
    process.env = environment;
    const closed = server.close();
    server.httpServer.closeAllConnections();
    await closed;
    await rm(directory, { recursive: true });
  });

  const urlOf = (bucketAndPrefix: string, at = endpoint) =>
    `s3://${bucketAndPrefix}?endpoint=${encodeURIComponent(at)}&forcePathStyle=true`;

  storageContract(() => openStorage(urlOf(`${bucket}/${randomUUID()}`)));

  it('keeps objects below the prefix, with their content type', async () => {
    const prefix = randomUUID();
    await openStorage(urlOf(`${bucket}/${prefix}/deep`)).put('a/b.webp', 'pixels', {
      contentType: 'image/webp',
    });
    const client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true });
    const object = await client.send(
      new GetObjectCommand({ Bucket: bucket, Key: `${prefix}/deep/a/b.webp` }),
    );
    expect(object.ContentType).to.equal('image/webp');
    expect(await object.Body?.transformToString()).to.equal('pixels');
  });

  it('needs no prefix', async () => {
    const key = `${randomUUID()}/a`;
    await openStorage(urlOf(bucket)).put(key, 'x');
    expect(await text(await openStorage(urlOf(bucket)).get(key))).to.equal('x');
  });

  it('aborts the upload of a source that fails after several parts', async () => {
    const source = Readable.from(
      (function* () {
        for (let i = 0; i < 20; i++) yield Buffer.alloc(1024 * 1024);
        throw new Error('source broke');
      })(),
    );
    const error = await failureOf(openStorage(urlOf(bucket)).put('aborted', source));
    expect(error.message).to.equal('source broke');
    expect(requests.some((request) => /^PUT .*uploadId=/.test(request))).to.equal(true);
    expect(requests.some((request) => /^DELETE .*uploadId=/.test(request))).to.equal(true);
    expect(requests.some((request) => /^POST .*uploadId=/.test(request))).to.equal(false);
  });

  it('removes the temporary file of toFile', async () => {
    const storage = openStorage(urlOf(bucket));
    await storage.put('clip.mp4', 'film');
    const { path, dispose } = await storage.toFile('clip.mp4');
    await stat(path);
    await dispose();
    expect(await failureOf(stat(dirname(path)))).to.include({ code: 'ENOENT' });
  });

  describe('tells, as something that may pass,', () => {
    it('of a bucket that does not exist', async () => {
      const storage = openStorage(urlOf('no-such-bucket'));
      for (const error of await failuresOf([storage.put('a', 'x'), storage.get('a')])) {
        expect(error).to.include({ code: 'STORAGE_UNAVAILABLE', permanent: false });
        expect(error.message).to.include('Create bucket "no-such-bucket"');
      }
    });

    it('of credentials that are refused', async () => {
      process.env.AWS_SECRET_ACCESS_KEY = 'wrong';
      const error = await failureOf(openStorage(urlOf(bucket)).put('a', 'x'));
      process.env.AWS_SECRET_ACCESS_KEY = account.AWS_SECRET_ACCESS_KEY;
      expect(error).to.include({ code: 'STORAGE_UNAVAILABLE', permanent: false });
      expect(error.message).to.include('SignatureDoesNotMatch').and.include('Allow GetObject');
    });

    it('of a service that is down', async () => {
      const error = await failureOf(openStorage(urlOf(bucket, await closedPort())).put('a', 'x'));
      expect(error).to.include({ code: 'STORAGE_UNAVAILABLE', permanent: false });
      expect(error.message).to.include('ECONNREFUSED');
    });
  });

  it('tries again after a failed first connection', async () => {
    const port = await freePort();
    const storage = new S3Storage({ bucket, endpoint: `http://127.0.0.1:${port}`, forcePathStyle: true });
    expect(await failureOf(storage.exists('a'))).to.include({ code: 'STORAGE_UNAVAILABLE' });
    const late = createServer((socket) => socket.end('HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n'));
    late.listen(port, '127.0.0.1');
    await once(late, 'listening');
    expect(await storage.exists('a')).to.equal(false);
    late.close();
  });
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return address.port;
}

async function closedPort(): Promise<string> {
  return `http://127.0.0.1:${await freePort()}`;
}
