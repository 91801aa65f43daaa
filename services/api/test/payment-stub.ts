import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A payment provider that listens on the loopback and writes down what it charged. */
export class PaymentStub {
  /** Each charge, in order: the orders whose cards were charged. */
  readonly ledger: string[] = [];
  /** Called after a charge was written down, before it is answered. */
  onCharge: (() => Promise<void>) | undefined;
  /** Called when a request came again, whose key it knew. */
  onAgain: (() => void) | undefined;
  readonly #byKey = new Map<string, string>();
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => {
        const key = request.headers['idempotency-key'] as string | undefined;
        const { orderId } = JSON.parse(Buffer.concat(parts).toString()) as { orderId: string };
        const answer = (id: string) => response.end(JSON.stringify({ id }));
        const before = key === undefined ? undefined : this.#byKey.get(key);
        if (before !== undefined) {
          answer(before);
          return this.onAgain?.();
        }
        this.ledger.push(orderId);
        const id = `charge-${this.ledger.length}`;
        if (key !== undefined) this.#byKey.set(key, id);
        void (this.onCharge?.() ?? Promise.resolve()).then(() => answer(id));
      });
    });
  }

  static async listen(): Promise<PaymentStub> {
    const stub = new PaymentStub();
    stub.#server.listen(0, '127.0.0.1');
    await once(stub.#server, 'listening');
    return stub;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
