import { type Command } from 'commander';
import { systemClock } from '../base/clock.js';
import { cancelUntil, type ControlOrder } from '../model/control.js';
import { sendControl } from '../runtime/control.js';
import { exitCode, Failure } from './exit.js';
import { openEvents } from './open-events.js';
import { command, type Session, type SessionOptions, withSession } from './session.js';
import { print, printable, printJson } from './terminal.js';

/** `jobrail pause | resume | cancel | drain`: said to all processes, those that start later included. */
export function controlCommands(): Command[] {
  const pause = command(
    'pause',
    'start no more jobs of a queue, in all processes, until resume',
    'jobrail pause email',
  )
    .argument('<queue>', 'name of the queue')
    .action((queue: string, options: SessionOptions) =>
      withSession(options, async (session) => {
        await session.queue(queue);
        await say(session, { action: 'pause', queue }, `Queue ${queue} is paused everywhere. Jobs that run go on; "jobrail resume ${queue}" ends it.`); // prettier-ignore
      }),
    );
  const resume = command('resume', 'end a pause', 'jobrail resume email')
    .argument('<queue>', 'name of the queue')
    .action((queue: string, options: SessionOptions) =>
      withSession(options, async (session) => {
        const paused = (await session.control()).isPaused(queue);
        if (!paused) await session.queue(queue);
        await say(session, { action: 'resume', queue }, paused ? `Queue ${queue} is resumed.` : `Queue ${queue} was not paused.`); // prettier-ignore
      }),
    );
  const cancel = command(
    'cancel',
    'do not start a job that waits or is delayed; stop it where it runs',
    'jobrail cancel 01983c1e-0000-7000-8000-000000000000 --reason "sent twice"',
  )
    .argument('<id>', 'id of the job')
    .option('--reason <text>', 'kept with the job')
    .action((job: string, options: SessionOptions & { reason?: string }) => withSession(options, (session) => cancelJob(session, job, options.reason))); // prettier-ignore
  const drain = command(
    'drain',
    'stop the processes of a service that run now: they finish their jobs and end',
    'jobrail drain email',
  )
    .argument('<service>', 'name of the service')
    .action((service: string, options: SessionOptions) =>
      withSession(options, async (session) => {
        const services = [...new Set((await session.knownQueues()).flatMap((queue) => queue.services))];
        if (!services.includes(service)) {
          throw new Failure(exitCode.unknown, `No service "${service}" was ever started here; there are ${services.join(', ') || 'none'}.`); // prettier-ignore
        }
        await say(session, { action: 'drain', service }, `The processes of service ${service} finish what they run and end. Those that are started later are not concerned.`); // prettier-ignore
      }),
    );
  return [pause, resume, cancel, drain];
}

async function cancelJob(session: Session, job: string, reason: string | undefined): Promise<void> {
  const known = await session.monitor?.job(job);
  if (known && ['completed', 'discarded', 'cancelled', 'expired'].includes(known.state)) {
    throw new Failure(
      exitCode.wrong,
      `Job ${printable(job)} is ${known.state} already: there is nothing to cancel.`,
    );
  }
  if (known?.state === 'dead') {
    throw new Failure(exitCode.wrong, `Job ${printable(job)} is dead: "jobrail dead discard ${printable(job)}" deletes it.`); // prettier-ignore
  }
  const until = cancelUntil(Date.now());
  await say(session, { action: 'cancel', job, reason, until }, `Job ${printable(job)} is cancelled: it is not started any more, and told to stop if it runs.`); // prettier-ignore
  if (!session.monitor && !session.json)
    print('Whether there is such a job cannot be known without a monitor.');
}

async function say(session: Session, order: ControlOrder, text: string): Promise<void> {
  const broker = await session.broker();
  const events = openEvents(session, broker);
  try {
    const said = await sendControl(order, { broker, prefix: session.prefix, clock: systemClock, by: session.by, events: events.sink }); // prettier-ignore
    if (session.json) printJson(said);
    else print(printable(text));
  } finally {
    await events.close();
  }
}
