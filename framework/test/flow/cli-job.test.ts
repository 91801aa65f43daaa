import { expect } from 'chai';
import { Fatal, fixed, type HandlerClass, type JobContext } from '../../src/index.js';
import { CliMail } from '../fixtures/cli-contracts.js';
import { jobrail } from './cli-runs.js';
import { useStage } from './stage.js';
import { gate, lone, working } from './working.js';

interface Story {
  state: string;
  headline: string;
  next: string[];
}

/** What the event stream alone tells, where no monitor runs. */
describe('jobrail job', function () {
  this.timeout(60_000); // each command is a process of its own
  const stage = useStage();
  const { opened, open } = gate();
  const tell = async (id: string) => {
    const { code, json } = await jobrail(stage, ['job', id, '--json']);
    const { state, headline, next } = json<Story>();
    return { code, state, headline, next };
  };
  const ended = (id: string, outcome: 'completed' | 'dead' | 'retry' | 'expired' | 'cancelled') =>
    stage.signals.first({ what: 'ended', id, outcome });

  const handler: HandlerClass<typeof CliMail> = working(
    CliMail,
    async ({ note }, job: JobContext) => {
      if (note === 'runs') {
        job.progress(0.5, 'half of it');
        await opened;
      }
      if (note === 'dies') throw new Fatal(new TypeError('no such template'));
      if (note === 'fails') throw new RangeError('too many at once');
    },
    { retry: fixed({ attempts: 2, every: '1h' }) },
  );

  it('tells what happened, when, where, why and what to do next, of a job in each state', async () => {
    const forgotten = lone('cli-forgotten');
    const send = async (note: string, options = {}) =>
      (await stage.client.enqueue(CliMail, { to: 'ada@example.com', note }, options)).id;
    const expired = await send('late', { expiresIn: 1 });
    const cancelled = await send('fine', { priority: 1 });
    await stage.client.cancel(cancelled, { by: 'ada', reason: 'sent twice' });
    await stage.start({ handlers: [handler], name: 'mailer' });
    await Promise.all([ended(expired, 'expired'), ended(cancelled, 'cancelled')]);
    const { id: waiting } = await stage.client.enqueue(forgotten, { note: '' });
    const scheduled = await send('fine', { delay: '2h' });
    const completed = await send('fine');
    const dead = await send('dies');
    const retrying = await send('fails');
    const running = await send('runs');
    await Promise.all([ended(completed, 'completed'), ended(dead, 'dead'), ended(retrying, 'retry')]);
    await stage.signals.first({ what: 'began', id: running });

    const cases: [id: string, state: string, headline: RegExp, next: string][] = [
      [waiting, 'pending', /^waits on queue cli-forgotten since .*nobody consumes the queue/, 'jobrail doctor'],
      [scheduled, 'scheduled', /^is scheduled: it is to start .*\(in 1 h 59 min\)/, `jobrail cancel ${scheduled}`],
      [running, 'processing', /^runs: attempt 1 began .* on mailer@.*, 50 % done \(half of it\)/, `jobrail events --follow --job ${running}`],
      [retrying, 'retrying', /^will be tried again .*\(in 59 min.*attempt 1 failed on mailer@.*RangeError: too many at once/, `jobrail events --follow --job ${retrying}`],
      [dead, 'dead', /^is dead since .*after 1 attempt, TypeError: no such template/, `jobrail dead show ${dead}`],
      [completed, 'completed', /^is completed: attempt 1 ended .* on mailer@/, ''],
      [expired, 'expired', /^expired before it started/, 'jobrail queues'],
      [cancelled, 'cancelled', /^was cancelled before its first attempt.*sent twice/, "jobrail enqueue cli.mail '<payload>'"],
    ]; // prettier-ignore
    for (const [id, state, headline, next] of cases) {
      const story = await tell(id);
      expect(story, state).to.include({ code: 0, state });
      expect(story.headline, state).to.match(headline);
      expect(story.next[0] ?? '', state).to.equal(next);
    }
    const unknown = await tell('01983c1e-0000-7000-8000-000000000000');
    expect(unknown).to.include({ code: 3, state: 'unknown' });
    expect(unknown.next[0]).to.include('--monitor <url>');
    open();
    await ended(running, 'completed');
  });
});
