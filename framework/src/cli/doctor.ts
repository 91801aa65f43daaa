import type { Command } from 'commander';
import { AmqpConnection } from '../adapters/amqp/connection.js';
import { verifyTopology } from '../adapters/amqp/topology-doctor.js';
import { tlsFromEnvironment } from '../adapters/amqp/tls.js';
import { brokerUrls } from '../adapters/amqp/url.js';
import { pause, systemClock } from '../base/clock.js';
import { toError } from '../base/errors.js';
import { redact } from '../base/redact.js';
import { brokerFeatures, isSupported, oldestVersion } from '../model/broker-features.js';
import { jobsTopology, unroutable } from '../model/topology.js';
import { openStore } from '../store.js';
import { followEvents } from './event-reading.js';
import { exitCode } from './exit.js';
import { command, type Session, type SessionOptions, withSession } from './session.js';
import { counted, cutTo, print, printable, printJson, screenWidth, span } from './terminal.js';

/** One thing that was looked at. */
export interface Diagnosis {
  what: string;
  state: 'ok' | 'wrong' | 'unknown';
  detail: string;
  /** What to do next, where it is wrong. */
  mend?: string;
}

const mostSkewMs = 5_000;
const heartbeatWaitMs = 6_000;

/** `jobrail doctor` */
export function doctorCommand(): Command {
  return command(
    'doctor',
    'connection, broker, topology, consumers, store, clocks: each ok, wrong, or how to mend it; exit code 1 where one is wrong',
    'jobrail doctor\njobrail doctor --contracts dist/src/jobs.js --monitor http://127.0.0.1:8090',
  ).action((options: SessionOptions) =>
    withSession(options, async (session) => {
      const found: Diagnosis[] = [];
      const told = (diagnosis: Diagnosis) => {
        found.push(diagnosis);
        if (!session.json) show(diagnosis);
      };
      for (const look of looks) {
        const diagnoses = await look(session).catch((error: unknown): Diagnosis[] => [
          failed(look.name, error),
        ]);
        diagnoses.forEach(told);
        // Nothing else can be looked at.
        if (look === connection && diagnoses.some(({ state }) => state === 'wrong')) break;
      }
      if (session.json) printJson(found);
      const count = (state: Diagnosis['state']) =>
        found.filter((diagnosis) => diagnosis.state === state).length;
      if (!session.json)
        print(`\n${count('ok')} ok, ${count('wrong')} wrong, ${count('unknown')} not known.`);
      const unreachable = found[0]?.state === 'wrong' && found.length === 1;
      if (count('wrong') > 0) process.exitCode = unreachable ? exitCode.unreachable : exitCode.wrong;
    }),
  );
}

const looks = [connection, controlMessages, topology, consumers, stray, monitor, store, clocks];

async function connection(session: Session): Promise<Diagnosis[]> {
  const startedAt = Date.now();
  const { info } = await session.broker();
  const { product = 'unknown', version = 'unknown' } = info ?? {};
  const features = brokerFeatures(version);
  return [
    { what: 'connection', state: 'ok', detail: `made in ${span(Date.now() - startedAt)}` },
    isSupported(version)
      ? {
          what: 'broker',
          state: 'ok',
          detail: `${product} ${version}; ack timeout for each queue: ${features.ackTimeoutPerQueue ? 'yes' : 'no (from 3.12 on)'}`,
        }
      : {
          what: 'broker',
          state: 'wrong',
          detail: `${product} ${version} is older than ${oldestVersion}`,
          mend: `Run RabbitMQ ${oldestVersion} to 4.3.`,
        },
  ];
}

async function controlMessages(session: Session): Promise<Diagnosis[]> {
  const startedAt = Date.now();
  const control = await session.control();
  if (!control.live) {
    return [{ what: 'control', state: 'wrong', detail: 'the control stream takes or gives nothing', mend: 'Look at its replicas: rabbitmq-streams stream_status.' }]; // prettier-ignore
  }
  const { pausedQueues } = control;
  const paused = pausedQueues.length > 0 ? `; paused: ${pausedQueues.join(', ')}` : '';
  return [{ what: 'control', state: 'ok', detail: `messages are confirmed and read in ${span(Date.now() - startedAt)}${paused}` }]; // prettier-ignore
}

async function topology(session: Session): Promise<Diagnosis[]> {
  if (!session.hasContracts) {
    return [
      {
        what: 'topology',
        state: 'unknown',
        detail: 'no contracts are named (--contracts, JOBRAIL_CONTRACTS)',
      },
    ];
  }
  const contracts = await session.contracts();
  const amqp = new AmqpConnection({
    urls: brokerUrls(session.options.url ?? process.env['AMQP_URL'] ?? 'amqp://127.0.0.1'),
    tls: tlsFromEnvironment(process.env),
    name: 'jobrail cli',
    clock: systemClock,
    handshakeMs: 5_000,
    heartbeatS: 10,
  });
  try {
    const model = await amqp.open(5_000);
    const plan = jobsTopology(session.prefix, contracts, brokerFeatures(amqp.info?.version));
    const wrong = (await verifyTopology(model, plan)).filter(({ state }) => state !== 'same');
    if (wrong.length === 0)
      return [
        {
          what: 'topology',
          state: 'ok',
          detail: `as ${contracts.length === 1 ? 'the contract asks' : `${contracts.length} contracts ask`}`,
        },
      ];
    return wrong.map(({ kind, name, state, detail }) => ({
      what: 'topology',
      state: 'wrong',
      detail: `${kind} ${name} is ${state}${detail === undefined ? '' : `: ${detail}`}`,
      mend: `Run "jobrail topology ${state === 'missing' ? 'apply' : 'migrate'}" with the contracts.`,
    }));
  } finally {
    await amqp.close();
  }
}

async function consumers(session: Session): Promise<Diagnosis[]> {
  const queues = await session.queueReports();
  if (queues.length === 0) {
    return [{ what: 'queues', state: 'unknown', detail: `no service was ever started under the prefix "${session.prefix}"` }]; // prettier-ignore
  }
  return queues.flatMap(({ queue, consumers: count, waiting, services, paused, dead }): Diagnosis[] => {
    const what = `queue ${queue}`;
    const about = `${waiting} wait, ${counted(count, 'consumer')}`;
    const first: Diagnosis = paused
      ? { what, state: 'ok', detail: `${about}; paused by ${paused.by}`, mend: `jobrail resume ${queue}` }
      : count > 0
        ? { what, state: 'ok', detail: about }
        : { what, state: 'wrong', detail: `${about}: nobody works on it`, mend: services.length > 0 ? `Start ${services.join(' or ')}.` : 'Start the service that handles it.' }; // prettier-ignore
    const letters: Diagnosis = { what, state: 'wrong', detail: counted(dead, 'dead letter'), mend: `jobrail dead list --queue ${queue}` }; // prettier-ignore
    return dead > 0 ? [first, letters] : [first];
  });
}

async function stray(session: Session): Promise<Diagnosis[]> {
  const lost = (await (await session.broker()).depth(unroutable(session.prefix)))?.messages ?? 0;
  if (lost === 0) return [{ what: 'unroutable', state: 'ok', detail: 'nothing lost its queue' }];
  const mend = `Look at queue ${unroutable(session.prefix)}: somebody deleted a queue that jobs were on their way to.`;
  return [{ what: 'unroutable', state: 'wrong', detail: `${lost} messages found their queue gone`, mend }];
}

async function monitor(session: Session): Promise<Diagnosis[]> {
  if (!session.monitor) return [{ what: 'monitor', state: 'unknown', detail: 'none is named (--monitor, JOBRAIL_MONITOR_URL)' }]; // prettier-ignore
  const { lagMs, rebuilding, jobs, missingBatches } = await session.monitor.projection();
  const lag = lagMs === undefined ? 'of unknown lag' : `${span(lagMs)} behind`;
  const late = (lagMs ?? 0) > 60_000 || rebuilding || missingBatches > 0;
  const detail = `${jobs} jobs recorded, ${lag}${rebuilding ? ', rebuilding' : ''}${missingBatches > 0 ? `, ${missingBatches} batches missing` : ''}`; // prettier-ignore
  return [{ what: 'monitor', state: late ? 'wrong' : 'ok', detail, ...(late && { mend: 'Look at its log and its store.' }) }]; // prettier-ignore
}

async function store(): Promise<Diagnosis[]> {
  const url = process.env['JOBRAIL_STORE_URL'];
  if (!url) return [{ what: 'store', state: 'unknown', detail: 'none is named (JOBRAIL_STORE_URL)' }];
  const startedAt = Date.now();
  const database = await openStore(url);
  try {
    await database.query('SELECT 1');
    const detail = `${database.location} answers in ${span(Date.now() - startedAt)}`;
    return [{ what: 'store', state: 'ok', detail }];
  } finally {
    await database.close();
  }
}

async function clocks(session: Session): Promise<Diagnosis[]> {
  const skews = session.monitor
    ? (await session.monitor.workers()).filter(({ gone }) => !gone).map(({ service, host, clockSkewMs }) => ({ who: `${service}@${host}`, skewMs: clockSkewMs })) // prettier-ignore
    : await heardSkews(session);
  if (skews.length === 0) return [{ what: 'clocks', state: 'unknown', detail: 'no process told of itself' }];
  const off = skews.filter(({ skewMs }) => Math.abs(skewMs) > mostSkewMs);
  if (off.length === 0) return [{ what: 'clocks', state: 'ok', detail: `within ${span(mostSkewMs)}: ${counted(skews.length, 'process')}` }]; // prettier-ignore
  return off.map(({ who, skewMs }) => ({
    what: 'clocks',
    state: 'wrong',
    detail: `the clock of ${who} is ${span(Math.abs(skewMs))} ${skewMs > 0 ? 'ahead' : 'behind'}: delays and expiry are off by that`,
    mend: 'Have it set by NTP.',
  }));
}

/** By the clock of this machine, from the heartbeats of a few seconds. */
async function heardSkews(session: Session): Promise<{ who: string; skewMs: number }[]> {
  const expected = (await session.queueReports()).some(({ consumers: count }) => count > 0);
  if (!expected) return [];
  const skews = new Map<string, { who: string; skewMs: number }>();
  const reading = await followEvents(session, (event, { instance, service, host }) => {
    if (event.kind === 'heartbeat')
      skews.set(instance, { who: `${service}@${host}`, skewMs: event.at - Date.now() });
  });
  await pause(systemClock, heartbeatWaitMs);
  await reading.close();
  return [...skews.values()];
}

function failed(what: string, error: unknown): Diagnosis {
  const { message, mend } = toError(error) as Error & { mend?: string };
  const detail = redact(mend === undefined ? message : message.replace(` ${mend}`, ''));
  return { what, state: 'wrong', detail, ...(mend !== undefined && { mend }) };
}

const signs = { ok: 'ok     ', wrong: 'WRONG  ', unknown: '?      ' } as const;

function show({ what, state, detail, mend }: Diagnosis): void {
  const width = process.stdout.isTTY ? screenWidth() : 10_000;
  print(cutTo(`${signs[state]}${printable(what).padEnd(18)} ${printable(detail)}`, width));
  if (mend !== undefined) print(cutTo(`${' '.repeat(26)}${printable(mend)}`, width));
}
