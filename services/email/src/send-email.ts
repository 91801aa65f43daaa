import { Storage } from '@jobrail/storage';
import { inject } from 'inversify';
import { exponential, Fatal, type Handler, Job, type JobContext, type PayloadOf } from 'jobrail';
import { closeAttachments, openAttachments } from './attachments.js';
import { SendEmail } from './jobs.js';
import { Mailer } from './mailer.js';
import { Templates } from './templates.js';

/**
 * Writes a mail and hands it to the mail server.
 *
 * The waits add up to two hours, half of that with the jitter: enough for a mail server that restarts, and for the
 * greylisting that answers a first mail with "451 come back in five minutes".
 */
@Job(SendEmail, { retry: exponential({ attempts: 15, from: '1s', to: '30m' }), timeout: '30s' })
export class SendEmailHandler implements Handler<typeof SendEmail> {
  constructor(
    @inject(Templates) private readonly templates: Templates,
    @inject(Storage) private readonly storage: Storage,
    @inject(Mailer) private readonly mailer: Mailer,
  ) {}

  async handle(payload: PayloadOf<typeof SendEmail>, job: JobContext): Promise<void> {
    try {
      await this.send(payload, job);
    } catch (error) {
      throw isPermanent(error) ? new Fatal(error) : error;
    }
  }

  private async send(payload: PayloadOf<typeof SendEmail>, job: JobContext): Promise<void> {
    const { to, template, data, attachments = [] } = payload;
    const written = this.templates.write(template, { ...data, attached: attachments.length > 0 });
    const opened = await openAttachments(this.storage, attachments);
    try {
      const sent = await this.mailer.send({ ...written, to, jobId: job.id, attachments: opened }, job.signal);
      job.log.info({ template, ...sent }, 'mail sent');
    } finally {
      closeAttachments(opened);
    }
  }
}

/** TemplateError, DeliveryError and StorageError all tell so in the same way. */
function isPermanent(error: unknown): error is Error & { permanent: true } {
  return error instanceof Error && 'permanent' in error && error.permanent === true;
}
