/**
 * `npm run chaos`: what Jobrail promises, held against faults, from a fresh clone alone. See chaos/README.md.
 */
import { bringUp } from './bring-up.mjs';
import { startPostgres } from './postgres.mjs';
import { startRabbitmqCluster } from './rabbitmq-cluster.mjs';
import { startRabbitmq } from './rabbitmq.mjs';
import { Unavailable } from './unavailable.mjs';
import { guardProcess, releaseProcess } from './watchdog.mjs';

await bringUp({ projects: ['chaos'], note: console.log });
const { run } = await import('chaos');
const machinery = {
  startRabbitmq: (/** @type {{ config?: string[] }} */ options) =>
    startRabbitmq({ ...options, note: console.log }),
  startRabbitmqCluster,
  startPostgres,
  guardProcess,
  releaseProcess,
};
try {
  process.exitCode = await run(process.argv.slice(2), machinery, console.log);
} catch (error) {
  if (!(error instanceof Unavailable)) throw error;
  console.error(`${error.message} ${error.mend}`);
  process.exitCode = 1;
}
