import {
  context,
  isSpanContextValid,
  propagation,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import {
  ATTR_ERROR_TYPE,
  ATTR_HTTP_REQUEST_METHOD,
  ATTR_HTTP_RESPONSE_STATUS_CODE,
  ATTR_HTTP_ROUTE,
  ATTR_SERVER_ADDRESS,
  ATTR_URL_PATH,
  ATTR_URL_SCHEME,
  ATTR_USER_AGENT_ORIGINAL,
} from '@opentelemetry/semantic-conventions';
import type { Request, RequestHandler } from 'express';

const tracer = trace.getTracer('@jobrail/api');

/**
 * A SERVER span for each request, by the HTTP semantic conventions. It continues the caller's trace (`traceparent`),
 * the spans of the jobs that the request enqueues are its children, and the answer names the trace in `x-trace-id`.
 * It ends when the answer is sent or the caller is gone. With no SDK registered it does nothing.
 */
export function traceRequests(): RequestHandler {
  return (request, response, next) => {
    const caller = propagation.extract(context.active(), request.headers);
    const span = tracer.startSpan(
      request.method,
      {
        kind: SpanKind.SERVER,
        attributes: {
          [ATTR_HTTP_REQUEST_METHOD]: request.method,
          [ATTR_URL_PATH]: request.path,
          [ATTR_URL_SCHEME]: request.protocol,
          [ATTR_SERVER_ADDRESS]: request.hostname,
          [ATTR_USER_AGENT_ORIGINAL]: request.get('user-agent'),
        },
      },
      caller,
    );
    const { traceId } = span.spanContext();
    if (isSpanContextValid(span.spanContext())) response.setHeader('x-trace-id', traceId);
    response.once('close', () => {
      const route = routeOf(request);
      if (route !== undefined)
        span.updateName(`${request.method} ${route}`).setAttribute(ATTR_HTTP_ROUTE, route);
      if (response.writableFinished) {
        const { statusCode } = response;
        span.setAttribute(ATTR_HTTP_RESPONSE_STATUS_CODE, statusCode);
        if (statusCode >= 500) {
          span.setStatus({ code: SpanStatusCode.ERROR }).setAttribute(ATTR_ERROR_TYPE, String(statusCode));
        }
      } else {
        span.setAttribute(ATTR_ERROR_TYPE, 'caller_gone');
      }
      span.end();
    });
    context.with(trace.setSpan(caller, span), next);
  };
}

/** The path that a route was declared with, not the one that was asked for: few distinct names, and no ids in them. */
export function routeOf(request: Request): string | undefined {
  const route = request.route as { path?: unknown } | undefined;
  return typeof route?.path === 'string' ? route.path : undefined;
}
