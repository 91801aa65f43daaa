/**
 * The Message-ID of the mail of a job, angle brackets included. It is the same for every attempt, so that a mail which
 * went out twice (the connection broke after the server had taken it) can be recognised as one: mailbox programs and
 * many servers fold the two together.
 * @param jobId any id that Jobrail allows; what RFC 5322 does not allow on the left of the @ is percent-encoded.
 * @param domain in ASCII.
 */
export function messageIdOf(jobId: string, domain: string): string {
  return `<${jobId.replace(/[^A-Za-z0-9_-]/gu, percentEncoded)}@${domain}>`;
}

function percentEncoded(character: string): string {
  return Buffer.from(character).toString('hex').toUpperCase().replace(/../g, '%$&');
}
