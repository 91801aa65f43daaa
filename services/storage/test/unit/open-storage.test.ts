import { execFile } from 'node:child_process';
import { mkdtemp, readFile, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { DiskStorage, openStorage, S3Storage, Storage, StorageError } from '../../src/index.js';

describe('openStorage', () => {
  let folder: string;
  before(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), 'open storage %41-')));
  });
  after(() => rm(folder, { recursive: true }));

  it('opens an absolute folder', async () => {
    const storage = openStorage(pathToFileURL(folder).href);
    expect(storage).to.be.instanceOf(DiskStorage).and.instanceOf(Storage);
    await storage.put('absolute', 'x');
    expect(await readFile(join(folder, 'absolute'), 'utf8')).to.equal('x');
  });

  it('opens a folder relative to the working directory', async () => {
    await openStorage(`file:${encodeURI(relative(process.cwd(), folder))}/new`).put('relative', 'x');
    expect(await readFile(join(folder, 'new/relative'), 'utf8')).to.equal('x');
  });

  it('opens a bucket without connecting to it', () => {
    const urls = ['s3://bucket', 's3://bucket/', 's3://bucket/a/prefix/?region=eu-west-1'];
    for (const url of urls) expect(openStorage(url)).to.be.instanceOf(S3Storage);
  });

  const refused: [string, RegExp][] = [
    ['', /another scheme/],
    ['/var/files', /another scheme/],
    ['ftp://host/x', /another scheme/],
    ['file:', /names no path/],
    ['file://host/x', /names no path/],
    ['file:a%00b', /names no path/],
    ['file:%', /names no path/],
    ['file:///x?y=1', /takes no "\?"/],
    ['s3://', /names no bucket/],
    ['s3:bucket', /names no bucket/],
    ['s3://bucket?regoin=x', /"regoin" is none of its options/],
    ['s3://bucket?forcePathStyle=yes', /neither true nor false/],
    ['s3://bucket?endpoint=localhost', /no http\(s\) URL/],
    ['s3://bucket/.hidden', /prefix would be no storage key/],
    ['s3://bucket:9000/x', /a port/],
  ];
  for (const [url, why] of refused) {
    it(`refuses "${url}"`, () => {
      expect(() => openStorage(url))
        .to.throw(StorageError, why)
        .with.property('code', 'STORAGE_URL_INVALID');
    });
  }

  it('refuses credentials in the URL and does not show them', () => {
    expect(() => openStorage('s3://id:topsecret@bucket')).to.throw(
      StorageError,
      /^(?!.*topsecret).*credentials/,
    );
  });

  it('does not load the AWS SDK for a local disk', async () => {
    const index = new URL('../../src/index.js', import.meta.url).href;
    const program = `
      import { createRequire } from 'node:module';
      const { openStorage } = await import(${JSON.stringify(index)});
      const sdk = () => Object.keys(createRequire(import.meta.url).cache).filter((path) => path.includes('@aws-sdk')).length;
      await openStorage(${JSON.stringify(pathToFileURL(folder).href)}).put('a', 'x');
      const before = sdk();
      await openStorage('s3://b?endpoint=http://127.0.0.1:1').exists('a').catch(() => {});
      console.log(JSON.stringify({ before, after: sdk() > 0 }));`;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program]);
    expect(JSON.parse(stdout)).to.deep.equal({ before: 0, after: true });
  });
});
