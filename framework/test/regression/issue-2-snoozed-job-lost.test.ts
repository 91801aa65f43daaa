import { Snooze } from '../../src/index.js';
import { TcpProxy } from '../fault/tcp-proxy.js';
import { useStage } from '../flow/stage.js';
import { lone, working } from '../flow/working.js';

/*
 * A snoozed job has the number of its attempt unchanged. When the connection broke while a worker held it, it was taken
 * for the attempt that had been settled by snoozing, and acked without having run.
 */
describe('a snoozed job that is delivered again', () => {
  const stage = useStage();

  it('runs', async () => {
    const proxy = await TcpProxy.before(stage.rail.url);
    stage.atEnd(() => proxy.close());
    const contract = lone('snoozed');
    let snoozes = 0;
    const handler = working(contract, () => {
      if (snoozes++ === 0) throw new Snooze({ in: '400ms' });
    });
    const service = await stage.start({ handlers: [handler], url: proxy.through(stage.rail.url) });
    const { id } = await stage.client.enqueue(contract, { note: '' });
    await stage.signals.first({ what: 'ended', id, outcome: 'snooze' });
    await stage.signals.when(() => service.load['snoozed']!.held === 1, 'the snoozed job to be held');
    proxy.cut();
    await stage.signals.first({ what: 'ended', id, outcome: 'completed' });
  });
});
