import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { systemClock } from '../base/clock.js';
import type { Broker } from '../ports/broker.js';
import type { EventSink } from '../ports/event-sink.js';
import { EventRecorder } from '../runtime/event-recorder.js';
import { silentLog } from '../runtime/log.js';
import type { Session } from './session.js';

const lastEventsMs = 3_000;

/** Where a command tells what it did, for the audit; to be closed before the session. */
export function openEvents(session: Session, broker: Broker): { sink: EventSink; close(): Promise<void> } {
  const sender = { service: 'jobrail cli', instance: randomUUID(), host: hostname(), pid: process.pid };
  const recorder = new EventRecorder({
    broker,
    prefix: session.prefix,
    level: 'best-effort',
    sender,
    clock: systemClock,
    log: silentLog(),
  });
  return { sink: recorder, close: () => recorder.close(lastEventsMs) };
}
