import { context, propagation, trace } from '@opentelemetry/api';
import { InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { NodeTracerProvider } from '@opentelemetry/sdk-trace-node';

/** One SDK for all files of a test process: a tracer stays with the first that was registered. */
const exporter = new InMemorySpanExporter();
const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });

/** Registers an SDK for the tests of a `describe`; gives where finished spans are found, those of each test alone. */
export function useSpans(): InMemorySpanExporter {
  before('register an SDK', () => provider.register());
  beforeEach(() => exporter.reset());
  after('unregister it', () => {
    for (const api of [trace, context, propagation]) api.disable();
  });
  return exporter;
}
