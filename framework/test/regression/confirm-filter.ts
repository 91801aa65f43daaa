import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

const methodFrame = 1;
const basicAck = 0x003c_0050;
const overhead = 8; // type, channel, size; end mark

/** Stands before a broker and can keep its confirms from the client; everything else goes through. */
export class ConfirmFilter {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Confirms are kept back from now on, and are never sent. */
  swallowing = false;
  /** Called for each frame with confirms that was kept back. */
  onSwallowed: () => void = () => undefined;

  private constructor(private readonly target: { host: string; port: number }) {
    this.#server = createServer((client) => this.#accept(client));
  }

  static async before(url: string): Promise<ConfirmFilter> {
    const { hostname, port } = new URL(url);
    const filter = new ConfirmFilter({ host: hostname, port: Number(port || 5672) });
    filter.#server.listen(0, '127.0.0.1');
    await once(filter.#server, 'listening');
    return filter;
  }

  through(url: string): string {
    const through = new URL(url);
    through.hostname = '127.0.0.1';
    through.port = String((this.#server.address() as AddressInfo).port);
    return through.toString();
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(client: Socket): void {
    const broker = connect(this.target);
    client.pipe(broker);
    let rest = Buffer.alloc(0);
    broker.on('data', (bytes: Buffer) => {
      rest = Buffer.concat([rest, bytes]);
      while (rest.length >= overhead && rest.length >= rest.readUInt32BE(3) + overhead) {
        const frame = rest.subarray(0, rest.readUInt32BE(3) + overhead);
        rest = rest.subarray(frame.length);
        const isConfirm = frame[0] === methodFrame && frame.readUInt32BE(7) === basicAck;
        if (this.swallowing && isConfirm) this.onSwallowed();
        else client.write(frame);
      }
    });
    for (const [one, other] of [
      [client, broker],
      [broker, client],
    ] as const) {
      this.#sockets.add(one);
      one.on('error', () => undefined);
      one.on('close', () => {
        this.#sockets.delete(one);
        other.destroy();
      });
    }
  }
}
