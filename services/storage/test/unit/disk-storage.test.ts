import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import { DiskStorage } from '../../src/index.js';
import { failureOf, failuresOf } from '../failure-of.js';
import { storageContract } from '../storage-contract.js';

describe('DiskStorage', () => {
  let folder: string;
  let root: string;
  let storage: DiskStorage;
  beforeEach(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), 'disk-storage-')));
    root = join(folder, 'root');
    storage = new DiskStorage(root);
  });
  afterEach(() => rm(folder, { recursive: true }));

  storageContract(() => storage);

  describe('on disk', () => {
    it('keeps a file at the path that its key names, and hands that path out', async () => {
      await storage.put('users/42/avatar.jpg', 'pixels');
      const path = join(root, 'users/42/avatar.jpg');
      expect(await readFile(path, 'utf8')).to.equal('pixels');
      expect((await storage.toFile('users/42/avatar.jpg')).path).to.equal(path);
    });

    it('leaves neither parts nor folders of a failed put', async () => {
      await failureOf(storage.put('a/b/c', failing()));
      expect(await readdir(root)).to.deep.equal(['.incoming']);
      expect(await readdir(join(root, '.incoming'))).to.deep.equal([]);
    });

    it('removes what a dead process left unfinished, but nothing that may still be written', async () => {
      const incoming = join(root, '.incoming');
      await mkdir(incoming, { recursive: true });
      await writeFile(join(incoming, 'dead'), 'x');
      await writeFile(join(incoming, 'alive'), 'x');
      const twoDaysAgo = Date.now() / 1_000 - 2 * 86_400;
      await utimes(join(incoming, 'dead'), twoDaysAgo, twoDaysAgo);
      await storage.put('a', 'x');
      expect(await readdir(incoming)).to.deep.equal(['alive']);
    });

    it('reads the old version to its end while a new one is put', async () => {
      await storage.put('a', 'old'.repeat(100_000));
      const reading = await storage.get('a');
      await storage.put('a', 'new');
      expect(await text(reading)).to.equal('old'.repeat(100_000));
      expect(await text(await storage.get('a'))).to.equal('new');
    });

    it('knows files of more than 4 GB', async () => {
      await storage.put('huge', '');
      await truncate(join(root, 'huge'), 5 * 2 ** 30);
      expect(await storage.size('huge')).to.equal(5 * 2 ** 30);
    });

    it('refuses, for good, a key below a file or in place of a folder', async () => {
      await storage.put('a/b', 'x');
      for (const key of ['a/b/c', 'a']) {
        const error = await failureOf(storage.put(key, 'y'));
        expect(error).to.include({ code: 'STORAGE_KEY_CONFLICT', permanent: true });
      }
      expect(await text(await storage.get('a/b'))).to.equal('x');
      expect(await readdir(join(root, '.incoming'))).to.deep.equal([]);
    });

    it('tells of a root that cannot be used, as something that may pass', async () => {
      await writeFile(join(folder, 'file'), '');
      const error = await failureOf(new DiskStorage(join(folder, 'file/root')).put('a', 'x'));
      expect(error).to.include({ code: 'STORAGE_UNAVAILABLE', permanent: false });
      expect(error.message).to.include('ENOTDIR');
    });

    it('may have a root that is a symlink', async () => {
      await mkdir(join(folder, 'real'));
      await symlink(join(folder, 'real'), root);
      await storage.put('a/b', 'x');
      expect(await readFile(join(folder, 'real/a/b'), 'utf8')).to.equal('x');
      expect(await text(await storage.get('a/b'))).to.equal('x');
    });
  });

  describe('a symlink in the storage', () => {
    let outside: string;
    beforeEach(async () => {
      outside = join(folder, 'root-of-another');
      await mkdir(join(outside, 'sub'), { recursive: true });
      await writeFile(join(outside, 'secret'), 'secret');
      await storage.put('inside/file', 'x');
    });

    for (const [name, key, make] of [
      ['of a folder', 'link/secret', () => symlink(outside, join(root, 'link'))],
      ['of a folder, relative', 'link/secret', () => symlink('../root-of-another', join(root, 'link'))],
      ['of a file', 'link', () => symlink(join(outside, 'secret'), join(root, 'link'))],
    ] as const) {
      it(`${name} that leads out is refused to readers`, async () => {
        await make();
        const calls = [storage.get(key), storage.toFile(key), storage.size(key), storage.exists(key)];
        for (const error of await failuresOf(calls)) {
          expect(error).to.include({ code: 'STORAGE_KEY_INVALID', permanent: true });
        }
      });
    }

    it('that leads out is refused to put, which makes no folder and no file there', async () => {
      await symlink(outside, join(root, 'link'));
      for (const key of ['link/new', 'link/sub/new', 'link/new/deep/file', 'link/secret']) {
        expect(await failureOf(storage.put(key, 'y'))).to.include({ code: 'STORAGE_KEY_INVALID' });
      }
      expect((await readdir(outside, { recursive: true })).sort()).to.deep.equal(['secret', 'sub']);
      expect(await readFile(join(outside, 'secret'), 'utf8')).to.equal('secret');
    });

    it('in place of the unfinished files that leads out is refused to put', async () => {
      await rm(join(root, '.incoming'), { recursive: true });
      await symlink(outside, join(root, '.incoming'));
      expect(await failureOf(storage.put('a', 'y'))).to.include({ code: 'STORAGE_KEY_INVALID' });
      expect((await readdir(outside)).sort()).to.deep.equal(['secret', 'sub']);
    });

    it('of a folder that leads out is refused to delete', async () => {
      await symlink(outside, join(root, 'link'));
      expect(await failureOf(storage.delete('link/secret'))).to.include({ code: 'STORAGE_KEY_INVALID' });
      expect(await readFile(join(outside, 'secret'), 'utf8')).to.equal('secret');
    });

    it('of a file is replaced or deleted itself, never what it points to', async () => {
      await symlink(join(outside, 'secret'), join(root, 'one'));
      await symlink(join(outside, 'secret'), join(root, 'two'));
      await symlink(join(outside, 'nothing'), join(root, 'dangling'));
      await storage.put('one', 'replaced');
      await storage.delete('two');
      await storage.delete('dangling');
      expect(await text(await storage.get('one'))).to.equal('replaced');
      expect((await readdir(root)).sort()).to.deep.equal(['.incoming', 'inside', 'one']);
      expect(await readFile(join(outside, 'secret'), 'utf8')).to.equal('secret');
    });

    it('that stays inside is followed', async () => {
      await symlink(join(root, 'inside'), join(root, 'alias'));
      await storage.put('alias/new', 'y');
      expect(await text(await storage.get('alias/file'))).to.equal('x');
      expect((await stat(join(root, 'inside/new'))).size).to.equal(1);
    });

    it('that is a circle is an error, not a hang', async () => {
      await symlink('circle', join(root, 'circle'));
      expect(await failureOf(storage.get('circle/x'))).to.include({ code: 'STORAGE_UNAVAILABLE' });
    });
  });
});

function failing(): Readable {
  return Readable.from(
    (function* () {
      yield Buffer.alloc(100_000);
      throw new Error('source broke');
    })(),
  );
}
