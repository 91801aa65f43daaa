import PgBoss from 'pg-boss';

export const settings = 'synchronous commit; fetched and completed in batches of the concurrency';
export const server = 'postgres';

export async function open({ url: connectionString, queue }) {
  const schema = queue.replaceAll('-', '_');
  const boss = new PgBoss({ connectionString, schema, supervise: false, schedule: false });
  boss.on('error', (error) => console.error(error.message));
  await boss.start();
  await boss.createQueue(queue);
  let stopping = false;
  let running;
  return {
    one: (payload, { delay } = {}) =>
      boss.send(queue, payload, delay ? { startAfter: new Date(Date.now() + delay) } : {}),
    async many(count, payload) {
      for (let sent = 0; sent < count; sent += 1_000)
        await boss.insert(
          Array.from({ length: Math.min(1_000, count - sent) }, () => ({ name: queue, data: payload })),
        );
    },
    async start(concurrency, onJob) {
      running = (async () => {
        // Its worker waits half a second after each batch; by hand it is quicker.
        while (!stopping) {
          const jobs = await boss.fetch(queue, { batchSize: concurrency });
          await Promise.all(jobs.map(({ data }) => onJob(data)));
          if (jobs.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
          else await boss.complete(queue, jobs.map(({ id }) => id)); // prettier-ignore
        }
      })();
    },
    async stop() {
      stopping = true;
      await running;
      await boss.stop({ graceful: true, close: true, timeout: 5_000 });
    },
    async clean() {
      const { default: pg } = await import('pg');
      const last = new pg.Client(connectionString);
      await last.connect();
      await last.query(`drop schema ${schema} cascade`);
      await last.end();
    },
  };
}
