import { once } from 'node:events';
import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * An HTTP server that stops without cutting off anyone it is serving.
 *
 *   new ──listen()──▶ listening ──stop()──▶ stopping ──last answer sent, or grace over──▶ stopped
 */
export class HttpServer {
  readonly #server: Server;
  readonly #unanswered = new Set<ServerResponse>();
  #stopped: Promise<void> | undefined;

  constructor(app: RequestListener) {
    this.#server = createServer((request, response) => {
      this.#unanswered.add(response);
      response.once('close', () => this.#unanswered.delete(response));
      if (this.#stopped) endConnectionWith(response);
      app(request, response);
    });
  }

  /** Returns the port; 0 takes a free one. Rejects when it is taken. */
  async listen(port: number, host: string): Promise<number> {
    this.#server.listen(port, host);
    await once(this.#server, 'listening');
    return (this.#server.address() as AddressInfo).port;
  }

  /**
   * Takes no more connections, lets running requests finish, and resolves when the last is answered. After `graceMs`
   * the rest is cut off. Calling it again waits for the same end.
   */
  stop(graceMs: number): Promise<void> {
    this.#stopped ??= this.#stop(graceMs);
    return this.#stopped;
  }

  async #stop(graceMs: number): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    // A connection that is kept alive would hold the server open until its idle timeout.
    for (const response of this.#unanswered) endConnectionWith(response);
    const grace = setTimeout(() => this.#server.closeAllConnections(), graceMs);
    await closed;
    clearTimeout(grace);
  }
}

function endConnectionWith(response: ServerResponse): void {
  if (!response.headersSent) response.setHeader('connection', 'close');
}
