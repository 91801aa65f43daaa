import type { RequestHandler } from 'express';
import type { JobClient } from 'jobrail';
import { HttpError } from './http-error.js';

/**
 * `GET /jobs/:id`: what became of a job that was answered with, as far as it is fit for strangers: no error, no payload.
 */
export function tellStatus(client: JobClient): RequestHandler {
  return async (request, response) => {
    const job = await client.status(String(request.params['id']));
    if (!job) throw new HttpError(404, 'JOB_UNKNOWN', 'No job of this id is known.');
    const { id, contract, state, attempts, enqueuedAt, nextAt, startedAt, endedAt, progress } = job;
    response.json({ id, contract, state, attempts, enqueuedAt, nextAt, startedAt, endedAt, progress });
  };
}
