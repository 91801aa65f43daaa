import { expect } from 'chai';
import { BrokerError } from '../../../src/base/errors.js';
import type { BrokerFactory, Scene } from '../scene.js';
import { rejection } from '../rejection.js';

export function connecting(scene: () => Scene, make: BrokerFactory): void {
  it('knows product and version once connected', () => {
    expect(scene().broker.info?.product).to.be.a('string').and.not.equal('');
    expect(scene().broker.info?.version).to.match(/^\d+\.\d+/);
    expect(scene().broker.connected).to.equal(true);
  });

  it('may be asked to connect again', async () => {
    await scene().broker.connect();
    expect(scene().broker.connected).to.equal(true);
  });

  it('may be closed again, and before it was ever connected', async () => {
    const { broker } = scene();
    await broker.close();
    await broker.close();
    expect(broker.connected).to.equal(false);
    await make().close();
  });

  it('refuses everything after close, saying that this process closed it', async () => {
    const { broker } = scene();
    const queue = await scene().queue('q');
    await broker.close();
    const refusals = await Promise.all([
      rejection(broker.connect()),
      rejection(broker.declare({ exchanges: [], queues: [], bindings: [] })),
      rejection(scene().publish(queue, 'key')),
      rejection(broker.consume({ queues: [{ name: queue, prefetch: 1 }], onDelivery: () => undefined })),
      rejection(broker.get(queue)),
      rejection(broker.depth(queue)),
    ]);
    for (const error of refusals) {
      expect(error).to.be.instanceOf(BrokerError).with.property('code', 'JR_BROKER_CLOSED');
    }
  });

  it('confirms what was published before close', async () => {
    const queue = await scene().queue('q');
    const published = scene().send(queue, ['a', 'b', 'c']);
    await scene().broker.close();
    await published;
    const other = await scene().another();
    expect(await other.depth(queue)).to.deep.equal({ messages: 3, consumers: 0 });
  });
}
