import { expect } from 'chai';
import { fixed, type HandlerClass, type JobContext } from '../../src/index.js';
import { deadQueue } from '../../src/model/topology.js';
import { until } from '../contract/recorder.js';
import { CliMail } from '../fixtures/cli-contracts.js';
import { cliContracts, jobrail } from './cli-runs.js';
import { useStage } from './stage.js';
import { working } from './working.js';

/** A hundred thousand take about a minute: DEAD_AMONG=100000. */
const jobs = Number(process.env['DEAD_AMONG'] ?? 2_000);
const dying = 50;
const perSecond = 10;

interface Group {
  fingerprint: string;
  count: number;
  error: string;
}

describe(`fifty dead letters of three causes among ${jobs} jobs`, function () {
  this.timeout(60_000 + jobs * 5);
  const stage = useStage();
  const run = (...words: string[]) => jobrail(stage, words);
  const dead = () => stage.ready(deadQueue(stage.prefix, CliMail.queue));

  it('are three groups; one is sent again, at its rate, after a dry run; an edited payload only where it fits', async () => {
    let healthy = false;
    const done = new Set<string>();
    const runs = new Map<string, number>();
    const replayedAt: number[] = [];
    const handler: HandlerClass<typeof CliMail> = working(
      CliMail,
      ({ to, note }, job: JobContext) => {
        const attempt = `${note} ${job.id} ${job.attempt}`;
        runs.set(attempt, (runs.get(attempt) ?? 0) + 1);
        if (healthy) replayedAt.push(Date.now());
        else if (note === 'smtp') throw new Error(`550 no mailbox ${to}`);
        else if (note === 'template') throw new TypeError(`template ${job.id} is missing`);
        else if (note === 'quota') throw new RangeError(`${to.length} mails are too many`);
        done.add(job.id);
      },
      { retry: fixed({ attempts: 2, every: 0 }) },
    );
    await stage.start({ handlers: [handler], name: 'mailer', queues: { 'cli-mail': { concurrency: 50 } } });
    const causes = ['smtp', 'template', 'quota'];
    const payloads = Array.from({ length: jobs }, (_, i) => ({
      to: `user-${i}@example.com`,
      note: i % (jobs / dying) === 0 ? causes[(i / (jobs / dying)) % 3]! : 'fine',
    }));
    for (let i = 0; i < jobs; i += 5_000)
      await stage.client.enqueueMany(CliMail, payloads.slice(i, i + 5_000));
    await until(
      async () => ({
        completed: done.size,
        letters: await dead(),
        ranTwice: [...runs].filter(([, count]) => count > 1).slice(0, 20),
      }),
      ({ completed, letters }) => completed === jobs - dying && letters === dying,
      30_000 + jobs * 3,
    );

    const list = await run('dead', 'list');
    expect(list.out).to.include('50 dead letters of 3 causes.');
    const groups = (await run('dead', 'list', '--json')).json<Group[]>();
    expect(groups.map(({ count }) => count)).to.deep.equal([17, 17, 16]);
    const smtp = groups.find(({ error }) => error.includes('no mailbox'))!;
    const retry = ['dead', 'retry', '--fingerprint', smtp.fingerprint, '--rate', `${perSecond}/s`];
    expect((await run(...retry, '--dry-run')).out).to.include('17 dead letters would be sent again');
    expect(await dead()).to.equal(dying);

    healthy = true;
    const sent = await run(...retry);
    expect(sent.out).to.include('17 dead letters were sent again').and.include('no mailbox');
    await stage.signals.when(() => replayedAt.length === 17, 'all to run again');
    const tookMs = replayedAt.at(-1)! - replayedAt[0]!;
    expect(tookMs, 'at most ten a second').to.be.at.least((16 * 1_000) / perSecond - 200);
    await until(dead, (count) => count === dying - 17);

    const [letter] = (await run('dead', 'list', '--each', '--json')).json<{ id: string }[]>();
    const edit = (payload: string) =>
      run('dead', 'retry', letter!.id, '--payload', payload, '--contracts', cliContracts);
    expect(await edit('{"to":"nobody","note":"fine"}')).to.include({ code: 1 });
    expect(await dead()).to.equal(dying - 17);
    expect(await edit('{"to":"ada@example.com","note":"fine"}')).to.include({ code: 0 });
    await stage.signals.when(() => done.has(letter!.id), 'the edited job to run');
    await until(dead, (count) => count === dying - 18);
  });
});
