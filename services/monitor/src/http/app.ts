import express, { type Express, type ErrorRequestHandler, type RequestHandler } from 'express';
import { metricsPage } from 'jobrail/telemetry';
import type { Logger } from 'pino';
import { asHttpError } from './as-http-error.js';
import { guard } from './guard.js';
import { HttpError } from './http-error.js';
import { openApiDocument } from './openapi.js';
import type { Route } from './route.js';

export interface AppParts {
  routes: readonly Route[];
  /** Bearer token that is asked for. */
  token: string | undefined;
  version: string;
  /** Whether it can answer, and why not. */
  ready: () => Promise<{ ok: boolean; [detail: string]: unknown }>;
  log: Logger;
}

/** The API, not yet listening. */
export function createApp({ routes, token, version, ready, log }: AppParts): Express {
  const app = express();
  app.disable('x-powered-by');
  app.set('query parser', 'simple');
  app.use(plainAnswers);
  app.get('/health/live', (_request, response) => void response.json({ ok: true }));
  app.get('/health/ready', async (_request, response) => {
    const health = await ready();
    response.status(health.ok ? 200 : 503).json(health);
  });
  app.get('/metrics', (request, response, next) => {
    const page = metricsPage();
    if (page) page(request, response);
    else next();
  });
  app.use(guard(token));
  const document = openApiDocument(routes, version);
  app.get('/openapi.json', (_request, response) => void response.json(document));
  for (const route of routes) {
    app[route.method](route.path.replace(/\{(\w+)\}/g, ':$1'), async (request, response) => {
      const body = await route.handle(request, response);
      if (body !== undefined) response.status(route.answer.status).json(body);
    });
  }
  for (const path of new Set(routes.map((route) => route.path))) {
    const allowed = routes.filter((route) => route.path === path).map(({ method }) => method.toUpperCase());
    app.all(path.replace(/\{(\w+)\}/g, ':$1'), ({ method }) => {
      throw new HttpError(405, 'METHOD_NOT_ALLOWED', `${method} is not possible here.`, {
        allow: allowed.join(', '),
      });
    });
  }
  app.use(() => {
    throw new HttpError(404, 'NOT_FOUND', 'There is nothing here; /openapi.json tells what there is.');
  });
  app.use(answerErrors(log));
  return app;
}

/** Answers are data: no browser takes them for a page, or keeps them. */
const plainAnswers: RequestHandler = (_request, response, next) => {
  response.set({ 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' });
  next();
};

function answerErrors(log: Logger): ErrorRequestHandler {
  return (error: unknown, request, response, next) => {
    const answer = asHttpError(error);
    if (answer.status >= 500) {
      log.error({ err: error, method: request.method, path: request.path }, 'a request failed');
    }
    if (response.headersSent) next(error);
    else response.status(answer.status).set(answer.headers).json(answer);
  };
}
