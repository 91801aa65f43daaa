import { expect } from 'chai';
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { type HandlerClass, type JobContext, noRetry } from '../../src/index.js';
import { controlStream, deadQueue } from '../../src/model/topology.js';
import { CliMail } from '../fixtures/cli-contracts.js';
import { cliContracts, followJobrail, jobrail } from './cli-runs.js';
import { until } from '../contract/recorder.js';
import { useStage } from './stage.js';
import { working } from './working.js';

interface Group {
  fingerprint: string;
  count: number;
  error: string;
}

describe('jobrail', function () {
  this.timeout(30_000); // each command is a process of its own
  const stage = useStage();
  const run = (...words: string[]) => jobrail(stage, words);
  let healthy: boolean;

  beforeEach(() => (healthy = false));

  /** What the notes say happens, until all is healthy. */
  const handler: HandlerClass<typeof CliMail> = working(
    CliMail,
    async ({ to, note }, job: JobContext) => {
      if (note === 'wait') {
        await new Promise<void>((resolve) => job.signal.addEventListener('abort', () => resolve()));
        throw new Error('told to stop');
      }
      if (healthy || note === 'fine') return;
      if (note === 'smtp') throw new Error(`\u001b[2J550 no mailbox ${to}`);
      if (note === 'template') throw new TypeError('template is missing');
      throw new RangeError('too many');
    },
    { retry: noRetry },
  );

  const send = (note: string, n = 0) => stage.client.enqueue(CliMail, { to: `u${n}@example.com`, note });

  async function dead(count: number): Promise<void> {
    await until(
      () => stage.ready(deadQueue(stage.prefix, CliMail.queue)),
      (seen) => (seen ?? 0) === count,
    );
  }

  async function someDead(): Promise<void> {
    const causes = ['smtp', 'smtp', 'smtp', 'template', 'template', 'many'];
    for (const [n, note] of causes.entries()) await send(note, n);
    await dead(causes.length);
  }

  it('groups dead letters by cause, shows one, sends those of a cause again at a rate, and discards', async () => {
    await stage.start({ handlers: [handler], name: 'mailer' });
    await someDead();
    const list = await run('dead', 'list');
    expect(list).to.deep.include({ code: 0, err: '' });
    expect(list.out)
      .to.match(/ 3 +cli\.mail.*\\x1b\[2J550 no mailbox/)
      .and.include('6 dead letters of 3 causes');
    expect(list.out).not.to.include('\u001b');
    for (const line of list.out.split('\n')) expect(line.length).to.be.at.most(100);
    const groups = (await run('dead', 'list', '--json')).json<Group[]>();
    expect(groups.map(({ count }) => count)).to.deep.equal([3, 2, 1]);
    const smtp = groups[0]!.fingerprint;

    const dry = await run('dead', 'retry', '--fingerprint', smtp, '--rate', '20/s', '--dry-run');
    expect(dry.out).to.include('3 dead letters would be sent again');
    await dead(6);
    healthy = true;
    const retried = await run('dead', 'retry', '--fingerprint', smtp.slice(0, 6), '--rate', '20/s', '--json');
    expect(retried.json()).to.deep.include({ action: 'retry', dryRun: false, failed: [], missing: [] });
    await stage.signals.next(3, { what: 'ended', outcome: 'completed' });
    await dead(3);

    expect(await run('dead', 'discard', '--all')).to.include({ code: 2 });
    expect((await run('dead', 'discard', '--all', '--yes')).out).to.include('3 dead letters were deleted');
    expect((await run('dead', 'list')).out).to.equal('No dead letters.\n');
  });

  it('checks an edited payload against the contract before it is sent, and shows a letter with its history', async () => {
    await stage.start({ handlers: [handler], name: 'mailer' });
    const { id } = await send('template');
    await dead(1);
    const shown = await run('dead', 'show', id, '--payload');
    expect(shown.out)
      .to.include('TypeError: template is missing')
      .and.include('attempt 1')
      .and.include('"u0@example.com"');
    const edit = (payload: string, ...more: string[]) =>
      run('dead', 'retry', id, '--payload', payload, ...more);

    expect(await edit('{"to":"x"}')).to.include({ code: 2 }); // no contract is named
    const wrong = await edit('{"to":"x"}', '--contracts', cliContracts);
    expect(wrong).to.include({ code: 1 });
    expect(wrong.err).to.include('JR_PAYLOAD_INVALID').and.include('to:');
    await dead(1);
    const right = await edit('{"to":"a@example.com","note":"fine"}', '--contracts', cliContracts);
    expect(right.err).to.equal('');
    await stage.signals.first({ what: 'ended', id, outcome: 'completed' });
    expect(await run('dead', 'show', id)).to.include({ code: 3 });
    expect(await run('dead', 'retry', id)).to.include({ code: 3 });
  });

  it('tells what became of jobs by the event stream alone, and follows events', async () => {
    const lines: string[] = [];
    const following = followJobrail(stage, ['events', '--follow', '--json'], (line) => {
      lines.push(line);
      stage.signals.tell('line', line);
    });
    await stage.start({ handlers: [handler], name: 'mailer' });
    const later = await stage.client.enqueue(CliMail, { to: 'l@example.com', note: 'fine' }, { delay: '1h' });
    // The follower may have begun after the first events: it hears of one sooner or later.
    const ids: string[] = [];
    while (!lines.some((line) => line.includes('completed'))) {
      ids.push((await send('fine')).id);
      await stage.signals.next(ids.length, { what: 'ended', outcome: 'completed' });
    }
    const done = await run('job', ids[0]!, '--json');
    expect(done.json()).to.deep.include({ id: ids[0], state: 'completed', source: 'event stream' });
    expect((await run('job', later.id)).out).to.match(/is scheduled: it is to start .*in 59 min/);
    const cancelled = await run('cancel', later.id, '--reason', 'no more');
    expect(cancelled.out).to.include('is cancelled');
    expect((await run('job', later.id)).out)
      .to.include('cancelled by ada@test')
      .and.include('no more');
    await stage.signals.first(({ detail }) => typeof detail === 'string' && detail.includes('"control"'));
    expect((await run('events', '--job', ids[0]!)).out).to.match(/enqueued[\s\S]*completed/);
    const unknown = await run('job', '\u001b[2J');
    expect(unknown).to.include({ code: 3 });
    expect(unknown.out).to.include('Job \\x1b[2J is not known').and.not.include('\u001b');
    expect(await following.stop()).to.equal(0);
  });

  it('pauses, shows it, resumes, stops a running job, and drains', async () => {
    const service = await stage.start({ handlers: [handler], name: 'mailer' });
    expect((await run('pause', 'cli-mail')).out).to.include('paused everywhere');
    await stage.signals.when(() => service.readiness().paused, 'the pause');
    expect((await run('status')).out)
      .to.include('paused by ada@test')
      .and.include('No monitor is named');
    const queues = (await run('queues', '--json')).json<{ queue: string; paused?: { by: string } }[]>();
    expect(queues[0]).to.deep.nested.include({ queue: 'cli-mail', 'paused.by': 'ada@test' });
    expect((await run('resume', 'cli-mail')).out).to.include('is resumed');
    const { id } = await send('wait');
    await stage.signals.first({ what: 'began', id });
    await run('cancel', id);
    await stage.signals.first({ what: 'ended', id, outcome: 'cancelled' });
    const top = await run('top', '--once', '--interval', '0.3', '--json');
    expect(top.json<{ queues: unknown[] }>().queues).to.have.length(1);
    expect((await run('drain', 'mailer')).code).to.equal(0);
    await stage.signals.when(() => service.state === 'stopped', 'the service to stop');
    const doctor = await run('doctor', '--contracts', cliContracts);
    expect(doctor.code).to.equal(1);
    expect(doctor.out)
      .to.match(/ok +connection/)
      .and.match(/ok +topology/)
      .and.match(/WRONG +queue cli-mail.*nobody works/);
    expect(doctor.out).to.include('Start mailer.');
    expect(await run('pause', 'no-such')).to.include({ code: 3 });
    expect(await run('drain', 'no-such')).to.include({ code: 3 });
  });

  it('enqueues what fits its contract, and completes names', async () => {
    stage.owns(CliMail);
    const contracts = ['--contracts', cliContracts];
    const done = await run('enqueue', 'cli.mail', '{"to":"a@example.com","note":"fine"}', '--priority', '1', '--json', ...contracts); // prettier-ignore
    expect(done.json()).to.include({ contract: 'cli.mail', queue: 'cli-mail' });
    expect(await stage.ready(`${stage.prefix}.cli-mail.p1`)).to.equal(1);
    expect((await run('enqueue', 'cli.mail', '{"to":1}', ...contracts)).err).to.include('JR_PAYLOAD_INVALID');
    expect(await run('enqueue', 'cli.mail', '{no json', ...contracts)).to.include({ code: 2 });
    expect(await run('enqueue', 'cli.other', '{}', ...contracts)).to.include({ code: 3 });
    expect(await run('enqueue', 'cli.mail', '{}')).to.include({ code: 2 });
    const env = { JOBRAIL_CONTRACTS: cliContracts };
    expect((await jobrail(stage, ['__complete', '2', 'jobrail', 'enqueue', 'cli'], env)).out).to.equal(
      'cli.mail\n',
    );
    expect((await run('__complete', '1', 'jobrail', 'pa')).out).to.equal('pause\n');
    expect((await run('completion', 'bash')).out).to.include('complete -o default -F _jobrail jobrail');
  });

  it('exits with a code that says what kind of trouble it is, and has help with examples', async () => {
    expect(await run('nonsense')).to.include({ code: 2 });
    expect(await run('dead', 'retry')).to.include({ code: 2 });
    expect(await run('dead', 'retry', '--all', '--rate', 'fast')).to.include({ code: 2 });
    expect(await run('jobs', 'search', 'to:ada')).to.include({ code: 4 });
    const away = await jobrail(stage, ['status'], { AMQP_URL: 'amqp://user:secret@127.0.0.1:1' });
    expect(away).to.include({ code: 4 });
    expect(away.err).to.include('JR_BROKER_UNREACHABLE').and.not.include('secret');
    const help = await run('dead', 'retry', '--help');
    expect(help).to.include({ code: 0 });
    expect(help.out).to.include('Examples:').and.include('--rate 10/s --dry-run');
    expect((await run('--help')).out).to.include('Exit codes: 0 done;');
  });

  it('is not stopped by queues that somebody tells of and that cannot be', async () => {
    await stage.start({ handlers: [handler], name: 'mailer' });
    const channel = await stage.channel();
    const queues = ['x'.repeat(500), '\u001b[2J', 'events/..'].map((name) => ({
      ...{ name, type: 'quorum', priorities: 10, contracts: ['\u001b[31m'] },
    }));
    const mark = { v: 1, action: 'mark', at: 1, by: 'eve', id: 'none', service: 'eve', queues };
    channel.sendToQueue(controlStream(stage.prefix), Buffer.from(JSON.stringify(mark)));
    const { code, json } = await run('queues', '--json');
    expect(code).to.equal(0);
    expect(json<{ queue: string }[]>().map(({ queue }) => queue)).to.deep.equal(['cli-mail']);
    expect((await run('__complete', '2', 'jobrail', 'pause', '')).out).to.equal('cli-mail\n');
  });

  it('asks the monitor where one is named, and shows nothing of it that acts on a terminal', async () => {
    const asked: string[] = [];
    const job = { id: 'j1', contract: 'cli.mail', queue: 'cli-mail', state: 'retrying', attempts: 2, replays: 0, updatedAt: 1, nextAt: Date.now() + 60_000, error: { name: 'Error', message: '\u001b]0;owned\u0007', fingerprint: 'f' } }; // prettier-ignore
    const answers: Record<string, unknown> = {
      '/jobs/j1': {
        ...job,
        history: [{ at: 1, kind: 'retried', service: 'm', host: '\u001b[2J' }],
        children: [],
      },
      '/jobs': { jobs: [job], next: 'cursor', total: 7 },
      '/queues': [{ queue: 'cli-mail', states: { dead: 3 }, lanes: [] }],
      '/workers': [{ service: 'm', host: 'h', gone: false, clockSkewMs: 7_200_000 }],
      '/alerts': [{ rule: 'r', subject: 'q', text: 'too many \u001b[31m dead' }],
      '/projection': { lagMs: 12, rebuilding: false, jobs: 9, missingBatches: 0 },
    };
    const server = createServer((request, response) => {
      asked.push(`${request.headers.authorization ?? ''} ${request.url}`);
      const answer = answers[new URL(request.url!, 'http://x').pathname];
      response.writeHead(answer ? 200 : 404, { 'content-type': 'application/json' });
      response.end(
        JSON.stringify(answer ?? { error: { code: 'JOB_UNKNOWN', message: 'No job of this id is known.' } }),
      );
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    stage.atEnd(async () => {
      server.close();
      await once(server, 'close');
    });
    const { port } = server.address() as AddressInfo;
    const env = {
      JOBRAIL_MONITOR_URL: `http://127.0.0.1:${port}`,
      JOBRAIL_MONITOR_TOKEN: 'token-of-sixteen-characters',
    };
    const ask = (...words: string[]) => jobrail(stage, words, env);

    const found = await ask('jobs', 'search', 'to:ada lovelace', 'state:dead');
    expect(found.out).to.include('1 of 7 jobs').and.include('--cursor cursor').and.include('retrying');
    const asking = new URLSearchParams(asked[0]!.split('?')[1]);
    expect(asking.get('q')).to.equal('to:"ada lovelace" state:dead');
    expect(asked[0]).to.include('Bearer token-of-sixteen-characters');
    const shown = await ask('job', 'j1');
    expect(shown.out)
      .to.match(/will be tried again .*attempt 2 failed/)
      .and.include('\\x1b]0;owned\\x07');
    const status = await ask('status');
    expect(status.out).to.include('9 jobs recorded, 12 ms behind').and.include('too many \\x1b[31m dead');
    expect((await ask('job', 'nobody')).code).to.equal(3);
    expect((await ask('doctor')).out).to.match(/WRONG +clocks +the clock of m@h is 2 h ahead/);
    for (const { out } of [found, shown, status]) expect(out).not.to.include('\u001b');
    const gone = await jobrail(stage, ['job', 'j1'], { JOBRAIL_MONITOR_URL: 'http://127.0.0.1:1' });
    expect(gone).to.include({ code: 4 });
  });
});
