import { Command } from 'commander';
import { findLetter } from './dead.js';
import { type EventVisit, readAllEvents } from './event-reading.js';
import { exitCode, Failure } from './exit.js';
import { jobFromEvents, type ToldEvent } from './job-from-events.js';
import { type JobStory, jobStory, letterStory, unknownStory } from './job-story.js';
import type { MonitorJob } from './monitor-client.js';
import { command, type Session, type SessionOptions, withSession } from './session.js';
import { ago, print, printable, printAll, printJson, Progress, table } from './terminal.js';

interface SearchFlags extends SessionOptions {
  limit: string;
  cursor?: string;
}

/** `jobrail jobs search` and `jobrail job <id>`. */
export function jobCommands(): Command[] {
  const jobs = new Command('jobs').description('Jobs that the monitor has recorded.');
  jobs.addCommand(
    command(
      'search',
      'find jobs by contract, queue, state, service, time, cause, or what is in their payload',
      `jobrail jobs search to:ada@example.com after:7d
jobrail jobs search state:dead contract:email.send --limit 20
jobrail jobs search 'fingerprint:3fa9c1d2e4b5 after:2026-03-01'`,
    )
      .argument('[words...]', 'field:value; a field that is none of the record is one of the payload')
      .option('--limit <number>', 'jobs of a page, 1 to 200', '50')
      .option('--cursor <text>', 'the next page, as the page before tells')
      .action((words: string[], flags: SearchFlags) => withSession(flags, (session) => search(session, words, flags))), // prettier-ignore
  );
  const job = command(
    'job',
    'what happened to a job, when, where, why, and what to do next',
    'jobrail job 01983c1e-0000-7000-8000-000000000000',
  )
    .argument('<id>', 'id of the job')
    .action((id: string, options: SessionOptions) => withSession(options, (session) => showJob(session, id)));
  return [jobs, job];
}

async function search(session: Session, words: string[], { limit, cursor }: SearchFlags): Promise<void> {
  if (!session.monitor) {
    throw new Failure(exitCode.unreachable, 'Only the monitor can search: a queue cannot be. Start services/monitor and name it: --monitor http://127.0.0.1:8090, or JOBRAIL_MONITOR_URL. Dead letters are found without: jobrail dead list.'); // prettier-ignore
  }
  const q = words.map(quoted).join(' ');
  const page = await session.monitor.search({
    ...(q && { q }),
    limit,
    ...(cursor !== undefined && { cursor }),
  });
  if (session.json) return printJson(page);
  printAll(
    table(
      [{ title: 'id' }, { title: 'state' }, { title: 'contract' }, { title: 'enqueued' }, { title: 'tries', right: true }, { title: 'error or reason', gives: true }], // prettier-ignore
      page.jobs.map(({ id, state, contract, enqueuedAt, attempts, error, reason }) => [
        id,
        state,
        contract,
        enqueuedAt === undefined ? '' : ago(enqueuedAt),
        String(attempts),
        error ? `${error.name}: ${error.message}` : (reason ?? ''),
      ]),
    ),
  );
  print(
    page.total === undefined ? `${page.jobs.length} jobs.` : `${page.jobs.length} of ${page.total} jobs.`,
  );
  if (page.next !== undefined) print(`Next page: the same with --cursor ${printable(page.next)}`);
  if (page.jobs.length > 0) print(`Next: jobrail job ${printable(page.jobs[0]!.id)}`);
}

/** A word with blanks that the shell took the quotes from. */
function quoted(word: string): string {
  const [, field, value] = /^([^\s:"]+):(.*\s.*)$/s.exec(word) ?? [];
  return field === undefined || value!.includes('"') || /\s\S+:/.test(value!) ? word : `${field}:"${value}"`;
}

async function showJob(session: Session, id: string): Promise<void> {
  const now = Date.now();
  const control = await session.control();
  const cancel = control.cancelOf(id);
  const { monitor } = session;
  const [source, job] = monitor
    ? ['monitor', await monitor.job(id)]
    : ['event stream', await fromEvents(session, id)];
  // What lies among the dead letters is dead, whatever the record says.
  const letter = !job || job.state === 'dead' ? await findLetter(session, id) : undefined;
  let story: JobStory;
  if (job) {
    const queue = await session.queueReport(job.queue);
    story = jobStory(job, { queue, cancel, now });
  } else {
    story = letter ? letterStory(letter.letter, now) : unknownStory(id, { cancel, now, monitor: !!monitor });
  }
  if (story.state === 'dead' && !letter) story.next = ['jobrail dead list'];
  if (story.state === 'unknown') process.exitCode = exitCode.unknown;
  const detail = job ?? letter?.letter;
  if (session.json) {
    return printJson({
      id,
      ...story,
      source: job ? source : 'broker',
      ...(detail !== undefined && { detail }),
    });
  }
  print(`Job ${printable(id)} ${story.headline}.`);
  printAll(story.lines);
  if (story.state === 'dead' && !letter)
    print('Its dead letter is gone: it was deleted, or is being sent again.');
  story.next.forEach((line, i) => print(`${i === 0 ? 'Next:' : '     '} ${line}`));
}

/** Where no monitor runs, the stream itself is read through. */
async function fromEvents(session: Session, id: string): Promise<MonitorJob | undefined> {
  const told: ToldEvent[] = [];
  const visit: EventVisit = (event, from) => {
    if ('job' in event && event.job === id) told.push({ event, from });
  };
  await readAllEvents(session, visit, new Progress('events read:', undefined));
  return jobFromEvents(id, told);
}
