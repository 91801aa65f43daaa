/** A process that works off the jobs of the workload. Started by the crew with its settings as JSON. */
import { ContainerModule } from 'inversify';
import { PoisonHandler, WorkHandler } from './handlers.js';
import { Ledger } from './ledger.js';
import { readSettings } from './member-channel.js';
import { serve, type WorkerSettings } from './serving.js';

const settings = readSettings<WorkerSettings>();
const ledger = new Ledger(settings.ledger);

await serve(settings, {
  handlers: [WorkHandler, PoisonHandler],
  modules: [new ContainerModule(({ bind }) => void bind(Ledger).toConstantValue(ledger))],
});
