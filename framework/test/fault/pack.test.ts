import { expect } from 'chai';
import { header } from '../../src/model/envelope.js';
import { laneQueue, suspectsQueue } from '../../src/model/topology.js';
import { until } from '../contract/recorder.js';
import { type Child, startChild } from '../flow/child.js';
import { useStage } from '../flow/stage.js';
import { gate, lone, working } from '../flow/working.js';
import { Packed } from './fixtures/packed-contract.js';
import { TcpProxy } from './tcp-proxy.js';

describe('jobs that share a message', () => {
  const stage = useStage();

  it('do not die with the one among them that kills its process', async () => {
    const dead = await stage.deadLetters(Packed);
    const notes = Array.from({ length: 12 }, (_, i) => (i === 5 ? 'poison' : `innocent ${i}`));
    const jobs = await stage.client.enqueueMany(
      Packed,
      notes.map((note) => ({ note })),
      { pack: 12 },
    );
    const children: Child[] = [];
    const start = () => {
      const child = startChild(stage, new URL('fixtures/packed.js', import.meta.url), stage.env);
      children.push(child);
      return child;
    };
    for (const crash of [1, 2, 3]) expect(await start().exited, `crash ${crash}`).to.equal('SIGKILL');
    const last = start();
    const { properties, body } = await dead.one();
    expect(body.toString()).to.equal('{"note":"poison"}');
    expect(properties.messageId).to.equal(jobs[5]!.id);
    expect(properties.headers).to.include({ [header.deadReason]: 'crashed' });
    expect(properties.headers[header.errorMessage]).to.match(/its process died 3 times while it had the job/);

    const completed = () => new Set(children.flatMap(({ told }) => told.all));
    await stage.signals.when(() => completed().size === 11, 'all others to complete');
    last.process.kill('SIGTERM');
    expect(await last.exited).to.equal(0);
    expect(await stage.ready(laneQueue(stage.prefix, Packed.queue, 0))).to.equal(0);
    expect(await stage.ready(suspectsQueue(stage.prefix, Packed.queue))).to.equal(0);
    expect(dead.all).to.have.length(1);
  });

  it('run once when the connection is lost meanwhile, also those that had ended', async () => {
    const contract = lone('pack-cut');
    const proxy = await TcpProxy.before(stage.rail.url);
    stage.atEnd(() => proxy.close());
    const { opened, open } = gate();
    await stage.start({
      handlers: [working(contract, ({ note }) => (note === 'slow' ? opened : undefined))],
      url: proxy.through(stage.rail.url),
      queues: { 'pack-cut': { concurrency: 2 } },
      events: 'off',
    });
    const notes = ['a', 'b', 'slow', 'c', 'd'];
    await stage.client.enqueueMany(
      contract,
      notes.map((note) => ({ note })),
      { pack: 5 },
    );
    await stage.signals.next(4, { what: 'ended', outcome: 'completed' });
    proxy.cut();
    await stage.signals.first(
      ({ what, detail }) => what === 'logged' && /runs here already/.test((detail as { msg: string }).msg),
    );
    open();
    await stage.signals.next(5, { what: 'ended', outcome: 'completed' });
    await until(
      () => stage.ready(laneQueue(stage.prefix, contract.queue, 0)),
      (count) => count === 0,
    );
    expect(stage.signals.of({ what: 'began' })).to.have.length(5);
  });
});
