import type { NodemailerError } from 'nodemailer';

/** Every code of a DeliveryError: what it means, and whether sending the same mail again is pointless. */
export const deliveryErrorCodes = {
  MAIL_REFUSED: { permanent: true, means: 'The mail server refused this mail for good (5xx).' },
  MAIL_DEFERRED: { permanent: false, means: 'The mail server cannot take this mail now (4xx).' },
  ATTACHMENT_BROKE: { permanent: false, means: 'An attachment broke off while it was sent.' },
  SMTP_LOGIN_REFUSED: { permanent: false, means: 'The mail server refused the credentials of this service.' },
  SMTP_UNREACHABLE: { permanent: false, means: 'The connection to the mail server failed or was lost.' },
} as const satisfies Record<string, { permanent: boolean; means: string }>;

export type DeliveryErrorCode = keyof typeof deliveryErrorCodes;

const mends: Record<DeliveryErrorCode, string> = {
  MAIL_REFUSED: 'Correct the address, or what the reply names, and replay the job.',
  MAIL_DEFERRED: 'The job is retried.',
  ATTACHMENT_BROKE: 'The job is retried; look at the storage if it goes on.',
  SMTP_LOGIN_REFUSED: 'Correct user and password in SMTP_URL; jobs are retried meanwhile.',
  SMTP_UNREACHABLE: 'Check SMTP_URL and the mail server; jobs are retried meanwhile.',
};

/** A mail that was not sent. Branch on `code` or `permanent`. Its message goes to logs and names no recipient. */
export class DeliveryError extends Error {
  override readonly name = 'DeliveryError';
  /** True when the same mail will be refused again, so that its job should be given up. */
  readonly permanent: boolean;
  readonly mend: string;

  constructor(
    readonly code: DeliveryErrorCode,
    /** What the server said, such as `550 5.1.1 No such user`; undefined when it said nothing. */
    readonly reply: string | undefined,
    cause: NodemailerError,
  ) {
    super(
      `${deliveryErrorCodes[code].means} ${seen(reply, cause)} ${mends[code]}`,
      withoutAddresses(cause.message) === cause.message ? { cause } : undefined,
    );
    this.permanent = deliveryErrorCodes[code].permanent;
    this.mend = mends[code];
  }
}

/**
 * Judges an error of nodemailer by what it was about. Only a verdict on this very mail is permanent: a 5xx reply to
 * its envelope or content. A 5xx reply to the login or the greeting is about this service, and would make dead letters
 * of every mail until somebody corrects it; RFC 5321's 503 (commands out of order) is about the session.
 */
export function deliveryErrorOf(error: NodemailerError): DeliveryError {
  return new DeliveryError(codeOf(error), error.response?.trim(), error);
}

function codeOf({ code, permanent }: NodemailerError): DeliveryErrorCode {
  switch (code) {
    case 'EENVELOPE':
    case 'EMESSAGE':
      // Without a reply nodemailer itself refused, for instance because the mail exceeds the SIZE the server announced.
      return permanent === false ? 'MAIL_DEFERRED' : 'MAIL_REFUSED';
    case 'EAUTH':
    case 'ENOAUTH':
    case 'EOAUTH2':
      return 'SMTP_LOGIN_REFUSED';
    case 'ESTREAM':
      return 'ATTACHMENT_BROKE';
    default:
      return 'SMTP_UNREACHABLE';
  }
}

function seen(reply: string | undefined, cause: NodemailerError): string {
  const command = cause.command === undefined || cause.command === 'API' ? '' : ` (${cause.command})`;
  return withoutAddresses(
    reply === undefined ? `${cause.message}${command}.` : `It said "${reply.trim()}"${command}.`,
  );
}

/** Mail servers repeat the address that they refuse. */
function withoutAddresses(text: string): string {
  return text.replace(/[^\s<>"'(]{1,254}@[^\s<>"'):;,]{1,254}/g, '…');
}
