/** A process that enqueues the jobs of the workload. Started by the crew with its settings as JSON. */
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { JobClient, PublishError } from 'jobrail';
import { Work } from './contracts.js';
import { drawKind, jobId, type WorkKind } from './kind.js';
import { Ledger, parseLedger } from './ledger.js';
import { closeChannelToCrew, followCrew, readSettings, tellCrew } from './member-channel.js';
import { Pace } from './pace.js';
import { Random } from './random.js';

export interface ProducerSettings {
  name: string;
  url: string[];
  prefix: string;
  ledger: string;
  seed: number;
  jobs: number;
  perSecond: number;
  /** Whether some jobs are meant to die by their own will. */
  withFatal: boolean;
  /** The longest that a handler takes, milliseconds. */
  longestMs: number;
}

/** Jobs whose confirm is waited for. Beyond it the producer waits, as one that answers requests would. */
const mostOpen = 500;

const settings = readSettings<ProducerSettings>();
const next = alreadyIntended();
const ledger = new Ledger(settings.ledger);
const client = new JobClient({ url: settings.url, prefix: settings.prefix, name: settings.name });
const dice = new Random(settings.seed).of(settings.name);
const pace = new Pace({ jobs: settings.jobs - next, perSecond: settings.perSecond });
const open = { all: 0, urgent: 0 };
let withUrgent = true;
let whenUrgentSettled: (() => void) | undefined;
let stopping = false;

followCrew({
  'no-urgent': () => {
    withUrgent = false;
    whenUrgentSettled = () => tellCrew('no-urgent');
    tellIfSettled();
  },
  urgent: () => (withUrgent = true),
  finish: () => pace.finish(),
});
process.once('SIGTERM', () => {
  stopping = true;
  pace.stop();
});
tellCrew('ready');

let index = next;
for await (const count of pace.turns(() => mostOpen - open.all)) {
  for (let i = 0; i < count; i++) void enqueue(index++);
}
await client.close();
while (open.all > 0) await pause(10); // the answers to the last ones are still to be noted
ledger.close();
if (!stopping) tellCrew('finished');
closeChannelToCrew();

/** Where to go on: the process may have been restarted. */
function alreadyIntended(): number {
  try {
    const events = parseLedger(settings.name, readFileSync(settings.ledger, 'utf8'));
    return events.filter(({ what }) => what === 'intent').length;
  } catch {
    return 0; // the first start: there is no ledger yet
  }
}

async function enqueue(at: number): Promise<void> {
  const random = dice.of(String(at));
  const drawn = drawKind(random, settings.withFatal);
  const kind = drawn === 'urgent' && !withUrgent ? 'plain' : drawn;
  const id = jobId(settings.name, at, kind);
  open.all++;
  if (kind === 'urgent') open.urgent++;
  ledger.write('intent', id);
  try {
    await client.enqueue(Work, ...jobOf(kind, id, random));
    ledger.write('confirmed', id);
  } catch (error) {
    const maybe = error instanceof PublishError && error.maybeAccepted;
    ledger.write(maybe ? 'maybe' : 'refused', id);
    process.stderr.write(`${id}: ${error instanceof Error ? error.message : String(error)}\n`);
  }
  open.all--;
  if (kind === 'urgent') open.urgent--;
  tellIfSettled();
}

function jobOf(kind: WorkKind, id: string, random: Random) {
  const ms = random.between(0, settings.longestMs);
  const later = random.between(400, 4_000);
  const payload = { kind, ms, ...(kind === 'snoozed' && { notBefore: Date.now() + later }) };
  const options = {
    id,
    ...(kind === 'urgent' && { priority: 1 }),
    ...(kind === 'delayed' && { delay: `${later}ms` as const }),
  };
  return [payload, options] as const;
}

function tellIfSettled(): void {
  if (withUrgent || open.urgent > 0) return;
  whenUrgentSettled?.();
  whenUrgentSettled = undefined;
}
