import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { expect } from 'chai';
import { StorageError, type Storage } from '../src/index.js';
import { hostileKeys } from './hostile-keys.js';
import { failureOf, failuresOf } from './failure-of.js';

/** More than one part of an S3 upload (8 MiB), and no multiple of it. */
const large = 20 * 1024 * 1024 + 7;

/** What every adapter of `Storage` promises. `open` gives an empty storage for each test. */
export function storageContract(open: () => Storage): void {
  let storage: Storage;
  beforeEach(() => {
    storage = open();
  });

  describe('put and get', () => {
    it('keeps text, bytes and streams as they are', async () => {
      const bytes = randomBytes(100_000);
      expect(await storage.put('a.txt', 'Grüße')).to.deep.equal({ key: 'a.txt', bytes: 7 });
      expect(await storage.put('deep/er/b.bin', bytes)).to.deep.equal({
        key: 'deep/er/b.bin',
        bytes: 100_000,
      });
      expect((await storage.put('c', Readable.from(['on', 'e ', 'two']))).bytes).to.equal(7);
      expect(await text(await storage.get('a.txt'))).to.equal('Grüße');
      expect(bytes.equals(await buffer(await storage.get('deep/er/b.bin')))).to.equal(true);
      expect(await text(await storage.get('c'))).to.equal('one two');
    });

    it('keeps an empty file', async () => {
      expect((await storage.put('empty', '')).bytes).to.equal(0);
      expect((await storage.put('empty-stream', Readable.from([]))).bytes).to.equal(0);
      expect(await storage.size('empty')).to.equal(0);
      expect(await text(await storage.get('empty-stream'))).to.equal('');
    });

    it('keeps a file of several parts', async () => {
      const bytes = randomBytes(large);
      expect((await storage.put('large.bin', inChunks(bytes))).bytes).to.equal(large);
      expect(await storage.size('large.bin')).to.equal(large);
      const hash = createHash('sha256');
      for await (const chunk of await storage.get('large.bin')) hash.update(chunk as Buffer);
      expect(hash.digest('hex')).to.equal(createHash('sha256').update(bytes).digest('hex'));
    });

    it('replaces a file', async () => {
      await storage.put('a', 'a long first version');
      await storage.put('a', 'second');
      expect(await text(await storage.get('a'))).to.equal('second');
    });

    it('takes names with spaces, percent signs and any script literally', async () => {
      const keys = [
        'a b/c+d&e=f.txt',
        '100%25/%2e%2e/x',
        'Фото/写真/📷.jpg',
        "it's #1?.txt",
        'a..b/c.',
        '~/x',
      ];
      for (const key of keys) await storage.put(key, `content of ${key}`);
      for (const key of keys) expect(await text(await storage.get(key))).to.equal(`content of ${key}`);
    });

    it('shows nothing of a file before it is whole', async () => {
      const source = new PassThrough();
      const stored = storage.put('slow', source);
      source.write('half ');
      expect(await storage.exists('slow')).to.equal(false);
      source.end('and half');
      await stored;
      expect(await text(await storage.get('slow'))).to.equal('half and half');
    });

    it('leaves one whole file when several are put at once', async () => {
      const versions = ['1', '2', '3', '4', '5'].map((digit) => digit.repeat(50_000));
      await Promise.all(versions.map((version) => storage.put('contested', version)));
      expect(versions).to.include(await text(await storage.get('contested')));
    });
  });

  describe('a source that fails', () => {
    const sources: [string, () => Readable, string][] = [
      ['at once', () => failingAfter(0), 'source broke'],
      ['after 1 kB', () => failingAfter(1_000), 'source broke'],
      ['after several parts', () => failingAfter(large), 'source broke'],
      ['before it was handed in', () => alreadyFailed(), 'source broke'],
      ['by being destroyed without an error', () => destroyedHalfway(), 'Premature close'],
      ['by giving objects', () => Readable.from([{ not: 'bytes' }]), 'expected bytes or text'],
    ];
    for (const [when, source, message] of sources) {
      it(`${when}: leaves the storage as it was and passes the error on`, async () => {
        await storage.put('kept', 'old');
        for (const key of ['fresh', 'kept']) {
          const error = await failureOf(storage.put(key, source()));
          expect(error).not.to.be.instanceOf(StorageError);
          expect(error.message).to.include(message);
        }
        expect(await storage.exists('fresh')).to.equal(false);
        expect(await text(await storage.get('kept'))).to.equal('old');
      });
    }
  });

  describe('a file that is not there', () => {
    it('is a permanent StorageError from get, size and toFile', async () => {
      const calls = [storage.get('no/such'), storage.size('no/such'), storage.toFile('no/such')];
      for (const error of await failuresOf(calls)) {
        expect(error).to.be.instanceOf(StorageError);
        expect(error).to.include({ code: 'STORAGE_NOT_FOUND', permanent: true });
        expect(error.message).to.include('"no/such"');
      }
    });

    it('does not exist, and deleting it does nothing', async () => {
      expect(await storage.exists('no/such')).to.equal(false);
      await storage.delete('no/such');
    });

    it('is what a deleted file becomes', async () => {
      await storage.put('dir/gone', 'x');
      await storage.put('dir/stays', 'y');
      await storage.delete('dir/gone');
      expect(await storage.exists('dir/gone')).to.equal(false);
      expect(await storage.exists('dir/stays')).to.equal(true);
    });

    it('is also the folder of a key', async () => {
      await storage.put('dir/file', 'x');
      expect(await storage.exists('dir')).to.equal(false);
      expect(await failureOf(storage.get('dir'))).to.include({ code: 'STORAGE_NOT_FOUND' });
      await storage.delete('dir');
      expect(await storage.exists('dir/file')).to.equal(true);
    });
  });

  describe('local files', () => {
    let folder: string;
    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), 'storage-contract-'));
    });
    afterEach(() => rm(folder, { recursive: true }));

    it('come out with the content and the ending of the key, and are given back', async () => {
      await storage.put('clips/one.mp4', 'film');
      const file = await storage.toFile('clips/one.mp4');
      expect(await readFile(file.path, 'utf8')).to.equal('film');
      expect(extname(file.path)).to.equal('.mp4');
      await file.dispose();
      await file.dispose();
      expect(await storage.exists('clips/one.mp4')).to.equal(true);
    });

    it('go in, and stay where they were', async () => {
      const path = join(folder, 'report.csv');
      await writeFile(path, 'a,b\n1,2\n');
      expect(await storage.fromFile('reports/r.csv', path)).to.deep.equal({ key: 'reports/r.csv', bytes: 8 });
      expect(await text(await storage.get('reports/r.csv'))).to.equal('a,b\n1,2\n');
      expect(await readFile(path, 'utf8')).to.equal('a,b\n1,2\n');
    });

    it('that are missing fail with the error of the file system', async () => {
      const error = await failureOf(storage.fromFile('x', join(folder, 'missing')));
      expect(error).to.include({ code: 'ENOENT' });
      expect(await storage.exists('x')).to.equal(false);
    });
  });

  describe('a hostile key', () => {
    for (const { name, key } of hostileKeys) {
      it(`${name} is refused by every call`, async () => {
        const source = new PassThrough();
        const calls = [
          storage.put(key, source),
          storage.get(key),
          storage.toFile(key),
          storage.fromFile(key, '/dev/null'),
          storage.exists(key),
          storage.size(key),
          storage.delete(key),
        ];
        for (const error of await failuresOf(calls)) {
          expect(error).to.include({ code: 'STORAGE_KEY_INVALID', permanent: true });
        }
        expect(source.destroyed, 'the source is let go').to.equal(true);
      });
    }
  });
}

function inChunks(bytes: Buffer): Readable {
  const chunks = [];
  for (let at = 0; at < bytes.length; at += 65_536) chunks.push(bytes.subarray(at, at + 65_536));
  return Readable.from(chunks);
}

function failingAfter(bytes: number): Readable {
  return Readable.from(
    (function* () {
      const chunk = Buffer.alloc(1_000);
      for (let given = 0; given < bytes; given += chunk.length) yield chunk;
      throw new Error('source broke');
    })(),
  );
}

function alreadyFailed(): Readable {
  const source = new PassThrough();
  source.on('error', () => undefined);
  source.destroy(new Error('source broke'));
  return source;
}

function destroyedHalfway(): Readable {
  const source = new PassThrough();
  source.write('half', () => source.destroy());
  return source;
}
