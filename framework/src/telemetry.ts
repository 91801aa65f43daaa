import { hostname } from 'node:os';
import { diag, type TextMapPropagator, trace } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import {
  defaultResource,
  detectResources,
  envDetector,
  resourceFromAttributes,
} from '@opentelemetry/resources';
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import { ATTR_SERVICE_NAME } from '@opentelemetry/semantic-conventions';

export interface Telemetry {
  /** False when OTEL_SDK_DISABLED or OTEL_TRACES_EXPORTER says so, or another SDK is registered already. */
  readonly active: boolean;
  /** Sends what is left and ends. Never rejects: a collector that is away is told to OpenTelemetry's `diag`. */
  shutdown(): Promise<void>;
}

/**
 * Sets up OpenTelemetry tracing in one line, from the standard variables: OTEL_EXPORTER_OTLP_ENDPOINT and
 * OTEL_EXPORTER_OTLP_TRACES_ENDPOINT (default http://localhost:4318), _HEADERS, _TIMEOUT, OTEL_SERVICE_NAME,
 * OTEL_RESOURCE_ATTRIBUTES, OTEL_TRACES_SAMPLER and _ARG, OTEL_BSP_*, OTEL_TRACES_EXPORTER=none, OTEL_SDK_DISABLED=true.
 *
 * No auto-instrumentation is loaded, so `@opentelemetry/instrumentation-amqplib` cannot add a second span to each of
 * Jobrail's. A process that has an SDK already keeps it: its exporter gets Jobrail's spans without this call.
 * @param options.service `service.name` where OTEL_SERVICE_NAME is not set.
 */
export function startTelemetry(options: { service: string; propagator?: TextMapPropagator }): Telemetry {
  const { env } = process;
  if (env['OTEL_SDK_DISABLED'] === 'true' || env['OTEL_TRACES_EXPORTER'] === 'none') return inactive;
  const detected = detectResources({ detectors: [envDetector] });
  const named = resourceFromAttributes({
    [ATTR_SERVICE_NAME]: options.service,
    'host.name': hostname(),
    'process.pid': process.pid,
  });
  const provider = new NodeTracerProvider({
    resource: defaultResource().merge(named).merge(detected),
    spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())],
  });
  provider.register(options.propagator ? { propagator: options.propagator } : {});
  if (!isRegistered(provider)) {
    void provider.shutdown();
    return inactive;
  }
  return { active: true, shutdown: () => provider.shutdown().catch(tell) };
}

/** Spans that cannot be sent are no reason for a service to fail. OTEL_LOG_LEVEL and `diag` decide who hears of it. */
function tell(error: unknown): void {
  diag.error('jobrail: the last spans could not be exported', error);
}

const inactive: Telemetry = { active: false, shutdown: () => Promise.resolve() };

/** `register` leaves a provider alone that was set before. */
function isRegistered(provider: NodeTracerProvider): boolean {
  const global = trace.getTracerProvider() as { getDelegate?: () => unknown };
  return (global.getDelegate?.() ?? global) === provider;
}
