import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A TCP line to the broker that can go dead: what is sent gets through, and nothing comes back any more. */
export class BrokerLine {
  readonly #server = createServer((near) => this.#join(near));
  readonly #sockets = new Set<Socket>();
  #dead = false;

  constructor(private readonly brokerUrl: string) {}

  /** The URL of the broker by way of this line. */
  async open(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    const url = new URL(this.brokerUrl);
    url.hostname = '127.0.0.1';
    url.port = String((this.#server.address() as AddressInfo).port);
    return url.href;
  }

  /** From now on the broker's answers are lost. */
  goDead(): void {
    this.#dead = true;
  }

  /** Cuts the line. */
  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #join(near: Socket): void {
    const { hostname, port } = new URL(this.brokerUrl);
    const far = connect(Number(port || 5672), hostname);
    for (const socket of [near, far]) {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
    }
    near.pipe(far);
    far.on('data', (chunk) => {
      if (!this.#dead) near.write(chunk);
    });
    near.once('close', () => far.destroy());
    far.once('close', () => near.destroy());
  }
}
