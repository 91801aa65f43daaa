import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const openssl = (args: string[]) => run('openssl', args);

const ellipticKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

export interface Certificate {
  /** Files, PEM. */
  cert: string;
  key: string;
}

/** A certificate authority of a test, made by the `openssl` program in a folder. */
export class CertificateAuthority implements Certificate {
  private constructor(
    private readonly folder: string,
    readonly cert: string,
    readonly key: string,
  ) {}

  static async make(folder: string, name: string): Promise<CertificateAuthority> {
    const [cert, key] = [join(folder, `${name}.pem`), join(folder, `${name}.key`)];
    await openssl([
      'req',
      '-x509',
      ...ellipticKey,
      ...outOf(cert, key),
      '-subj',
      `/CN=${name}`,
      '-days',
      '2',
    ]);
    return new CertificateAuthority(folder, cert, key);
  }

  /** @param subjectAltName such as `DNS:localhost`. */
  async sign(name: string, subjectAltName: string): Promise<Certificate> {
    const file = (ending: string) => join(this.folder, `${name}.${ending}`);
    const [cert, key] = [file('pem'), file('key')];
    await openssl(['req', ...ellipticKey, ...outOf(file('csr'), key), '-subj', `/CN=${name}`]);
    await writeFile(file('ext'), `subjectAltName=${subjectAltName}\n`);
    const by = ['-CA', this.cert, '-CAkey', this.key, '-CAcreateserial', '-extfile', file('ext')];
    await openssl(['x509', '-req', '-in', file('csr'), ...by, '-out', cert, '-days', '2']);
    return { cert, key };
  }
}

/** A copy of a key that takes a passphrase to read. */
export async function lockKey(key: string, passphrase: string): Promise<string> {
  const locked = `${key}.locked`;
  await openssl(['pkey', '-in', key, '-aes256', '-out', locked, '-passout', `pass:${passphrase}`]);
  return locked;
}

/** The contents of the files, as `tls` of a client takes them. */
export async function pem({ cert, key }: Certificate): Promise<{ cert: Buffer; key: Buffer }> {
  return { cert: await readFile(cert), key: await readFile(key) };
}

function outOf(out: string, key: string): string[] {
  return ['-out', out, '-keyout', key];
}
