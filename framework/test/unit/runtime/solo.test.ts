import { expect } from 'chai';
import { Solo } from '../../../src/runtime/solo.js';
import { gate } from '../../flow/working.js';
import { rejection } from '../../contract/rejection.js';

describe('Solo', () => {
  it('lets jobs in together while none wants to be alone', () => {
    const solo = new Solo();
    expect([solo.enter(), solo.enter()]).to.deep.equal([true, true]);
  });

  it('begins alone when the last has left, lets none in meanwhile, and opens again after', async () => {
    const solo = new Solo();
    const opened: string[] = [];
    solo.onOpen(() => opened.push('open'));
    solo.enter();
    solo.enter();
    let began = false;
    const { opened: finished, open: finish } = gate();
    const alone = solo.alone(async () => {
      began = true;
      await finished;
      return 'result';
    });
    solo.leave();
    await Promise.resolve();
    expect(began).to.equal(false);
    expect(solo.enter(), 'while one waits to be alone').to.equal(false);
    solo.leave();
    await new Promise((resolve) => setImmediate(resolve));
    expect(began).to.equal(true);
    expect(solo.enter(), 'while one is alone').to.equal(false);
    expect(opened).to.deep.equal([]);
    finish();
    expect(await alone).to.equal('result');
    expect(opened).to.deep.equal(['open']);
    expect(solo.enter()).to.equal(true);
  });

  it('lets several be alone one after another, also after one that fails', async () => {
    const solo = new Solo();
    const order: string[] = [];
    const first = solo.alone(async () => {
      order.push('first begins');
      await Promise.resolve();
      order.push('first ends');
      throw new Error('first failed');
    });
    const second = solo.alone(async () => {
      order.push('second');
      return Promise.resolve();
    });
    expect((await rejection(first)).message).to.equal('first failed');
    await second;
    expect(order).to.deep.equal(['first begins', 'first ends', 'second']);
    expect(solo.enter()).to.equal(true);
  });
});
