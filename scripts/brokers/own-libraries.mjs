import { open, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';

const ELF = Buffer.from('\x7fELF', 'latin1');

/**
 * Makes the Erlang of an unpacked Debian release run beside the system's own, older or newer, libraries: each of its
 * programs becomes a script that starts it by the loader of its release with the libraries of its release. An
 * environment variable would not do: it would reach the system's shell as well, and change libraries but not the loader.
 *
 * @param {string} root Where it is unpacked.
 * @param {string} home Where it will be, and must then stay.
 */
export async function useOwnLibraries(root, home) {
  const erlang = join(root, 'usr/lib/erlang');
  const at = (/** @type {string} */ path) => join(home, relative(root, path));
  const folders = await libraryFolders(root);
  const loader = await findLoader(root);
  const start = `${at(loader)} --library-path ${folders.map(at).join(':')}`;
  for (const file of await filesIn(erlang)) {
    if (basename(file) === 'erl') await replaceText(file, '/usr/lib/erlang', at(erlang));
    else if (await isProgram(file)) await startBy(start, file, at);
  }
}

/**
 * @param {string} start
 * @param {string} program
 * @param {(path: string) => string} at
 */
async function startBy(start, program, at) {
  const real = join(dirname(program), `.${basename(program)}.elf`);
  await rename(program, real);
  await writeFile(program, `#!/bin/sh\nexec ${start} --argv0 "$0" ${at(real)} "$@"\n`, { mode: 0o755 });
}

/** @param {string} root */
async function libraryFolders(root) {
  const parents = [join(root, 'usr/lib'), join(root, 'lib')];
  const found = await Promise.all(
    parents.map(async (parent) =>
      (await readdir(parent).catch(() => []))
        .filter((name) => /-linux-gnu/.test(name))
        .map((name) => join(parent, name)),
    ),
  );
  return found.flat();
}

/** The dynamic loader is in `/lib64` or `/lib`, by architecture; of a release with merged folders below `/usr`. @param {string} root */
async function findLoader(root) {
  for (const folder of ['usr/lib64', 'usr/lib', 'lib64', 'lib'].map((name) => join(root, name))) {
    const loader = (await readdir(folder).catch(() => [])).find((name) => /^ld-linux.*\.so\.\d+$/.test(name));
    if (loader) return join(folder, loader);
  }
  throw new Error(`There is no dynamic loader (ld-linux) in the packages unpacked to ${root}.`);
}

/** @param {string} folder */
async function filesIn(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
}

/** Whether it is a program of machine code; libraries are not executable in Debian. @param {string} file */
async function isProgram(file) {
  const handle = await open(file);
  try {
    if (((await handle.stat()).mode & 0o100) === 0) return false;
    const { buffer } = await handle.read(Buffer.alloc(ELF.length), 0, ELF.length, 0);
    return buffer.equals(ELF);
  } finally {
    await handle.close();
  }
}

/**
 * @param {string} file
 * @param {string} from
 * @param {string} to
 */
async function replaceText(file, from, to) {
  await writeFile(file, (await readFile(file, 'utf8')).replaceAll(from, to));
}
