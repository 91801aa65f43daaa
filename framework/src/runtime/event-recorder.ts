import { type Clock, pause, type Timer } from '../base/clock.js';
import { BrokerError, PublishError, toError } from '../base/errors.js';
import { redactError } from '../base/redact.js';
import type { EventLevel, EventSender, OutcomeEvent, RailEvent } from '../model/event.js';
import { EventWriter } from '../model/event-json.js';
import type { JobLog } from '../model/job-context.js';
import { eventsStream, eventsTopology } from '../model/topology.js';
import type { Broker } from '../ports/broker.js';
import type { EventSink } from '../ports/event-sink.js';
import { GatheredEvents } from './gathered-events.js';

export interface EventRecorderOptions {
  broker: Broker;
  prefix: string;
  level: Exclude<EventLevel, 'off'>;
  sender: EventSender;
  clock: Clock;
  log: JobLog;
}

/** How long an event gathers others about it when nobody waits for it. */
const gatherMs = 100;
/** How long outcomes wait for a stream that takes nothing, before jobs are acked without. */
const patienceMs = 5_000;
/** Events kept for a stream that takes nothing; the oldest are dropped beyond. */
const mostKept = 50_000;

/**
 * Sends events onto the stream, many in one message.
 *
 *   gathered ──somebody waits (end of the tick), 100 ms, or 1,000 events──▶ one batch in flight ──confirm──▶ told
 *
 * One batch is in flight at a time, so that the order of events is theirs; what comes meanwhile makes the next. A stream
 * that takes nothing for five seconds holds no job up any longer: outcomes are told off at once, events are kept up to a
 * bound, and as soon as it takes a batch all is as before. How many were dropped is counted.
 */
export class EventRecorder implements EventSink {
  /** Events that never reached the stream. */
  dropped = 0;
  readonly #options: EventRecorderOptions;
  readonly #from: string;
  readonly #writer = new EventWriter();
  readonly #closing = new AbortController();
  /** All but the last are full. */
  #gathered: GatheredEvents[] = [];
  /** Events of those. */
  #kept = 0;
  #inFlight: GatheredEvents | undefined;
  /** What a message is likely to take. Bytes. */
  #likelyBytes = 4_096;
  #seq = 0;
  #declared = false;
  /** Nobody waits for the stream: it has not taken anything for too long. */
  #impatient = false;
  #tick: NodeJS.Immediate | undefined;
  #gathering: Timer | undefined;
  #whenEmpty: (() => void) | undefined;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    this.#from = JSON.stringify(options.sender);
  }

  tell(event: RailEvent, payload?: string): void {
    this.#add(event, payload, undefined);
    if (this.#gathered[0]?.full) this.#flushSoon();
    else this.#gatherOn();
  }

  tellOutcome(event: OutcomeEvent, confirmed: () => void, payload?: string): void {
    const waits = this.#options.level === 'confirmed' && !this.#impatient;
    if (waits) {
      this.#add(event, payload, confirmed);
      this.#flushSoon();
    } else {
      this.tell(event, payload);
      confirmed();
    }
  }

  /** Sends what is left; gives up on a stream that does not take it within `withinMs`. */
  async close(withinMs: number): Promise<void> {
    if (!this.#closing.signal.aborted && (this.#inFlight || this.#gathered.length > 0)) {
      const empty = new AbortController();
      this.#whenEmpty = () => empty.abort();
      this.#flush();
      await pause(this.#options.clock, withinMs, empty.signal);
    }
    this.#closing.abort();
    this.#gathering?.cancel();
    clearImmediate(this.#tick);
    this.#letGo();
  }

  #add(event: RailEvent, payload: string | undefined, confirmed: (() => void) | undefined): void {
    if (this.#closing.signal.aborted) {
      confirmed?.();
      return;
    }
    let last = this.#gathered.at(-1);
    if (!last || last.full) {
      const opening = `{"v":1,"from":${this.#from},"seq":${++this.#seq},"events":[`;
      last = new GatheredEvents(opening, this.#likelyBytes);
      this.#gathered.push(last);
    }
    last.add(this.#writer.write(event), payload, confirmed);
    if (++this.#kept > mostKept) this.#drop();
  }

  #drop(): void {
    const oldest = this.#gathered.shift()!;
    this.#kept -= oldest.count;
    this.dropped += oldest.count;
    oldest.release();
  }

  #flushSoon(): void {
    if (!this.#inFlight) this.#tick ??= setImmediate(this.#ticked);
  }

  readonly #ticked = (): void => {
    this.#tick = undefined;
    this.#flush();
  };

  #gatherOn(): void {
    this.#gathering ??= this.#options.clock.setTimer(gatherMs, this.#gatheredLong, true);
  }

  readonly #gatheredLong = (): void => {
    this.#gathering = undefined;
    this.#flush();
  };

  #flush(): void {
    if (this.#inFlight) return;
    const batch = this.#gathered.shift();
    if (!batch) {
      this.#whenEmpty?.();
      return;
    }
    this.#inFlight = batch;
    this.#kept -= batch.count;
    this.#likelyBytes = Math.round((this.#likelyBytes + 1.2 * batch.bytes) / 2);
    void this.#send(batch).then(() => this.#flushed(batch));
  }

  #flushed(batch: GatheredEvents): void {
    this.#inFlight = undefined;
    batch.release();
    // What has gathered meanwhile may wait for more, unless somebody waits for it.
    if (this.#whenEmpty || this.#gathered.some(({ full, awaited }) => full || awaited)) this.#flush();
    else if (this.#gathered.length > 0) this.#gatherOn();
  }

  /** Sends a batch until the stream has taken it, or all is over. */
  async #send(batch: GatheredEvents): Promise<void> {
    const { broker, prefix, clock, log } = this.#options;
    const message = {
      exchange: '',
      routingKey: eventsStream(prefix),
      body: batch.close(),
      properties: { type: 'jobrail.events', contentType: 'application/json', deliveryMode: 2, headers: {} },
    };
    const patience = this.#impatient ? undefined : clock.setTimer(patienceMs, () => this.#loseHeart(), true);
    for (let failures = 0; !this.#closing.signal.aborted; failures++) {
      try {
        await this.#declare();
        await broker.publish(message);
        if (this.#impatient) log.info({ stream: message.routingKey }, 'the event stream takes events again');
        this.#impatient = false;
        break;
      } catch (error) {
        if (error instanceof PublishError && error.code === 'JR_PUBLISH_RETURNED') this.#declared = false;
        if (error instanceof BrokerError && error.code === 'JR_BROKER_CLOSED') {
          this.dropped += batch.count;
          break;
        }
        log.warn(
          { stream: message.routingKey, events: batch.count, err: redactError(toError(error)) },
          'events are not on their stream yet; they are kept',
        );
        await pause(clock, Math.min(5_000, 100 * 2 ** failures), this.#closing.signal);
      }
    }
    patience?.cancel();
  }

  async #declare(): Promise<void> {
    if (this.#declared) return;
    const { broker, prefix } = this.#options;
    await broker.connect();
    await broker.declare(eventsTopology(prefix));
    this.#declared = true;
  }

  #loseHeart(): void {
    this.#impatient = true;
    this.#options.log.error(
      { stream: eventsStream(this.#options.prefix) },
      `the event stream has not taken anything for ${patienceMs} ms; jobs are settled without waiting for it`,
    );
    this.#letGo();
  }

  /** Nobody is kept waiting. */
  #letGo(): void {
    this.#inFlight?.release();
    for (const batch of this.#gathered) batch.release();
  }
}
