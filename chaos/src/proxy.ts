import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { Pipe, type Weather } from './pipe.js';

/**
 * Stands between the processes and the broker on the loopback, and does to their connections what networks do: cuts
 * them, stops forwarding without a word, delays, throttles.
 */
export class Proxy {
  readonly #server: Server;
  readonly #links = new Set<Link>();
  #refusing = false;
  #weather: Weather = { stalled: false, delayMs: 0, bytesPerSecond: Infinity };

  private constructor(private readonly target: { host: string; port: number }) {
    this.#server = createServer((client) => this.#accept(client));
  }

  static async before(url: string): Promise<Proxy> {
    const { hostname, port } = new URL(url);
    const proxy = new Proxy({ host: hostname, port: Number(port || 5672) });
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  /** The URL that leads through the proxy to where `url` leads. */
  through(url: string): string {
    const through = new URL(url);
    through.hostname = '127.0.0.1';
    through.port = String((this.#server.address() as AddressInfo).port);
    return through.toString();
  }

  /** Resets connections, all of them or those that `which` picks. */
  cut(which: () => boolean = () => true): number {
    const cut = [...this.#links].filter(which);
    for (const link of cut) link.cut();
    return cut.length;
  }

  /** While true, new connections are reset as soon as they are made. */
  refuse(on: boolean): void {
    this.#refusing = on;
  }

  /** While true, nothing is forwarded and nothing closed; what was sent meanwhile goes on afterwards, as TCP has it. */
  stall(on: boolean): void {
    this.#change({ stalled: on });
  }

  /** Each byte arrives this much later, in each direction. */
  delay(delayMs: number): void {
    this.#change({ delayMs });
  }

  /** Each direction of each connection carries so many bytes a second. */
  throttle(bytesPerSecond: number): void {
    this.#change({ bytesPerSecond });
  }

  async close(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #change(change: Partial<Weather>): void {
    this.#weather = { ...this.#weather, ...change };
    for (const link of this.#links) link.weather(this.#weather);
  }

  #accept(client: Socket): void {
    if (this.#refusing) {
      reset(client);
      return;
    }
    const link = new Link(client, connect(this.target), this.#weather, () => this.#links.delete(link));
    this.#links.add(link);
  }
}

/** One connection through the proxy. */
class Link {
  readonly #sockets: readonly [Socket, Socket];
  readonly #pipes: readonly [Pipe, Pipe];

  constructor(client: Socket, broker: Socket, weather: Weather, onGone: () => void) {
    this.#sockets = [client, broker];
    this.#pipes = [new Pipe(client, broker, weather), new Pipe(broker, client, weather)];
    let open = 2;
    for (const socket of this.#sockets) {
      socket.setNoDelay(true);
      socket.on('error', () => undefined);
      socket.once('close', () => --open === 0 && onGone());
    }
  }

  weather(weather: Weather): void {
    for (const pipe of this.#pipes) pipe.weather(weather);
  }

  cut(): void {
    for (const socket of this.#sockets) reset(socket);
  }
}

/** What has begun to say goodbye cannot be reset, and Node 20 would never close it then. */
function reset(socket: Socket): void {
  if (socket.connecting || socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
