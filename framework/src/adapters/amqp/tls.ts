import { readFileSync } from 'node:fs';
import { createSecureContext, type ConnectionOptions, type SecureContextOptions } from 'node:tls';
import { OptionError, toError } from '../../base/errors.js';

/** For `amqps://` URLs, as Node's `tls.connect` takes them: PEM text or buffers, not file names. */
export type TlsOptions = Pick<
  SecureContextOptions & ConnectionOptions,
  'ca' | 'cert' | 'key' | 'passphrase' | 'servername' | 'rejectUnauthorized'
>;

const files = { ca: 'AMQP_CA_FILE', cert: 'AMQP_CERT_FILE', key: 'AMQP_KEY_FILE' } as const;

/**
 * Certificates from the PEM files that the environment names: AMQP_CA_FILE (who signs brokers, instead of the public
 * authorities), AMQP_CERT_FILE and AMQP_KEY_FILE (who this process is), AMQP_KEY_PASSPHRASE. Undefined when none is set.
 * @throws OptionError naming the variable and the file.
 */
export function tlsFromEnvironment(env: NodeJS.ProcessEnv): TlsOptions | undefined {
  const tls: TlsOptions = {};
  for (const [option, variable] of Object.entries(files) as [keyof typeof files, string][]) {
    const file = env[variable];
    if (file) tls[option] = read(file, variable);
  }
  if (Object.keys(tls).length === 0) return undefined;
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    const [given, lacking] = tls.cert ? [files.cert, files.key] : [files.key, files.cert];
    throw new OptionError(`${given} is set without ${lacking}.`, {
      mend: 'A certificate needs its key: set both.',
    });
  }
  const passphrase = env['AMQP_KEY_PASSPHRASE'];
  return passphrase ? { ...tls, passphrase } : tls;
}

/** @throws OptionError for certificates that cannot be used, which every connection would fail with. */
export function checkTls(tls: TlsOptions): void {
  try {
    createSecureContext(tls);
  } catch (cause) {
    throw new OptionError(`The certificates for the broker cannot be used: ${toError(cause).message}.`, {
      mend: 'Give PEM, a key that belongs to its certificate, and the passphrase of the key if it has one.',
      cause,
    });
  }
}

function read(file: string, variable: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new OptionError(`${variable} cannot be read: ${toError(cause).message}.`, {
      mend: 'Give the path of a PEM file that this process may read.',
      cause,
    });
  }
}
