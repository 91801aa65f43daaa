import { hostname } from 'node:os';
import { diag, metrics, type TextMapPropagator, trace } from '@opentelemetry/api';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { OTLPTraceExporter as JsonExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtobufExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import {
  defaultResource,
  detectResources,
  envDetector,
  type Resource,
  resourceFromAttributes,
} from '@opentelemetry/resources';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import { BatchSpanProcessor, NodeTracerProvider, type SpanExporter } from '@opentelemetry/sdk-trace-node';
import { ATTR_SERVICE_NAME } from '@opentelemetry/semantic-conventions';
import { prometheusPage } from './filters/metrics.js';

export { metricsPage } from './filters/metrics.js';

export interface Telemetry {
  /** Whether traces are sent: false when OTEL_SDK_DISABLED or OTEL_TRACES_EXPORTER says so, or another SDK is registered. */
  readonly active: boolean;
  /** Sends what is left and ends. Never rejects: a collector that is away is told to OpenTelemetry's `diag`. */
  shutdown(): Promise<void>;
}

/**
 * Sets up OpenTelemetry tracing and metrics in one line. Metrics are for Prometheus: `GET /metrics` of the health server of
 * a service, or `metricsPage()` on a server of one's own; OTEL_METRICS_EXPORTER=none leaves them out. Traces are set up from the standard variables: OTEL_EXPORTER_OTLP_ENDPOINT and
 * OTEL_EXPORTER_OTLP_TRACES_ENDPOINT (default http://localhost:4318), _HEADERS, _TIMEOUT, _PROTOCOL (`http/protobuf`, the
 * default, or `http/json`, which costs four times as much CPU a span), OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES, OTEL_TRACES_SAMPLER and _ARG, OTEL_BSP_*, OTEL_TRACES_EXPORTER=none, OTEL_SDK_DISABLED=true.
 *
 * No auto-instrumentation is loaded, so `@opentelemetry/instrumentation-amqplib` cannot add a second span to each of
 * Jobrail's. A process that has an SDK already keeps it: its exporter gets Jobrail's spans without this call.
 * @param options.service `service.name` where OTEL_SERVICE_NAME is not set.
 */
export function startTelemetry(options: { service: string; propagator?: TextMapPropagator }): Telemetry {
  const { env } = process;
  if (env['OTEL_SDK_DISABLED'] === 'true') return inactive;
  const detected = detectResources({ detectors: [envDetector] });
  const named = resourceFromAttributes({
    [ATTR_SERVICE_NAME]: options.service,
    'host.name': hostname(),
    'process.pid': process.pid,
  });
  const resource = defaultResource().merge(named).merge(detected);
  const metering = env['OTEL_METRICS_EXPORTER'] === 'none' ? undefined : startMetrics(resource);
  const tracing =
    env['OTEL_TRACES_EXPORTER'] === 'none' ? undefined : startTraces(resource, options.propagator);
  const shutdown = async () => {
    await Promise.all([metering?.shutdown().catch(tell), tracing?.shutdown().catch(tell)]);
    if (metering) metrics.disable();
  };
  return { active: tracing !== undefined, shutdown };
}

function startTraces(
  resource: Resource,
  propagator: TextMapPropagator | undefined,
): NodeTracerProvider | undefined {
  const provider = new NodeTracerProvider({
    resource,
    spanProcessors: [new BatchSpanProcessor(traceExporter())],
  });
  provider.register(propagator ? { propagator } : {});
  if (isRegistered(provider)) return provider;
  void provider.shutdown();
  return undefined;
}

/** By the standard's default, unless the variables name the other; what it cannot speak is told to `diag`. */
function traceExporter(): SpanExporter {
  const { env } = process;
  const protocol = env['OTEL_EXPORTER_OTLP_TRACES_PROTOCOL'] || env['OTEL_EXPORTER_OTLP_PROTOCOL'];
  if (protocol === 'http/json') return new JsonExporter();
  if (protocol && protocol !== 'http/protobuf')
    diag.warn(`jobrail: traces are sent by http/protobuf, not "${protocol}", which is not supported`);
  return new ProtobufExporter();
}

/** Undefined where another SDK records metrics already. */
function startMetrics(resource: Resource): MeterProvider | undefined {
  const reader = new PrometheusExporter({ preventServerStart: true });
  const provider = new MeterProvider({ resource, readers: [reader] });
  Object.assign(provider, { [prometheusPage]: reader.getMetricsRequestHandler.bind(reader) });
  if (metrics.setGlobalMeterProvider(provider)) return provider;
  void provider.shutdown();
  return undefined;
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
