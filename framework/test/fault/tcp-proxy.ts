import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/**
 * Stands between a client and the broker on the loopback, to cut what a network cuts: connections, and what the broker
 * answers on them.
 */
export class TcpProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** In the order in which they were made. */
  readonly #clients: Socket[] = [];
  #refusing = false;
  #mute = false;
  /** Bytes that the broker sent and that were kept from the client. */
  swallowed = 0;

  private constructor(private readonly target: { host: string; port: number }) {
    this.#server = createServer((client) => this.#accept(client));
  }

  /** @param url of the broker; `proxy.url` leads there through the proxy. */
  static async before(url: string): Promise<TcpProxy> {
    const { hostname, port } = new URL(url);
    const proxy = new TcpProxy({ host: hostname, port: Number(port || 5672) });
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  through(url: string): string {
    const through = new URL(url);
    through.hostname = '127.0.0.1';
    through.port = String((this.#server.address() as AddressInfo).port);
    return through.toString();
  }

  get connections(): number {
    return this.#sockets.size / 2;
  }

  /** Breaks all connections as a cable does: no goodbye. New ones are let through. */
  cut(): void {
    for (const socket of this.#sockets) reset(socket);
  }

  /** Breaks only the connection that was made as number `index`. */
  cutOne(index: number): void {
    reset(this.#clients[index]!);
  }

  /** Breaks new connections as soon as they are made, until `allow`. */
  refuse(): void {
    this.#refusing = true;
  }

  /** What the broker says no longer reaches the client, until `allow` or a new connection. */
  mute(): void {
    this.#mute = true;
  }

  allow(): void {
    this.#refusing = false;
    this.#mute = false;
  }

  async close(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(client: Socket): void {
    if (this.#refusing) {
      reset(client); // a cable says no goodbye
      return;
    }
    this.#clients.push(client);
    const broker = connect(this.target);
    for (const [from, to] of [
      [client, broker],
      [broker, client],
    ] as const) {
      this.#sockets.add(from);
      from.setNoDelay(true);
      from.on('data', (bytes: Buffer) => {
        if (from === broker && this.#mute) this.swallowed += bytes.length;
        else to.write(bytes);
      });
      from.on('error', () => undefined);
      from.on('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
  }
}

/**
 * One that is still connecting has nobody to send a reset to, and would wait to do so. One that has begun to say goodbye
 * cannot be reset, and in Node 20 it is never closed then: its process hangs when it ends.
 */
function reset(socket: Socket): void {
  if (socket.connecting || socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
