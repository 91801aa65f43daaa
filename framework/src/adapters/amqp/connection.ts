import { setMaxListeners } from 'node:events';
import { type ChannelModel, connect } from 'amqplib';
import { pause, type Clock } from '../../base/clock.js';
import { BrokerError, toError } from '../../base/errors.js';
import type { BrokerInfo } from '../../ports/broker.js';
import { closeConnection, hangUp } from './close.js';
import { unreachable } from './connect-failure.js';
import { writeTicksAtOnce } from './cork.js';
import { DeliveryReader } from './delivery-reader.js';
import { Pulse } from './pulse.js';
import type { TlsOptions } from './tls.js';
import { surviveUnreadableHeaders } from './unreadable-headers.js';

export interface ConnectionOptions {
  /** Brokers to try in turn. */
  urls: readonly string[];
  /** Shown by the broker's management pages. */
  name: string;
  clock: Clock;
  tls?: TlsOptions | undefined;
  /** Of one try: TCP, TLS and AMQP handshake. Milliseconds. */
  handshakeMs: number;
  /** Seconds between heartbeats; a peer that is silent for two is taken for dead. */
  heartbeatS: number;
}

const firstBackoffMs = 50;
const longestBackoffMs = 1_000;

/**
 * One connection to the broker that is made again whenever it is lost.
 *
 *   idle ──open()──▶ connecting ──▶ up ──lost──▶ connecting … ──close()──▶ closed
 *
 * Duties: try the URLs in turn with a jittered backoff of 50 ms to 1 s; tell `onUp` and `onDown`; know whether the
 * broker blocks publishers. It knows nothing of channels: whoever needs one opens it in `onUp`.
 */
export class AmqpConnection {
  #model: ChannelModel | undefined;
  #info: BrokerInfo | undefined;
  #blocked: string | undefined;
  #pulse: Pulse | undefined;
  #loop: Promise<void> | undefined;
  #lastError: Error | undefined;
  readonly #closing = new AbortController();
  readonly #upListeners = new Set<(model: ChannelModel) => void>();
  readonly #downListeners = new Set<(error: Error) => void>();

  constructor(private readonly options: ConnectionOptions) {
    setMaxListeners(0, this.#closing.signal); // one for each that waits for the connection
  }

  get model(): ChannelModel | undefined {
    return this.#model;
  }

  get info(): BrokerInfo | undefined {
    return this.#info;
  }

  /** Why the broker blocks publishers on this connection (a resource alarm), or undefined. */
  get blocked(): string | undefined {
    return this.#blocked;
  }

  /** False without a connection, or when the broker has been silent on it for a heartbeat interval. */
  get fresh(): boolean {
    return this.#model !== undefined && (this.#pulse?.fresh ?? false);
  }

  /** Called for each connection that is made; at once when one stands. */
  onUp(listener: (model: ChannelModel) => void): () => void {
    this.#upListeners.add(listener);
    if (this.#model) listener(this.#model);
    return () => void this.#upListeners.delete(listener);
  }

  onDown(listener: (error: Error) => void): () => void {
    this.#downListeners.add(listener);
    return () => void this.#downListeners.delete(listener);
  }

  /**
   * Waits until the connection stands.
   * @throws BrokerError (`JR_BROKER_UNREACHABLE`) after `withinMs`; trying goes on in the background until `close`.
   */
  async open(withinMs: number): Promise<ChannelModel> {
    if (this.#closing.signal.aborted) throw closedError();
    this.#loop ??= this.#keepConnected();
    if (this.#model) return this.#model;
    return new Promise((resolve, reject) => {
      const done = () => {
        stopListening();
        timer.cancel();
        this.#closing.signal.removeEventListener('abort', onClose);
      };
      const onClose = () => (done(), reject(closedError()));
      const timer = this.options.clock.setTimer(
        withinMs,
        () => (done(), reject(unreachable(this.options.urls, withinMs, this.#lastError))),
      );
      this.#closing.signal.addEventListener('abort', onClose);
      const stopListening = this.onUp((model) => (done(), resolve(model)));
    });
  }

  /**
   * Asks the broker something; again on the next connection when this one is lost meanwhile.
   * @throws BrokerError (`JR_BROKER_UNREACHABLE`) when no answer came within `withinMs`; otherwise what `ask` throws.
   */
  async request<T>(withinMs: number, ask: (model: ChannelModel) => Promise<T>): Promise<T> {
    const { clock, urls } = this.options;
    const until = clock.now() + withinMs;
    const late = new AbortController();
    const overdue = pause(clock, withinMs, late.signal).then(() => {
      throw unreachable(urls, withinMs, this.#lastError);
    });
    const answer = async () => {
      for (;;) {
        const model = await this.open(Math.max(1, until - clock.now()));
        try {
          return await ask(model);
        } catch (error) {
          if (model === this.#model) throw error;
        }
      }
    };
    return Promise.race([answer(), overdue]).finally(() => {
      overdue.catch(() => undefined);
      late.abort();
    });
  }

  async close(): Promise<void> {
    this.#closing.abort();
    const model = this.#model;
    this.#model = undefined;
    // Without a connection one may be in the making; it is closed as soon as it is made.
    await (model ? closeConnection(model) : this.#loop);
  }

  async #keepConnected(): Promise<void> {
    const { signal } = this.#closing;
    for (let failures = 0; !signal.aborted; failures++) {
      try {
        const model = await this.#connectOnce(failures);
        failures = -1;
        await this.#untilLost(model);
      } catch (error) {
        this.#lastError = toError(error);
        await pause(this.options.clock, backoffMs(failures), signal);
      }
    }
  }

  async #connectOnce(tries: number): Promise<ChannelModel> {
    const { urls, handshakeMs, heartbeatS, name, tls } = this.options;
    const url = withHeartbeat(urls[tries % urls.length]!, heartbeatS);
    const model = await connect(url, {
      ...tls,
      noDelay: true,
      timeout: handshakeMs,
      clientProperties: { connection_name: name },
    });
    model.on('error', (error: Error) => (this.#lastError = error));
    return model;
  }

  /** Announces a connection and resolves when it is gone. */
  #untilLost(model: ChannelModel): Promise<void> {
    return new Promise((resolve) => {
      if (this.#closing.signal.aborted) {
        void closeConnection(model).then(resolve);
        return;
      }
      model.on('blocked', (reason: string) => (this.#blocked = reason));
      model.on('unblocked', () => (this.#blocked = undefined));
      model.once('close', (error?: Error) => {
        hangUp(model);
        this.#model = undefined;
        this.#blocked = undefined;
        const reason = error ?? this.#lastError ?? new Error('the connection was closed');
        for (const listener of [...this.#downListeners]) listener(reason);
        resolve();
      });
      writeTicksAtOnce(model);
      surviveUnreadableHeaders(model);
      DeliveryReader.install(model);
      this.#info = infoOf(model);
      this.#pulse = new Pulse(model, this.options.clock);
      this.#model = model;
      for (const listener of [...this.#upListeners]) listener(model);
    });
  }
}

export function closedError(): BrokerError {
  return new BrokerError('JR_BROKER_CLOSED', 'The broker connection was closed by this process.', {
    mend: 'Do not use a client or service after close() or stop().',
  });
}

function backoffMs(failures: number): number {
  const bound = Math.min(longestBackoffMs, firstBackoffMs * 2 ** failures);
  return bound * (0.5 + Math.random() / 2);
}

function withHeartbeat(url: string, seconds: number): string {
  const parsed = new URL(url);
  if (!parsed.searchParams.has('heartbeat')) parsed.searchParams.set('heartbeat', String(seconds));
  return parsed.toString();
}

function infoOf(model: ChannelModel): BrokerInfo {
  const { product, version } =
    (model.connection as { serverProperties?: { product?: string; version?: string } }).serverProperties ??
    {};
  return { product: product ?? 'unknown', version: version ?? 'unknown' };
}
