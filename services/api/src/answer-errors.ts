import { trace } from '@opentelemetry/api';
import type { ErrorRequestHandler, RequestHandler } from 'express';
import type { Logger } from 'pino';
import { asHttpError } from './as-http-error.js';
import { HttpError } from './http-error.js';

/** Answers every error as JSON, and logs those that are not the caller's, with their stack. */
export function answerErrors(log: Logger): ErrorRequestHandler {
  return (error: unknown, request, response, next) => {
    const answer = asHttpError(error);
    if (request.destroyed && !request.complete) {
      log.info({ method: request.method, path: request.path }, 'the caller left before the request was read');
      return;
    }
    if (answer.status >= 500) {
      log.error({ err: error, status: answer.status, code: answer.code }, 'a request failed');
      if (error instanceof Error) trace.getActiveSpan()?.recordException(error);
    }
    // Too late for an answer: Express then cuts the connection, so that the caller sees that it is incomplete.
    if (response.headersSent) next(error);
    else response.status(answer.status).set(answer.headers).json(answer);
  };
}

/** 405 for a path that is there, with the methods it has. */
export function refuseMethod(...allowed: string[]): RequestHandler {
  return ({ method, path }) => {
    throw new HttpError(405, 'METHOD_NOT_ALLOWED', `${method} is not possible on ${path}.`, {
      headers: { allow: allowed.join(', ') },
    });
  };
}

/** 404 for every other path. */
export const refusePath: RequestHandler = ({ method, path }) => {
  throw new HttpError(404, 'NOT_FOUND', `There is no ${method} ${path}.`);
};

/** 415 unless the body has this media type. */
export function requireMediaType(type: string): RequestHandler {
  return (request, _response, next) => {
    if (request.is(type)) return next();
    throw new HttpError(415, 'MEDIA_TYPE_UNSUPPORTED', `Send a body of type ${type}.`, {
      headers: { accept: type },
    });
  };
}
