import { expect } from 'chai';
import { header } from '../../src/model/envelope.js';
import { laneQueue, suspectsQueue } from '../../src/model/topology.js';
import { type Child, startChild } from '../flow/child.js';
import { useStage } from '../flow/stage.js';
import { crashing } from './fixtures/crashing-contract.js';

describe('a job that kills its process', () => {
  const stage = useStage();

  for (const type of ['quorum', 'classic'] as const) {
    it(`is a dead letter after three crashes, and the job that ran beside it completes once (${type})`, async () => {
      const Crashing = crashing[type];
      const dead = await stage.deadLetters(Crashing);
      await stage.client.enqueueMany(Crashing, [{ note: 'innocent' }, { note: 'poison' }]);
      const children: Child[] = [];
      const start = () => {
        const env = { ...stage.env, ROUND: String(children.length + 1), QUEUE_TYPE: type };
        const child = startChild(stage, new URL('fixtures/crashing.js', import.meta.url), env);
        children.push(child);
        return child;
      };
      for (const crash of [1, 2, 3]) expect(await start().exited, `crash ${crash}`).to.equal('SIGKILL');
      const last = start();
      const { properties, body } = await dead.one();
      expect(body.toString()).to.equal('{"note":"poison"}');
      expect(properties.headers).to.include({ [header.deadReason]: 'crashed' });
      expect(properties.headers[header.errorMessage]).to.match(
        /its process died 3 times while it had the job/,
      );

      const completed = () =>
        children.flatMap(({ told }) => told.all).filter((word) => /^completed/.test(word));
      await stage.signals.when(() => completed().length > 0, 'the innocent job to complete');
      last.process.kill('SIGTERM');
      expect(await last.exited).to.equal(0);
      expect(completed()).to.deep.equal(['completed innocent']);
      expect(last.told.all).to.not.include('began poison');
      expect(await stage.ready(laneQueue(stage.prefix, Crashing.queue, 0))).to.equal(0);
      expect(await stage.ready(suspectsQueue(stage.prefix, Crashing.queue))).to.equal(0);
      expect(dead.all).to.have.length(1);
    });
  }
});
