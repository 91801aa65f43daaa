import { inject } from 'inversify';
import { fixed, type Handler, Job, type JobContext, type PayloadOf } from 'jobrail';
import { ChargeCard } from './jobs.js';
import { PaymentProvider } from './payment-provider.js';

/**
 * Charges an order once, whatever is delivered or enqueued twice. `idempotency` keeps a charge that was made from being made
 * again, and gives its id to whoever asks. What no store of ours can know is whether a request that a crash cut off has
 * reached the provider: for that the provider gets the same key.
 */
@Job(ChargeCard, {
  retry: fixed({ attempts: 5, every: '2s' }),
  timeout: '30s',
  idempotency: { key: ({ orderId }) => orderId, keepFor: '7d', lease: '5s' },
})
export class ChargeCardHandler implements Handler<typeof ChargeCard> {
  constructor(@inject(PaymentProvider) private readonly provider: PaymentProvider) {}

  async handle(charge: PayloadOf<typeof ChargeCard>, { signal }: JobContext) {
    return this.provider.charge(charge, { key: charge.orderId, signal });
  }
}
