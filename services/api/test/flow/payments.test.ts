import { expect } from 'chai';
import { ContainerModule } from 'inversify';
import { checkIdempotent } from 'jobrail/testing';
import { ChargeCardHandler } from '../../examples/payments/charge-card.js';
import { ChargeCardNaivelyHandler } from '../../examples/payments/charge-card-naively.js';
import { PaymentProvider } from '../../examples/payments/payment-provider.js';
import { PaymentStub } from '../payment-stub.js';

describe('the example payments.charge, whatever happens to its process', () => {
  let stub: PaymentStub;
  beforeEach(async () => (stub = await PaymentStub.listen()));
  afterEach(() => stub.close());

  const check = (handler: typeof ChargeCardHandler | typeof ChargeCardNaivelyHandler) => {
    const provider = new PaymentProvider(stub.url);
    return checkIdempotent(
      handler,
      (trial) => ({ orderId: `order-${trial}`, amount: 1_999, currency: 'EUR' }),
      {
        modules: [new ContainerModule(({ bind }) => void bind(PaymentProvider).toConstantValue(provider))],
        effects: () => stub.ledger.length,
      },
    );
  };

  it('charges once', async () => {
    const { problems, awaits } = await check(ChargeCardHandler);
    expect(problems).to.deep.equal([]);
    expect(awaits).to.include('PaymentProvider.charge #1');
  });

  it('charges twice where it is naive', async () => {
    const { doubled } = await check(ChargeCardNaivelyHandler);
    expect(doubled).to.deep.equal([
      { when: 'twice', effects: 2 },
      { when: 'concurrently', effects: 2 },
      { when: 'killed', at: 'PaymentProvider.charge #1', effects: 2 },
      { when: 'killed', at: 'the end of handle', effects: 2 },
    ]);
  });
});
