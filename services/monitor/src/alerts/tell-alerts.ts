import { createHmac } from 'node:crypto';
import { SendEmail } from '@jobrail/email/jobs';
import { inject } from 'inversify';
import { exponential, Fatal, type Handler, Job, JobContext, type JobClient, type PayloadOf } from 'jobrail';
import { type AlertGroup, type AlertNotice, AlertSlack, AlertWebhook } from '../jobs.js';

/** Where alerts are told. */
export interface AlertReceivers {
  webhookUrl?: string | undefined;
  /** What the webhook's bodies are signed with. */
  webhookSecret?: string | undefined;
  slackUrl?: string | undefined;
  email: readonly string[];
}

export const AlertReceivers = Symbol('AlertReceivers');

const answerWithinMs = 10_000;

/** Enqueues what tells a group to each receiver. @throws PublishError, BrokerError */
export async function enqueueAlerts(client: JobClient, to: AlertReceivers, group: AlertGroup): Promise<void> {
  if (to.webhookUrl !== undefined) await client.enqueue(AlertWebhook, group);
  if (to.slackUrl !== undefined) await client.enqueue(AlertSlack, group);
  for (const address of to.email) {
    await client.enqueue(SendEmail, {
      to: address,
      template: 'alert',
      data: { ...group, ...headline(group) },
    });
  }
}

/** Waits of two hours in all: a receiver that is down for that long hears of it again by repetition. */
const retry = exponential({ attempts: 12, from: '2s', to: '15m' });

@Job(AlertWebhook, { retry, timeout: '30s' })
export class AlertWebhookHandler implements Handler<typeof AlertWebhook> {
  constructor(@inject(AlertReceivers) private readonly receivers: AlertReceivers) {}

  async handle(group: PayloadOf<typeof AlertWebhook>, job: JobContext): Promise<void> {
    const { webhookUrl, webhookSecret } = this.receivers;
    if (webhookUrl === undefined) throw new Fatal(new Error('ALERT_WEBHOOK_URL is not set any more'));
    const body = JSON.stringify({ id: job.id, ...group });
    const timestamp = String(Math.floor(Date.now() / 1_000));
    const headers = {
      'x-jobrail-timestamp': timestamp,
      ...(webhookSecret !== undefined && { 'x-jobrail-signature': sign(webhookSecret, timestamp, body) }),
    };
    await post(webhookUrl, body, { signal: job.signal, headers });
  }
}

@Job(AlertSlack, { retry, timeout: '30s' })
export class AlertSlackHandler implements Handler<typeof AlertSlack> {
  constructor(@inject(AlertReceivers) private readonly receivers: AlertReceivers) {}

  async handle(group: PayloadOf<typeof AlertSlack>, job: JobContext): Promise<void> {
    const { slackUrl } = this.receivers;
    if (slackUrl === undefined) throw new Fatal(new Error('ALERT_SLACK_URL is not set any more'));
    await post(slackUrl, JSON.stringify({ text: slackText(group) }), { signal: job.signal, headers: {} });
  }
}

/** What a receiver computes to know that a body is ours and not an old one. */
export function sign(secret: string, timestamp: string, body: string): string {
  return `sha256=${createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex')}`;
}

/** A refusal other than "too many" is final: the same body will not be taken later either. */
async function post(
  url: string,
  body: string,
  { signal, headers }: { signal: AbortSignal; headers: Record<string, string> },
): Promise<void> {
  const response = await fetch(url, {
    method: 'POST',
    body,
    redirect: 'error',
    headers: { 'content-type': 'application/json', ...headers },
    signal: AbortSignal.any([signal, AbortSignal.timeout(answerWithinMs)]),
  });
  await response.body?.cancel();
  if (response.ok) return;
  const error = new Error(`the receiver answered ${response.status}`);
  const final = response.status >= 400 && response.status < 500 && ![408, 425, 429].includes(response.status);
  throw final ? new Fatal(error) : error;
}

function slackText(group: AlertGroup): string {
  const line = (mark: string) => (notice: AlertNotice) => `${mark} ${escaped(notice.text)}`;
  return [
    `*${escaped(headline(group).headline)}*`,
    ...group.firing.map(line(':red_circle:')),
    ...group.resolved.map(line(':white_check_mark: over:')),
  ].join('\n');
}

/** What Slack takes for a link or a mention. */
function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function headline({ firing, resolved }: AlertGroup): { headline: string } {
  const [first] = [...firing, ...resolved];
  const more = firing.length + resolved.length - 1;
  const words = firing.length > 0 ? first!.text : `over: ${first!.text}`;
  return { headline: `Jobrail: ${words}${more > 0 ? `, and ${more} more` : ''}` };
}
