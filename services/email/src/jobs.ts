/**
 * The contracts of the email service, and nothing else: producers import only this file (`@jobrail/email/jobs`), so
 * neither nodemailer nor the templates come along.
 */
import { defineJob, defineQueue } from 'jobrail';
import { z } from 'zod';

/** Where mails wait to be sent. Lanes 0 (bulk, the default) to 2 (somebody is waiting); see {@link priorityOf}. */
export const emailQueue = defineQueue('email', { priorities: 3 });

/**
 * The templates and what each asks for in `data`. A required value that is missing makes the mail a dead letter: a
 * mail with a hole in it is worse than none. Each `…Url` must be http or https.
 *
 * | template | required | optional |
 * |---|---|---|
 * | `welcome` | `name`, `loginUrl` | |
 * | `reset` | `name`, `resetUrl`, `expiresIn` (in words: "30 minutes") | |
 * | `report-ready` | `title`, `format` (pdf, xlsx, csv) | `name`, `rows` (a number), `reportUrl` |
 * | `alert` | `headline`, `firing` and `resolved` (lists with `text`) | |
 */
export const EmailTemplate = z.enum(['welcome', 'reset', 'report-ready', 'alert']);
export type EmailTemplate = z.infer<typeof EmailTemplate>;

/** A file of the storage to attach: by key, so that no file travels through the broker. */
export const Attachment = z.object({
  key: z.string().min(1).max(1_024),
  /** What the recipient sees. The content type follows its ending. */
  filename: z
    .string()
    .min(1)
    .max(200)
    .regex(/^[^\p{Cc}/\\]+$/u, 'a plain file name: no path separator, no control character'),
});

/** Sends one mail. Repeating it is recognisable: the Message-ID is derived from the job's id. */
export const SendEmail = defineJob('email.send', {
  queue: emailQueue,
  payload: z.object({
    to: z.email().max(254),
    template: EmailTemplate,
    data: z.record(z.string(), z.unknown()),
    attachments: z.array(Attachment).max(10).optional(),
  }),
});

const priorities: Record<EmailTemplate, number> = { welcome: 0, 'report-ready': 1, reset: 2, alert: 2 };

/**
 * The lane a template belongs on: `client.enqueue(SendEmail, mail, { priority: priorityOf(mail.template) })`.
 * A password reset (2) overtakes every backlog, a report that somebody asked for (1) overtakes newsletters (0).
 */
export function priorityOf(template: EmailTemplate): number {
  return priorities[template];
}
