import { pause, systemClock } from '../base/clock.js';
import type { EventBatch, EventSender, RailEvent } from '../model/event.js';
import { eventsStream, eventsTopology } from '../model/topology.js';
import type { StreamReading } from '../ports/broker.js';
import type { Session } from './session.js';
import type { Progress } from './terminal.js';

/** After so long without a message a stream that is read from its beginning has no more. */
const silenceMs = 1_000;

export type EventVisit = (event: RailEvent, from: EventSender) => void;

/** Calls `visit` for each event from now on, until the reading is closed. */
export async function followEvents(session: Session, visit: EventVisit): Promise<StreamReading> {
  return (await read(session, 'next', visit)).reading;
}

/**
 * Calls `visit` for each event that the stream still has.
 * @param progress to show how many were read; not where each is shown.
 */
export async function readAllEvents(session: Session, visit: EventVisit, progress?: Progress): Promise<void> {
  let seen = 0;
  const { reading, lastAt } = await read(session, 'first', (event, from) => {
    progress?.update(++seen);
    visit(event, from);
  });
  for (let quiet = 0; quiet < silenceMs; quiet = Date.now() - lastAt()) {
    await pause(systemClock, silenceMs - quiet);
  }
  progress?.end();
  await reading.close();
}

async function read(session: Session, from: 'first' | 'next', visit: EventVisit) {
  const broker = await session.broker();
  await broker.declare(eventsTopology(session.prefix));
  let lastAt = Date.now();
  const reading = await broker.readStream({
    stream: eventsStream(session.prefix),
    from,
    prefetch: 200,
    onMessage(message) {
      lastAt = Date.now();
      const batch = readBatch(message.body);
      for (const event of batch?.events ?? []) if (isEvent(event)) visit(event, batch!.from);
      message.ack();
    },
  });
  return { reading, lastAt: () => lastAt };
}

/** Anybody with access to the broker may write there: what is no batch is left out. */
function readBatch(body: Buffer): EventBatch | undefined {
  try {
    const batch = JSON.parse(body.toString('utf8')) as Partial<EventBatch> | null;
    const { from, events } = batch ?? {};
    const named = typeof from?.service === 'string' && typeof from.host === 'string';
    return named && Array.isArray(events) ? (batch as EventBatch) : undefined;
  } catch {
    return undefined;
  }
}

function isEvent(value: unknown): value is RailEvent {
  const { kind, at } = (value ?? {}) as Partial<RailEvent>;
  return typeof kind === 'string' && typeof at === 'number';
}
