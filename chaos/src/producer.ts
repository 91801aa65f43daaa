/** A process that enqueues the jobs of the workload. Started by the crew with its settings as JSON. */
import { JobClient, PublishError } from 'jobrail';
import { Work } from './contracts.js';
import { readSettings } from './member-channel.js';
import { produce, type ProducerSettings } from './producing.js';

const settings = readSettings<ProducerSettings>();
const client = new JobClient({ url: settings.url, prefix: settings.prefix, name: settings.name });

await produce(settings, {
  async send({ id, payload, options }) {
    try {
      await client.enqueue(Work, payload, options);
      return 'confirmed';
    } catch (error) {
      process.stderr.write(`${id}: ${error instanceof Error ? error.message : String(error)}\n`);
      return error instanceof PublishError && error.maybeAccepted ? 'maybe' : 'refused';
    }
  },
  close: () => client.close(),
});
