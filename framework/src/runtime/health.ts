import { metricsPage } from '../filters/metrics.js';
import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';

/** What a health endpoint reports: `ok`, and the reason for people. */
export interface Health {
  ok: boolean;
  [detail: string]: unknown;
}

/** `GET /metrics`, where something records metrics for Prometheus; `GET /health/live` (this process answers) and `GET /health/ready` (its consumers are registered): 200 or 503, JSON. */
export class HealthServer {
  #server: Server | undefined;

  constructor(private readonly ready: () => Health) {}

  /** Listens and returns the port; 0 takes a free one. */
  async start(port: number, host = '0.0.0.0'): Promise<number> {
    this.#server = createServer((request, response) => {
      const page = request.url?.split('?')[0] === '/metrics' ? metricsPage() : undefined;
      if (page) return page(request, response);
      const health = this.#answer(request.url ?? '/');
      response.writeHead(health ? (health.ok ? 200 : 503) : 404, { 'content-type': 'application/json' });
      response.end(JSON.stringify(health ?? { ok: false, error: 'try /health/live or /health/ready' }));
    });
    this.#server.listen(port, host);
    await once(this.#server, 'listening');
    return (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    if (!server) return;
    this.#server = undefined;
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }

  #answer(url: string): Health | undefined {
    const path = url.split('?')[0];
    if (path === '/health/live') return { ok: true };
    return path === '/health/ready' ? this.ready() : undefined;
  }
}
