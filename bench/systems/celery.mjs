// Celery in a Python process, where Debian's python3-celery is installed. This version asks for global QoS, which quorum queues refuse.
import { createRequire } from 'node:module';
import { firstThatRuns } from '../foreign.mjs';

const { connect } = createRequire(new URL('../../framework/package.json', import.meta.url))('amqplib');

export const settings =
  'durable classic queue (this version asks for global QoS, which quorum queues refuse), persistent, a confirm each, also in bulk; `acks_late`, `reject_on_worker_lost`, prefetch multiplier 1; processes up to concurrency 10, above threads';
export const server = 'rabbitmq';
export const missing = 'Celery is left out: python3-celery is not installed';
export const program = 'celery-jobs.py';

export const find = () =>
  firstThatRuns(['python3', '/usr/bin/python3'], ['-c', 'import celery; print(celery.__version__)']);

export async function clean({ url, queue }) {
  const connection = await connect(url);
  await (await connection.createChannel()).deleteQueue(queue);
  await connection.close();
}
