import { BrokerError } from '../../base/errors.js';
import { redact } from '../../base/redact.js';
import { showUrl } from './url.js';

/** What makes a connection fail, by the code or the words of the error, and what to do about it. */
const causes: readonly [seen: RegExp, mend: string][] = [
  [
    /SELF_SIGNED_CERT|UNABLE_TO_(VERIFY|GET)|CERT_UNTRUSTED|INVALID_CA|CERT_SIGNATURE_FAILURE/,
    "The broker's certificate is not signed by an authority that this process knows: name the right one in AMQP_CA_FILE, or in tls.ca.",
  ],
  [
    /ERR_TLS_CERT_ALTNAME_INVALID/,
    "The broker's certificate is made out to other names: connect by one of them, or name one in tls.servername.",
  ],
  [
    /CERT_HAS_EXPIRED|CERT_NOT_YET_VALID/,
    "Renew the broker's certificate, and compare the clocks of both machines.",
  ],
  [
    /alert (certificate required|bad certificate|unknown ca|certificate unknown|certificate expired|handshake failure)/i,
    'The broker asks for a client certificate that it trusts: set AMQP_CERT_FILE and AMQP_KEY_FILE, or tls.cert and tls.key.',
  ],
  [
    /wrong version number/i,
    'The port does not speak TLS: give the TLS port (5671 by default), or amqp:// where the network is trusted.',
  ],
  [
    /ECONNRESET|Socket closed abruptly|Invalid frame|maxFrameSize/,
    'Something answers there, but not in AMQP: check the port, and whether it asks for TLS (amqps://).',
  ],
  [/ACCESS[_-]REFUSED/, 'Check user and password in AMQP_URL, and that the user may use the vhost.'],
];

const otherwise =
  'Check that RabbitMQ runs there and that AMQP_URL has the right host, port, user and vhost.';

/** What to throw when no connection could be made. Shows neither user nor password. */
export function unreachable(
  urls: readonly string[],
  withinMs: number,
  lastError: (Error & { code?: string | number }) | undefined,
): BrokerError {
  // An address that has several IPs fails with an AggregateError, whose message is empty.
  const code = String(lastError?.code ?? '');
  const reason = redact(lastError?.message || code).replace(/\.$/, '');
  const where = urls.map(showUrl).join(', ');
  return new BrokerError(
    'JR_BROKER_UNREACHABLE',
    `No connection to a broker at ${where} within ${withinMs} ms${reason && `: ${reason}`}.`,
    { mend: causes.find(([words]) => words.test(`${code} ${reason}`))?.[1] ?? otherwise, cause: lastError },
  );
}
