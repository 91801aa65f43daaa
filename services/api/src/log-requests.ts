import { isSpanContextValid, trace } from '@opentelemetry/api';
import type { RequestHandler } from 'express';
import type { Logger } from 'pino';
import { routeOf } from './trace-requests.js';

/** One log line for each request, once it is answered. */
export function logRequests(log: Logger): RequestHandler {
  return (request, response, next) => {
    const startedAt = performance.now();
    const span = trace.getActiveSpan()?.spanContext();
    response.once('close', () => {
      log.info(
        {
          method: request.method,
          route: routeOf(request) ?? request.path,
          status: response.statusCode,
          ms: Math.round(performance.now() - startedAt),
          answered: response.writableFinished,
          ...(span && isSpanContextValid(span) && { traceId: span.traceId }),
        },
        'request',
      );
    });
    next();
  };
}
