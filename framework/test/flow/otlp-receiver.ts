import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

interface OtlpAttribute {
  key: string;
  value: Record<string, string | boolean | undefined>;
}

/** A span as it came over OTLP/HTTP as JSON, with what the test looks at. */
export interface ReceivedSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind: number;
  resource: Record<string, string | boolean | undefined>;
}

interface OtlpTraces {
  resourceSpans: {
    resource: { attributes: OtlpAttribute[] };
    scopeSpans: { spans: Omit<ReceivedSpan, 'resource'>[] }[];
  }[];
}

/** Takes traces over OTLP/HTTP, as a collector or Jaeger does; only those in JSON become `spans`. */
export class OtlpReceiver {
  readonly spans: ReceivedSpan[] = [];
  readonly requests: { url: string; headers: IncomingHttpHeaders; body: Buffer }[] = [];
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const { url, headers } = request;
        const body = Buffer.concat(chunks);
        this.requests.push({ url: url!, headers, body });
        const json = headers['content-type'] === 'application/json';
        if (json) this.#take(JSON.parse(body.toString()) as OtlpTraces);
        response.writeHead(200, { 'content-type': headers['content-type'] }).end(json ? '{}' : '');
      });
    });
  }

  static async start(): Promise<OtlpReceiver> {
    const receiver = new OtlpReceiver();
    receiver.#server.listen(0, '127.0.0.1');
    await once(receiver.#server, 'listening');
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #take({ resourceSpans }: OtlpTraces): void {
    for (const { resource, scopeSpans } of resourceSpans) {
      const attributes = Object.fromEntries(
        resource.attributes.map(({ key, value }) => [key, Object.values(value)[0]]),
      );
      for (const { spans } of scopeSpans) {
        this.spans.push(...spans.map((span) => ({ ...span, resource: attributes })));
      }
    }
  }
}
