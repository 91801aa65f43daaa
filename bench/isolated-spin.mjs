// A handler that computes without ever waiting, for bench/isolation.mjs: in a thread, a process, or the service itself.
import { defineJob, defineQueue, Job } from 'jobrail';

const any = { '~standard': { version: 1, vendor: 'bench', validate: (value) => ({ value }) } };
const spinIn = (place, options) => {
  const contract = defineJob(`bench.spin-${place}`, { queue: defineQueue(`spin-${place}`), payload: any });
  class Spin {
    handle({ ms }) {
      const until = performance.now() + ms;
      while (performance.now() < until);
    }
  }
  Job(contract, { timeout: '1m', ...options })(Spin);
  return { contract, Spin };
};

export const { contract: InThread, Spin: ThreadSpin } = spinIn('thread', {
  isolate: { in: 'thread', module: import.meta.url },
});
export const { contract: InProcess, Spin: ProcessSpin } = spinIn('process', {
  isolate: { in: 'process', module: import.meta.url },
});
export const { contract: InService, Spin: ServiceSpin } = spinIn('service', {});
