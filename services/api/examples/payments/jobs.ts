import { defineJob, defineQueue } from 'jobrail';
import { z } from 'zod';

export const paymentsQueue = defineQueue('payments');

const charge = z.object({
  orderId: z.string().min(1).max(100),
  /** In the smallest unit of the currency. */
  amount: z.int().positive(),
  currency: z.string().length(3),
});

/** Charges the card of an order, once. */
export const ChargeCard = defineJob('payments.charge', { queue: paymentsQueue, payload: charge });

/** The same, as it is written before it went wrong for the first time. */
export const ChargeCardNaively = defineJob('payments.charge-naively', {
  queue: paymentsQueue,
  payload: charge,
});
