import { Queue, Worker } from 'bullmq';

export const settings = 'Redis with append-only file, fsync at each write; completed jobs removed';
export const server = 'redis';

export async function open({ url, queue: name }) {
  const { hostname, port } = new URL(url);
  const connection = { host: hostname, port: Number(port), maxRetriesPerRequest: null };
  const queue = new Queue(name, { connection });
  await queue.waitUntilReady();
  const options = { removeOnComplete: true, removeOnFail: true };
  let worker;
  return {
    one: (payload, { delay } = {}) => queue.add('job', payload, { ...options, ...(delay && { delay }) }),
    async many(count, payload) {
      for (let sent = 0; sent < count; sent += 1_000)
        await queue.addBulk(
          Array.from({ length: Math.min(1_000, count - sent) }, () => ({
            name: 'job',
            data: payload,
            opts: options,
          })),
        );
    },
    async start(concurrency, onJob) {
      worker = new Worker(name, (job) => onJob(job.data), { connection, concurrency });
      await worker.waitUntilReady();
    },
    async stop() {
      await worker?.close();
      await queue.close();
    },
    async clean() {
      const last = new Queue(name, { connection });
      await last.obliterate({ force: true });
      await last.close();
    },
  };
}
