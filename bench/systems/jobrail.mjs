// Jobrail. Variants: `default`, with the prefetch that it finds by itself; `events off`, with a schema that accepts everything and
// as large a prefetch as everybody has here; and one for each feature on top of that; `pack 100`, a hundred jobs to a message.
// Handlers are async functions.
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { defineJob, defineQueue, Job, JobClient, JobService, fixed } from 'jobrail';

const require = createRequire(new URL('../../framework/package.json', import.meta.url));
const { connect } = require('amqplib');
const { z } = require('zod');

export const settings =
  'quorum queues, persistent, confirms, acks after the confirmed outcome; log level warn; `default` finds its prefetch by itself, everybody else has a prefetch of the concurrency';
export const server = 'rabbitmq';

const anything = { '~standard': { version: 1, vendor: 'bench', validate: (value) => ({ value }) } };
const checked = z.object({
  to: z.email(),
  at: z.number().optional(),
  text: z.string(),
  due: z.number().optional(),
});

export async function open({ url, queue: prefix, variant, databaseUrl, auto }) {
  const is = (word) => variant.includes(word);
  const events =
    is('default') || is('events on')
      ? is('best-effort')
        ? { events: 'best-effort' }
        : {}
      : { events: 'off' };
  const lanes = is('priorities') ? 3 : 1;
  const payload = is('default') || is('validation') ? checked : anything;
  const contract = defineJob('bench.job', { queue: defineQueue('bench', { priorities: lanes }), payload });
  const telemetry = is('tracing') ? await trace(is('1 %') ? 0.01 : 1) : undefined;
  let onJob = async () => undefined;
  const retries = is('retries');
  let runs = 0;
  class Noop {
    handle(given, job) {
      if (retries && job.attempt === 1 && ++runs % 10 === 0) throw new Error('once');
      return onJob(given);
    }
  }
  Job(contract, {
    ...(is('retries') && { retry: fixed({ attempts: 3, every: '1ms' }) }),
    ...(is('idempotency') && { idempotency: { keepFor: '1h' } }),
  })(Noop);
  const client = new JobClient({ url, prefix, ...events });
  await client.connect();
  let service;
  return {
    one: (given, { delay, priority } = {}) =>
      client.enqueue(
        contract,
        given,
        delay || priority ? { ...(delay && { delay }), ...(priority && { priority }) } : undefined,
      ),
    async many(count, given) {
      const share = Math.ceil(count / lanes);
      for (let lane = 0; lane < lanes; lane++) {
        const some = Array.from({ length: Math.min(share, count - lane * share) }, () => given);
        await client.enqueueMany(contract, some, {
          ...(lane > 0 && { priority: lane }),
          ...(is('delay') && { delay: 3_000 }),
          ...(is('pack') && { pack: Number(/pack (\d+)/.exec(variant)[1]) }),
        });
      }
    },
    /** Resolves when so many jobs are ready to run. */
    async due(count) {
      if (!is('delay')) return;
      const model = await connect(url);
      const channel = await model.createChannel();
      while ((await channel.checkQueue(`${prefix}.bench`)).messageCount < count)
        await new Promise((resolve) => setTimeout(resolve, 100));
      await model.close();
    },
    async start(concurrency, handle) {
      onJob = handle;
      const slots =
        auto || is('default') || is('pack') ? { concurrency } : { concurrency, prefetch: concurrency };
      service = new JobService({
        url,
        prefix,
        name: 'bench',
        handlers: [Noop],
        queues: { bench: slots },
        log: pino({ level: 'warn' }),
        ...(is('idempotency') && {
          store: is('PostgreSQL') ? databaseUrl : `sqlite:${join(tmpdir(), `${prefix}.db`)}`,
        }),
        ...events,
      });
      await service.start();
    },
    async stop() {
      await service?.stop();
      await client.close();
      await telemetry?.();
    },
    async clean() {
      const model = await connect(url);
      for (const name of [
        'bench',
        'bench.p1',
        'bench.p2',
        'bench.dead',
        'bench.suspects',
        'unroutable',
        'events',
      ])
        await deleted(model, (channel) => channel.deleteQueue(`${prefix}.${name}`));
      for (let level = 0; level < 3; level++)
        for (let digit = 1; digit < 16; digit++)
          await deleted(model, (channel) => channel.deleteQueue(`${prefix}.delay.${level}.${digit}`));
      for (const name of [
        'jobs',
        'dead',
        'delay.deliver',
        'delay.0',
        'delay.1',
        'delay.2',
        'unroutable',
        'control',
      ])
        await deleted(model, (channel) => channel.deleteExchange(`${prefix}.${name}`));
      await model.close();
    },
  };
}

async function deleted(model, remove) {
  const channel = await model.createChannel();
  channel.on('error', () => undefined);
  await remove(channel).catch(() => undefined);
  await channel.close().catch(() => undefined);
}

/** An OpenTelemetry SDK whose batches go to a collector that throws them away, in a process of its own. */
async function trace(ratio) {
  const {
    NodeTracerProvider,
    BatchSpanProcessor,
    TraceIdRatioBasedSampler,
  } = require('@opentelemetry/sdk-trace-node');
  const { OTLPTraceExporter } = require('@opentelemetry/exporter-trace-otlp-proto');
  const code = `require('http').createServer((q,s)=>q.resume().on('end',()=>s.end('{}'))).listen(0,'127.0.0.1',function(){console.log(this.address().port)})`;
  const collector = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
  const port = await new Promise((resolve) => collector.stdout.once('data', (data) => resolve(Number(data))));
  const exporter = new OTLPTraceExporter({ url: `http://127.0.0.1:${port}/v1/traces` });
  const provider = new NodeTracerProvider({
    ...(ratio < 1 && { sampler: new TraceIdRatioBasedSampler(ratio) }),
    spanProcessors: [new BatchSpanProcessor(exporter)],
  });
  provider.register();
  return async () => {
    await provider.shutdown().catch(() => undefined);
    collector.kill();
  };
}
