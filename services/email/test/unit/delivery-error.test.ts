import { inspect } from 'node:util';
import { expect } from 'chai';
import { deliveryErrorOf, type DeliveryErrorCode } from '../../src/delivery-error.js';

/** As nodemailer 10 makes them: `permanent` comes with `responseCode`. */
const cases: [seen: string, error: object, code: DeliveryErrorCode, permanent: boolean][] = [
  ['550 to RCPT TO', reply('EENVELOPE', 550), 'MAIL_REFUSED', true],
  ['553 to MAIL FROM', reply('EENVELOPE', 553), 'MAIL_REFUSED', true],
  ['554 to the content', reply('EMESSAGE', 554), 'MAIL_REFUSED', true],
  ['552 too large, seen by the client', { code: 'EMESSAGE' }, 'MAIL_REFUSED', true],
  ['451 greylisting', reply('EENVELOPE', 451), 'MAIL_DEFERRED', false],
  ['452 mailbox full', reply('EMESSAGE', 452), 'MAIL_DEFERRED', false],
  ['421 closing', reply('EENVELOPE', 421), 'MAIL_DEFERRED', false],
  ['503 commands out of order', reply('EENVELOPE', 503), 'MAIL_DEFERRED', false],
  ['535 to the login', reply('EAUTH', 535), 'SMTP_LOGIN_REFUSED', false],
  ['no credentials', { code: 'ENOAUTH' }, 'SMTP_LOGIN_REFUSED', false],
  ['554 as the greeting', reply('EPROTOCOL', 554), 'SMTP_UNREACHABLE', false],
  ['connection refused', { code: 'ESOCKET' }, 'SMTP_UNREACHABLE', false],
  ['connection lost', { code: 'ECONNECTION' }, 'SMTP_UNREACHABLE', false],
  ['no answer', { code: 'ETIMEDOUT' }, 'SMTP_UNREACHABLE', false],
  ['no such host', { code: 'EDNS' }, 'SMTP_UNREACHABLE', false],
  ['TLS failed', { code: 'ETLS' }, 'SMTP_UNREACHABLE', false],
  ['attachment broke off', { code: 'ESTREAM' }, 'ATTACHMENT_BROKE', false],
  ['anything else', {}, 'SMTP_UNREACHABLE', false],
];

function reply(code: string, responseCode: number): object {
  const permanent = responseCode >= 500 && responseCode !== 503;
  return { code, responseCode, permanent, response: `${responseCode} 5.1.1 said so`, command: 'RCPT TO' };
}

describe('deliveryErrorOf', () => {
  for (const [seen, error, code, permanent] of cases) {
    it(`${seen}: ${code}, ${permanent ? 'given up' : 'retried'}`, () => {
      const judged = deliveryErrorOf(Object.assign(new Error('as seen'), error));
      expect(judged.code).to.equal(code);
      expect(judged.permanent).to.equal(permanent);
    });
  }

  it('tells the reply of the server and the command it answered', () => {
    const judged = deliveryErrorOf(Object.assign(new Error('as seen'), reply('EENVELOPE', 550)));
    expect(judged.reply).to.equal('550 5.1.1 said so');
    expect(judged.message).to.include('It said "550 5.1.1 said so" (RCPT TO).');
  });

  it('tells what happened when there was no reply', () => {
    const cause = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:25'), {
      code: 'ESOCKET',
      command: 'CONN',
    });
    const judged = deliveryErrorOf(cause);
    expect(judged.message).to.include('connect ECONNREFUSED 127.0.0.1:25 (CONN). Check SMTP_URL');
    expect(judged.cause).to.equal(cause);
  });

  it('names no recipient in what goes to logs, though the server does', () => {
    const response =
      '550 5.1.1 <ada@example.com>: Recipient address rejected, see mailto:postmaster@acme.example';
    const cause = Object.assign(new Error(`Can't send mail - all recipients were rejected: ${response}`), {
      ...reply('EENVELOPE', 550),
      response,
    });
    const judged = deliveryErrorOf(cause);
    expect(judged.message).to.include(
      'It said "550 5.1.1 <…>: Recipient address rejected, see …" (RCPT TO).',
    );
    expect(inspect(judged, { depth: 5 }).replaceAll(response, '')).to.not.include('ada@example.com');
    expect(judged.cause).to.equal(undefined);
    expect(judged.reply, 'for code that asks').to.equal(response);
  });
});
