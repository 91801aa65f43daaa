import { Logger, makeWorkerUtils, run } from 'graphile-worker';

export const settings =
  'synchronous commit; the last version for Node 20, which has no local queue and no batched completion';
export const server = 'postgres';

export async function open({ url: connectionString, queue }) {
  const schema = queue.replaceAll('-', '_');
  const utils = await makeWorkerUtils({ connectionString, schema });
  await utils.migrate();
  let runner;
  return {
    one: (payload, { delay } = {}) =>
      utils.addJob('job', payload, delay ? { runAt: new Date(Date.now() + delay) } : undefined),
    async many(count, payload) {
      const json = JSON.stringify(payload);
      for (let sent = 0; sent < count; sent += 1_000) {
        const some = Math.min(1_000, count - sent);
        await utils.withPgClient((client) =>
          client.query(
            `select 1 from ${schema}.add_jobs(array(select row('job', $1::json, null, null, null, null, null, null)::${schema}.job_spec from generate_series(1, $2)))`,
            [json, some],
          ),
        );
      }
    },
    async start(concurrency, onJob) {
      runner = await run({
        connectionString,
        schema,
        concurrency,
        maxPoolSize: concurrency + 1,
        pollInterval: 100,
        noHandleSignals: true,
        noPreparedStatements: false,
        logger: new Logger(() => () => undefined),
        taskList: { job: onJob },
      });
    },
    async stop() {
      await runner?.stop();
      await utils.release();
    },
    async clean() {
      const last = await makeWorkerUtils({ connectionString, schema });
      await last.withPgClient((client) => client.query(`drop schema ${schema} cascade`));
      await last.release();
    },
  };
}
