import { once } from 'node:events';
import { createServer } from 'node:http';
import { json } from 'node:stream/consumers';
import { createGunzip } from 'node:zlib';
import { Changes } from './changes.mjs';

/**
 * @typedef {object} Span
 * @property {string} traceId
 * @property {string} spanId
 * @property {string} [parentSpanId]
 * @property {string} name
 * @property {string} service `service.name` of the process that made it.
 * @property {number} startMs
 * @property {number} ms How long it took.
 * @property {boolean} failed
 * @property {number} links
 * @property {Record<string, unknown>} attributes
 */

/** Takes traces over OTLP/HTTP (JSON), as Jaeger or a collector would, and lets the demo read them back. */
export class TraceReceiver {
  /** @type {Span[]} */
  spans = [];
  changes = new Changes();

  #server = createServer((request, response) => {
    this.#take(request).then(
      () => response.writeHead(200, { 'content-type': 'application/json' }).end('{}'),
      (/** @type {unknown} */ error) => response.writeHead(415).end(String(error)),
    );
  });

  static async listen() {
    const receiver = new TraceReceiver();
    receiver.#server.listen(0, '127.0.0.1');
    await once(receiver.#server, 'listening');
    return receiver;
  }

  get url() {
    const address = /** @type {import('node:net').AddressInfo} */ (this.#server.address());
    return `http://127.0.0.1:${address.port}`;
  }

  /** @param {string} traceId @returns {Span[]} In order of their start. */
  trace(traceId) {
    return this.spans.filter((span) => span.traceId === traceId).sort((a, b) => a.startMs - b.startMs);
  }

  /** @returns {Promise<void>} */
  close() {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  /** @param {import('node:http').IncomingMessage} request */
  async #take(request) {
    const type = request.headers['content-type'] ?? '';
    if (!type.startsWith('application/json')) throw new Error(`Send application/json; this is "${type}".`);
    const zipped = request.headers['content-encoding'] === 'gzip';
    const body = /** @type {OtlpTraces} */ (await json(zipped ? request.pipe(createGunzip()) : request));
    for (const { resource, scopeSpans } of body.resourceSpans ?? []) {
      const service = String(plain(resource?.attributes)['service.name']);
      for (const { spans } of scopeSpans ?? [])
        this.spans.push(...(spans ?? []).map((span) => read(span, service)));
    }
    this.changes.tell();
  }
}

/**
 * @typedef {{ key: string, value: Record<string, unknown> }[]} OtlpAttributes
 * @typedef {{ traceId: string, spanId: string, parentSpanId?: string, name: string, startTimeUnixNano: string,
 *   endTimeUnixNano: string, attributes?: OtlpAttributes, links?: unknown[], status?: { code?: number } }} OtlpSpan
 * @typedef {{ resourceSpans?: { resource?: { attributes?: OtlpAttributes }, scopeSpans?: { spans?: OtlpSpan[] }[] }[] }} OtlpTraces
 */

const STATUS_ERROR = 2;

/** @param {OtlpSpan} span @param {string} service @returns {Span} */
function read(span, service) {
  const { traceId, spanId, parentSpanId, name, attributes, links = [], status } = span;
  const startMs = Number(BigInt(span.startTimeUnixNano) / 1000n) / 1000;
  const ms = Number(BigInt(span.endTimeUnixNano) / 1000n) / 1000 - startMs;
  const failed = status?.code === STATUS_ERROR;
  return {
    traceId,
    spanId,
    ...(parentSpanId && { parentSpanId }),
    name,
    service,
    startMs,
    ms,
    failed,
    links: links.length,
    attributes: plain(attributes),
  };
}

/** @param {OtlpAttributes} [attributes] @returns {Record<string, unknown>} */
function plain(attributes = []) {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
}
