/** The contracts of the monitor: how alerts are told. */
import { defineJob, defineQueue } from 'jobrail';
import { z } from 'zod';

export const alertsQueue = defineQueue('alerts');

/** One alert, as receivers get it. */
export const AlertNotice = z.object({
  /** The same for as long as it holds, and when it comes again. */
  id: z.string(),
  rule: z.string(),
  /** The queue, or `projection`. */
  subject: z.string(),
  /** In words. */
  text: z.string(),
  value: z.number(),
  above: z.number(),
  /** Milliseconds since 1970. */
  since: z.number(),
  resolvedAt: z.number().optional(),
});
export type AlertNotice = z.infer<typeof AlertNotice>;

/** What is told together: alerts that hold, and alerts that are over. */
export const AlertGroup = z.object({
  firing: z.array(AlertNotice),
  resolved: z.array(AlertNotice),
});
export type AlertGroup = z.infer<typeof AlertGroup>;

/** Sends a group to the webhook, signed. */
export const AlertWebhook = defineJob('alert.webhook', { queue: alertsQueue, payload: AlertGroup });

/** Sends a group to a webhook that takes what Slack's do. */
export const AlertSlack = defineJob('alert.slack', { queue: alertsQueue, payload: AlertGroup });
