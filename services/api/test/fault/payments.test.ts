import { expect } from 'chai';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type IsolatedRail, isolatedRail } from 'jobrail/testing';
import { ChargeCard, ChargeCardNaively } from '../../examples/payments/jobs.js';
import { PaymentStub } from '../payment-stub.js';

/** The example service in a process of its own, which is killed between charge and ack. Needs AMQP_URL. */
describe('the example payments.charge', () => {
  let rail: IsolatedRail;
  let provider: PaymentStub;
  let folder: string;
  const processes: ChildProcess[] = [];

  beforeEach(async () => {
    rail = await isolatedRail();
    folder = await mkdtemp(join(tmpdir(), 'jobrail-payments-'));
    provider = await PaymentStub.listen();
  });
  afterEach(async () => {
    for (const child of processes.splice(0)) await end(child);
    await provider.close();
    await rail.cleanup(ChargeCard, ChargeCardNaively);
    await rm(folder, { recursive: true, force: true });
  });

  const start = (env: NodeJS.ProcessEnv = {}) => {
    const child = fork(new URL('../../examples/payments/main.js', import.meta.url), {
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
      env: {
        ...process.env,
        AMQP_URL: rail.url,
        JOBRAIL_PREFIX: rail.prefix,
        JOBRAIL_STORE_URL: `sqlite:${join(folder, 'store.sqlite')}`,
        PAYMENTS_URL: provider.url,
        LOG_LEVEL: 'info',
        ...env,
      },
    });
    processes.push(child);
    return child;
  };
  const end = async (child: ChildProcess) => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  };
  const order = (orderId: string) => ({ orderId, amount: 1_999, currency: 'EUR' });
  /** Until a process has written that it completed the job. */
  const completed = (child: ChildProcess, id: string) =>
    new Promise<void>((resolve) => {
      let output = '';
      child.stdout!.on('data', (text: Buffer) => {
        output += text.toString();
        if (output.split('\n').some((line) => line.includes(id) && line.includes('job completed'))) resolve();
      });
    });

  for (const [contract, charges, what] of [
    [ChargeCardNaively, 2, 'charges twice without idempotency'],
    [ChargeCard, 1, 'charges once with it'],
  ] as const) {
    it(`${what}, when its process is killed between handler and ack`, async () => {
      const first = start({ DIE_BEFORE_ACK: 'yes' });
      const { id } = await rail.client.enqueue(contract, order('order-1'));
      expect(await once(first, 'exit')).to.deep.equal([null, 'SIGKILL']);
      expect(provider.ledger).to.deep.equal(['order-1']);
      await completed(start(), id);
      expect(provider.ledger).to.have.length(charges);
    });
  }

  it('charges once with it, when its process is killed while the provider charges', async () => {
    const first = start();
    provider.onCharge = async () => {
      if (provider.ledger.length > 1 || first.signalCode !== null) return;
      await end(first);
    };
    const { id } = await rail.client.enqueue(ChargeCard, order('order-3'));
    await once(first, 'exit');
    expect(provider.ledger).to.deep.equal(['order-3']);
    // The lease of the dead process is 5 s: real time, which is what this test waits for.
    const again = new Promise<void>((resolve) => (provider.onAgain = resolve));
    await Promise.all([again, completed(start(), id)]);
    expect(provider.ledger).to.deep.equal(['order-3']);
  }).timeout(30_000);
});
