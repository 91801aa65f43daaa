import { expect } from 'chai';
import { startChild } from '../flow/child.js';
import { useStage } from '../flow/stage.js';
import { working } from '../flow/working.js';
import { Stuck } from './fixtures/stuck-contract.js';

describe('a job that never gives the event loop back', () => {
  const stage = useStage();

  it('costs its process, which the watchdog kills and says why, and is given to another', async () => {
    const { id } = await stage.client.enqueue(Stuck, { note: '' });
    const child = startChild(stage, new URL('fixtures/stuck.js', import.meta.url), stage.env);
    expect(await child.exited).to.equal('SIGKILL');
    expect(child.output.stderr).to.match(/"msg":"event loop stood still for \d+ ms; process killed"/);
    await stage.start({ handlers: [working(Stuck, () => undefined)] });
    await stage.signals.first({ what: 'ended', id, attempt: 1, outcome: 'completed' });
  });
});
