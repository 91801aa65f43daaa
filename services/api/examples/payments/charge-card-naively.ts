import { inject } from 'inversify';
import { fixed, type Handler, Job, type JobContext, type PayloadOf } from 'jobrail';
import { ChargeCardNaively } from './jobs.js';
import { PaymentProvider } from './payment-provider.js';

/** Don't: a worker that dies after the charge and before its ack charges a second time. */
@Job(ChargeCardNaively, { retry: fixed({ attempts: 5, every: '2s' }), timeout: '30s' })
export class ChargeCardNaivelyHandler implements Handler<typeof ChargeCardNaively> {
  constructor(@inject(PaymentProvider) private readonly provider: PaymentProvider) {}

  async handle(charge: PayloadOf<typeof ChargeCardNaively>, { signal }: JobContext) {
    return this.provider.charge(charge, { signal });
  }
}
