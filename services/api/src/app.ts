import type { Storage } from '@jobrail/storage';
import express, { type Express } from 'express';
import type { JobClient } from 'jobrail';
import { metricsPage } from 'jobrail/telemetry';
import type { Logger } from 'pino';
import { answerErrors, refuseMethod, refusePath, requireMediaType } from './answer-errors.js';
import type { ApiConfig } from './config.js';
import { createUser } from './create-user.js';
import { logRequests } from './log-requests.js';
import { requestReport } from './request-report.js';
import { tellStatus } from './tell-status.js';
import { traceRequests } from './trace-requests.js';

export interface AppParts {
  client: JobClient;
  storage: Storage;
  config: Pick<ApiConfig, 'uploadLimitBytes' | 'loginUrl'>;
  log: Logger;
}

/** Of a JSON body. A report is asked for in a few hundred bytes. */
const jsonLimit = '100kb';

/** The API, not yet listening. */
export function createApp({ client, storage, config, log }: AppParts): Express {
  const app = express();
  app.disable('x-powered-by');

  // Before the rest: probes come every few seconds and are worth neither a span nor a log line.
  app.get('/metrics', (request, response, next) => {
    const page = metricsPage();
    if (page) page(request, response);
    else next();
  });
  app.get('/health/live', (_request, response) => void response.json({ ok: true }));
  app.get('/health/ready', (_request, response) => {
    const ok = client.connected;
    response.status(ok ? 200 : 503).json({ ok, broker: ok ? 'connected' : 'not connected' });
  });

  app.use(traceRequests(), logRequests(log));
  app
    .route('/users')
    .post(requireMediaType('multipart/form-data'), createUser({ client, storage, config, log }))
    .all(refuseMethod('POST'));
  app
    .route('/reports')
    .post(requireMediaType('application/json'), express.json({ limit: jsonLimit }), requestReport(client))
    .all(refuseMethod('POST'));
  app.route('/jobs/:id').get(tellStatus(client)).all(refuseMethod('GET'));
  app.use(refusePath, answerErrors(log));
  return app;
}
