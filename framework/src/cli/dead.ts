import { Command } from 'commander';
import { systemClock, pause } from '../base/clock.js';
import { redact } from '../base/redact.js';
import { toError } from '../base/errors.js';
import { validatePayload } from '../model/contract.js';
import type { DeadLetter } from '../model/dead-letter.js';
import { readPayload } from '../model/envelope.js';
import { recordedPayload } from '../model/recorded-payload.js';
import { DeadLetters, type TakenLetter } from '../runtime/dead-letters.js';
import { readPayloadArgument } from './enqueue.js';
import { exitCode, Failure } from './exit.js';
import { at, errorOf, grouped, letterLines, printGroups } from './letter-view.js';
import { openEvents } from './open-events.js';
import { command, type Session, type SessionOptions, withSession } from './session.js';
import {
  counted,
  print,
  printable,
  printableLines,
  printAll,
  printJson,
  Progress,
  table,
} from './terminal.js';

interface Selection extends SessionOptions {
  queue?: string;
  fingerprint?: string;
  contract?: string;
  all?: boolean;
}

interface ActFlags extends Selection {
  rate?: string;
  dryRun?: boolean;
  payload?: string;
  yes?: boolean;
}

/** `jobrail dead list | show | retry | discard` */
export function deadCommand(): Command {
  const dead = new Command('dead').description(
    'Jobs that were given up on: look at them, send them again, delete them.',
  );
  const selecting = (one: Command) =>
    one
      .option('--queue <name>', 'only of this queue')
      .option('--fingerprint <hex>', 'only of this cause, as "dead list" shows it; its beginning is enough')
      .option('--contract <name>', 'only of this contract');
  dead.addCommand(
    selecting(command('list', 'dead letters by cause, with counts', 'jobrail dead list\njobrail dead list --queue email --each')) // prettier-ignore
      .option('--each', 'a line for each letter')
      .action((flags: Selection & { each?: boolean }) =>
        withSession(flags, (session) => list(session, flags)),
      ),
  );
  dead.addCommand(
    command('show', 'all that is known of a dead letter', 'jobrail dead show 01983c1e-0000-7000-8000-000000000000')
      .argument('<id>', 'id of the job')
      .option('--queue <name>', 'only look in this queue')
      .option('--payload', 'with the payload, secrets included')
      .action((id: string, flags: SessionOptions & { queue?: string; payload?: boolean }) => withSession(flags, (session) => show(session, id, flags))), // prettier-ignore
  );
  dead.addCommand(
    selecting(
      command(
        'retry',
        'send dead letters again: the same job from attempt 1, its history kept',
        `jobrail dead retry 01983c1e-0000-7000-8000-000000000000
jobrail dead retry --fingerprint 3fa9c1 --rate 10/s --dry-run
jobrail dead retry 01983c1e-… --payload '{"to":"ada@example.com"}' --contracts dist/src/jobs.js`,
      ),
    )
      .argument('[ids...]', 'ids of jobs')
      .option('--all', 'all there are')
      .option('--rate <number/unit>', 'at most so many, such as 10/s or 100/m')
      .option('--dry-run', 'say what would be done')
      .option(
        '--payload <json>',
        'another payload, for one job: JSON, @file or -; checked against its contract',
      )
      .action((ids: string[], flags: ActFlags) =>
        withSession(flags, (session) => act(session, 'retry', ids, flags)),
      ),
  );
  dead.addCommand(
    selecting(command('discard', 'delete dead letters for good', 'jobrail dead discard --fingerprint 3fa9c1 --yes'))
      .argument('[ids...]', 'ids of jobs')
      .option('--all', 'all there are')
      .option('--dry-run', 'say what would be done')
      .option('--yes', 'needed for more than the ids that are named')
      .action((ids: string[], flags: ActFlags) => withSession(flags, (session) => act(session, 'discard', ids, flags))), // prettier-ignore
  );
  return dead;
}

async function list(session: Session, flags: Selection & { each?: boolean }): Promise<void> {
  const letters: DeadLetter[] = [];
  await walkAll(session, flags, async ({ letter }) => {
    if (fits(letter, [], flags)) letters.push(letter);
  });
  const groups = grouped(letters);
  if (session.json) return printJson(flags.each ? letters : groups);
  if (letters.length === 0) return print('No dead letters.');
  if (flags.each) {
    printAll(
      table(
        [
          { title: 'id' },
          { title: 'contract' },
          { title: 'died' },
          { title: 'cause' },
          { title: 'error', gives: true },
        ],
        letters.map((letter) => [
          letter.id,
          letter.contract,
          at(letter.deadAt),
          letter.fingerprint,
          errorOf(letter),
        ]),
      ),
    );
  } else printGroups(groups);
  print(`\n${counted(letters.length, 'dead letter')} of ${counted(groups.length, 'cause')}.`);
  print(`Next: jobrail dead show ${printable(groups[0]!.example)}`);
  print(`      jobrail dead retry --fingerprint ${printable(groups[0]!.fingerprint)} --dry-run`);
}

async function show(
  session: Session,
  id: string,
  flags: { queue?: string; payload?: boolean },
): Promise<void> {
  const found = await findLetter(session, id, flags.queue);
  if (!found) throw unknownLetter(id);
  const { letter, body } = found;
  const payload = flags.payload ? payloadOf(body) : undefined;
  if (session.json) return printJson({ ...letter, ...(flags.payload && { payload }) });
  printAll(letterLines(letter));
  if (flags.payload)
    printAll(['', 'payload', ...printableLines(JSON.stringify(payload, null, 2)).map((line) => `  ${line}`)]); // prettier-ignore
  else print(`\nThe payload has ${letter.payloadBytes} bytes; --payload shows it.`);
  print(
    `Next: jobrail dead retry ${printable(letter.id)}   or: jobrail dead discard ${printable(letter.id)}`,
  );
}

/** Looks through the dead letters for a job. */
export async function findLetter(
  session: Session,
  id: string,
  queue?: string,
): Promise<{ letter: DeadLetter; body: Buffer } | undefined> {
  // prettier-ignore
  let found: { letter: DeadLetter; body: Buffer } | undefined;
  await walkAll(session, queue === undefined ? {} : { queue }, async ({ letter, body }) => {
    if (letter.id === id) found = { letter, body };
    return found === undefined;
  });
  return found;
}

async function act(
  session: Session,
  what: 'retry' | 'discard',
  ids: string[],
  flags: ActFlags,
): Promise<void> {
  const chosen = (ids.length > 0 || flags.fingerprint) ?? flags.contract ?? flags.queue ?? flags.all;
  if (!chosen) {
    throw new Failure(exitCode.usage, `Say which: ids, --fingerprint, --contract, --queue or --all.`);
  }
  if (what === 'discard' && ids.length === 0 && !flags.yes && !flags.dryRun) {
    throw new Failure(
      exitCode.usage,
      'This deletes all that fit, for good: look with --dry-run first, then say --yes.',
    );
  }
  const everyMs = rateMs(flags.rate);
  const edited = flags.payload === undefined ? undefined : await editedPayload(session, ids, flags.payload);
  const done: DeadLetter[] = [];
  const failed: { letter: DeadLetter; error: string }[] = [];
  const progress = new Progress(
    what === 'retry' ? 'sending again' : 'deleting',
    await countAll(session, flags),
  );
  let seen = 0;
  const events = flags.dryRun ? undefined : openEvents(session, await session.broker());
  try {
    await walkAll(
      session,
      flags,
      async (taken) => {
        progress.update(++seen);
        if (!fits(taken.letter, ids, flags)) return;
        try {
          if (!flags.dryRun) {
            if (done.length > 0 && everyMs > 0) await pause(systemClock, everyMs);
            if (what === 'retry') await taken.replay(edited?.body, edited?.recorded);
            else taken.discard();
          }
          done.push(taken.letter);
        } catch (error) {
          failed.push({ letter: taken.letter, error: toError(error).message });
        }
      },
      events?.sink,
    );
  } finally {
    progress.end();
    await events?.close();
  }
  const missing = ids.filter(
    (id) => ![...done, ...failed.map(({ letter }) => letter)].some((letter) => letter.id === id),
  );
  tell(session, { what, done, failed, missing, dryRun: flags.dryRun ?? false });
  if (failed.length > 0) process.exitCode = exitCode.wrong;
  else if (done.length === 0 || missing.length > 0) process.exitCode = exitCode.unknown;
}

interface Acted {
  what: 'retry' | 'discard';
  done: DeadLetter[];
  failed: { letter: DeadLetter; error: string }[];
  missing: string[];
  dryRun: boolean;
}

function tell(session: Session, { what, done, failed, missing, dryRun }: Acted): void {
  const groups = grouped(done);
  if (session.json) {
    const ids = (letters: DeadLetter[]) => letters.map(({ id }) => id);
    const failures = failed.map(({ letter, error }) => ({ id: letter.id, error }));
    return printJson({ action: what, dryRun, jobs: ids(done), groups, failed: failures, missing });
  }
  if (done.length > 0) printGroups(groups);
  const verb = what === 'retry' ? 'sent again' : 'deleted';
  const be = dryRun ? 'would be' : done.length === 1 ? 'was' : 'were';
  print(`${counted(done.length, 'dead letter')} ${be} ${verb}.`);
  if (failed.length > 0) print(`${failed.length} could not be, and are where they were: ${printable(redact(failed[0]!.error))}`); // prettier-ignore
  if (missing.length > 0) print(`No dead letter: ${printable(missing.join(', '))}`);
  if (what === 'retry' && !dryRun && done.length === 1) print(`Next: jobrail job ${printable(done[0]!.id)}`);
}

/** @throws Failure or ContractError for a payload that does not fit the contract of the one job that is named */
async function editedPayload(
  session: Session,
  ids: string[],
  argument: string,
): Promise<{ body: Buffer; recorded: string | undefined }> {
  // prettier-ignore
  if (ids.length !== 1) throw new Failure(exitCode.usage, '--payload is for one job: name its id, and no other.');
  const found = await findLetter(session, ids[0]!);
  if (!found) throw unknownLetter(ids[0]!);
  const contract = await session.contract(found.letter.contract);
  const value = await readPayloadArgument(argument);
  await validatePayload(contract, value);
  await new Promise((resolve) => setTimeout(resolve, 200)); // what was looked at is on its way back
  const body = Buffer.from(JSON.stringify(value));
  return { body, recorded: recordedPayload(contract, body) };
}

async function walkAll(
  session: Session,
  { queue }: { queue?: string },
  visit: (taken: TakenLetter) => Promise<unknown>,
  events?: ConstructorParameters<typeof DeadLetters>[0]['events'],
): Promise<void> {
  const desk = new DeadLetters({
    broker: await session.broker(),
    prefix: session.prefix,
    clock: systemClock,
    by: session.by,
    events,
  });
  for (const name of await queueNames(session, queue)) {
    let over = false;
    await desk.walk(name, async (taken) => {
      over = (await visit(taken)) === false;
      return !over;
    });
    if (over) return;
  }
}

async function countAll(session: Session, { queue }: { queue?: string }): Promise<number> {
  const desk = new DeadLetters({
    broker: await session.broker(),
    prefix: session.prefix,
    clock: systemClock,
    by: '',
  });
  const counts = await Promise.all((await queueNames(session, queue)).map((name) => desk.count(name)));
  return counts.reduce<number>((sum, count) => sum + (count ?? 0), 0);
}

async function queueNames(session: Session, queue: string | undefined): Promise<string[]> {
  if (queue !== undefined) return [(await session.queue(queue)).name];
  return (await session.knownQueues()).map(({ name }) => name);
}

function fits(
  letter: DeadLetter,
  ids: readonly string[],
  { fingerprint, contract, queue }: Selection,
): boolean {
  return (
    (ids.length === 0 || ids.includes(letter.id)) &&
    (fingerprint === undefined || letter.fingerprint.startsWith(fingerprint)) &&
    (contract === undefined || letter.contract === contract) &&
    (queue === undefined || letter.queue === queue)
  );
}

function payloadOf(body: Buffer): unknown {
  try {
    return readPayload(body);
  } catch {
    return body.toString('utf8');
  }
}

function unknownLetter(id: string): Failure {
  return new Failure(exitCode.unknown, `There is no dead letter of job ${id}. "jobrail job ${id}" says what else is known.`); // prettier-ignore
}

/** Milliseconds between two, from `10/s` or `100/m`. */
function rateMs(rate: string | undefined): number {
  if (rate === undefined) return 0;
  const [, count, unit] = /^(\d+(?:\.\d+)?)\/(s|m|h)$/.exec(rate) ?? [];
  if (!(Number(count) > 0)) throw new Failure(exitCode.usage, `--rate is "${rate}". Give a number and a unit, such as 10/s or 100/m.`); // prettier-ignore
  return { s: 1_000, m: 60_000, h: 3_600_000 }[unit as 's' | 'm' | 'h'] / Number(count);
}
