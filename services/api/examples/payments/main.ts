import 'reflect-metadata';
import { ContainerModule } from 'inversify';
import { JobService } from 'jobrail';
import { ChargeCardHandler } from './charge-card.js';
import { ChargeCardNaivelyHandler } from './charge-card-naively.js';
import { PaymentProvider } from './payment-provider.js';

const url = process.env['PAYMENTS_URL'] ?? 'http://127.0.0.1:8070';
const provider = new ContainerModule(({ bind }) => {
  bind(PaymentProvider).toConstantValue(new PaymentProvider(url));
});
const service = new JobService({
  name: 'payments',
  handlers: [ChargeCardHandler, ChargeCardNaivelyHandler],
  modules: [provider],
  queues: { payments: { concurrency: 5 } },
});
// For the test of this example: dies between the end of the handler and the ack.
if (process.env['DIE_BEFORE_ACK']) {
  service.use({
    name: 'die before ack',
    async attempt(_attempt, next) {
      await next();
      process.kill(process.pid, 'SIGKILL');
      return new Promise(() => undefined);
    },
  });
}
await service.run();
