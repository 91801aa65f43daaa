import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import type { EnqueueOptions, InputOf } from 'jobrail';
import type { Work } from './contracts.js';
import { drawKind, jobId, type WorkKind } from './kind.js';
import { Ledger, parseLedger, type What } from './ledger.js';
import { closeChannelToCrew, followCrew, type MemberSettings, tellCrew } from './member-channel.js';
import { Pace } from './pace.js';
import { Random } from './random.js';

export interface ProducerSettings extends MemberSettings {
  seed: number;
  jobs: number;
  perSecond: number;
  /** Whether some jobs are meant to die by their own will. */
  withFatal: boolean;
  /** The longest that a handler takes, milliseconds. */
  longestMs: number;
}

/** A job on its way to whoever sends it. */
export interface ProducedJob {
  id: string;
  payload: InputOf<typeof Work>;
  options: EnqueueOptions & { id: string };
}

export interface Sender {
  /** Resolves to what the producer may note of the job. */
  send(job: ProducedJob): Promise<Extract<What, 'confirmed' | 'maybe' | 'refused'>>;
  close(): Promise<void>;
  /** What the crew may ask of it. */
  orders?: Record<string, () => void>;
}

/** Jobs whose confirm is waited for. Beyond it the producer waits, as one that answers requests would. */
const mostOpen = 500;

/** Produces the jobs of the workload until they are all sent, or the crew says otherwise. */
export async function produce(settings: ProducerSettings, sender: Sender): Promise<void> {
  const producing = new Producing(settings, sender);
  followCrew({ ...producing.orders, ...sender.orders });
  tellCrew('ready');
  const stopped = await producing.run();
  if (!stopped) tellCrew('finished');
  closeChannelToCrew();
}

class Producing {
  readonly #dice: Random;
  readonly #pace: Pace;
  readonly #ledger: Ledger;
  readonly #open = { all: 0, urgent: 0 };
  #index: number;
  #withUrgent = true;
  #whenUrgentSettled: (() => void) | undefined;
  #stopping = false;

  readonly orders = {
    'no-urgent': () => {
      this.#withUrgent = false;
      this.#whenUrgentSettled = () => tellCrew('no-urgent');
      this.#tellIfSettled();
    },
    urgent: () => void (this.#withUrgent = true),
    finish: () => this.#pace.finish(),
  };

  constructor(
    private readonly settings: ProducerSettings,
    private readonly sender: Sender,
  ) {
    this.#index = alreadyIntended(settings);
    this.#ledger = new Ledger(settings.ledger);
    this.#dice = new Random(settings.seed).of(settings.name);
    this.#pace = new Pace({ jobs: settings.jobs - this.#index, perSecond: settings.perSecond });
    process.once('SIGTERM', () => {
      this.#stopping = true;
      this.#pace.stop();
    });
  }

  /** @returns whether it was told to end before all was sent. */
  async run(): Promise<boolean> {
    for await (const count of this.#pace.turns(() => mostOpen - this.#open.all)) {
      for (let i = 0; i < count; i++) void this.#enqueue(this.#index++);
    }
    while (this.#open.all > 0) await pause(10); // the answers to the last ones are still to be noted
    await this.sender.close();
    this.#ledger.close();
    return this.#stopping;
  }

  async #enqueue(at: number): Promise<void> {
    const { name, withFatal, longestMs } = this.settings;
    const random = this.#dice.of(String(at));
    const drawn = drawKind(random, withFatal);
    const kind = drawn === 'urgent' && !this.#withUrgent ? 'plain' : drawn;
    const id = jobId(name, at, kind);
    this.#open.all++;
    if (kind === 'urgent') this.#open.urgent++;
    this.#ledger.write('intent', id);
    this.#ledger.write(await this.sender.send(jobOf(kind, id, random, longestMs)), id);
    this.#open.all--;
    if (kind === 'urgent') this.#open.urgent--;
    this.#tellIfSettled();
  }

  #tellIfSettled(): void {
    if (this.#withUrgent || this.#open.urgent > 0) return;
    this.#whenUrgentSettled?.();
    this.#whenUrgentSettled = undefined;
  }
}

/** Where to go on: the process may have been restarted. */
function alreadyIntended({ name, ledger }: ProducerSettings): number {
  try {
    const events = parseLedger(name, readFileSync(ledger, 'utf8'));
    return events.filter(({ what }) => what === 'intent').length;
  } catch {
    return 0; // the first start: there is no ledger yet
  }
}

function jobOf(kind: WorkKind, id: string, random: Random, longestMs: number): ProducedJob {
  const ms = random.between(0, longestMs);
  const later = random.between(400, 4_000);
  return {
    id,
    payload: { kind, ms, ...(kind === 'snoozed' && { notBefore: Date.now() + later }) },
    options: {
      id,
      ...(kind === 'urgent' && { priority: 1 }),
      ...(kind === 'delayed' && { delay: `${later}ms` as const }),
    },
  };
}
