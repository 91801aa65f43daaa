import { hostname, userInfo } from 'node:os';
import { Command, Option } from 'commander';
import { AmqpBroker } from '../adapters/amqp/amqp-broker.js';
import { tlsFromEnvironment } from '../adapters/amqp/tls.js';
import { systemClock } from '../base/clock.js';
import { type Contract, mostPriorities, queueNames } from '../model/contract.js';
import type { KnownQueue } from '../model/control.js';
import { deadQueue, defaultPrefix, laneQueue, suspectsQueue } from '../model/topology.js';
import type { Broker } from '../ports/broker.js';
import { Control } from '../runtime/control.js';
import { loadContracts } from './contracts.js';
import { exitCode, Failure } from './exit.js';
import { MonitorClient } from './monitor-client.js';

/** What every command takes. */
export interface SessionOptions {
  url?: string;
  prefix: string;
  monitor?: string;
  contracts?: string[];
  json?: boolean;
}

/** A command with the options of all commands. */
export function command(name: string, description: string, example: string): Command {
  return (
    new Command(name)
      .description(description)
      // No default here: the help would print it, and with it the password.
      .option('--url <url>', 'broker (default: AMQP_URL, which other users of the machine cannot see)')
      .option('--prefix <prefix>', 'prefix of the deployment', process.env['JOBRAIL_PREFIX'] ?? defaultPrefix)
      .option('--monitor <url>', 'monitor (default: JOBRAIL_MONITOR_URL; its token: JOBRAIL_MONITOR_TOKEN)')
      .addOption(
        new Option('--contracts <modules...>', 'compiled modules that export contracts, such as dist/jobs.js (default: JOBRAIL_CONTRACTS, separated by commas)'), // prettier-ignore
      )
      .option('--json', 'print JSON')
      .addHelpText('after', `\nExamples:\n${example.split('\n').map((line) => `  ${line}`).join('\n')}`) // prettier-ignore
  );
}

/** A queue with what the broker has of it. */
export interface QueueReport {
  queue: string;
  services: readonly string[];
  contracts: readonly string[];
  /** Jobs that wait for a worker, all lanes together. */
  waiting: number;
  lanes: { name: string; messages: number; consumers: number }[];
  consumers: number;
  dead: number;
  suspects: number;
  paused?: { at: number; by: string };
}

/** What a command works with: the broker, what was said to all processes, the monitor where one is named. */
export class Session {
  #broker: AmqpBroker | undefined;
  #control: Control | undefined;
  #contracts: Contract[] | undefined;
  readonly monitor: MonitorClient | undefined;

  constructor(readonly options: SessionOptions) {
    const url = options.monitor ?? process.env['JOBRAIL_MONITOR_URL'];
    if (url) this.monitor = new MonitorClient(url, process.env['JOBRAIL_MONITOR_TOKEN']);
  }

  get prefix(): string {
    return this.options.prefix;
  }

  get json(): boolean {
    return this.options.json ?? false;
  }

  /** Who acts, for the audit. */
  get by(): string {
    return process.env['JOBRAIL_BY'] ?? `${userName()}@${hostname()}`;
  }

  /** Connected. @throws BrokerError */
  async broker(): Promise<Broker> {
    if (!this.#broker) {
      const tls = tlsFromEnvironment(process.env);
      this.#broker = new AmqpBroker({
        url: this.options.url ?? process.env['AMQP_URL'] ?? 'amqp://127.0.0.1',
        name: 'jobrail cli',
        connectTimeout: '5s',
        ...(tls && { tls }),
      });
      await this.#broker.connect();
    }
    return this.#broker;
  }

  /** What was said to all processes, up to now. @throws BrokerError */
  async control(): Promise<Control> {
    if (!this.#control) {
      const log = { warn: (_: unknown, text?: string) => void process.stderr.write(`${text ?? ''}\n`) };
      this.#control = new Control({
        broker: await this.broker(),
        prefix: this.prefix,
        clock: systemClock,
        log,
      });
      await this.#control.start();
    }
    return this.#control;
  }

  /** The contracts that were named. @throws ConfigError, OptionError */
  async contracts(): Promise<Contract[]> {
    this.#contracts ??= await loadContracts(this.options.contracts ?? namedModules());
    return this.#contracts;
  }

  /** True where contracts were named, by option or environment. */
  get hasContracts(): boolean {
    return (this.options.contracts ?? namedModules()).length > 0;
  }

  /** @throws Failure for a contract that the named modules do not have, or where none is named */
  async contract(name: string): Promise<Contract> {
    if (!this.hasContracts) {
      throw new Failure(exitCode.usage, `What the payload of "${name}" must look like is not known. Name the module that exports its contract: --contracts dist/src/jobs.js, or set JOBRAIL_CONTRACTS.`); // prettier-ignore
    }
    const contracts = await this.contracts();
    const found = contracts.find((contract) => contract.name === name);
    if (found) return found;
    throw new Failure(exitCode.unknown, `There is no contract "${name}"; there are ${contracts.map((contract) => contract.name).sort().join(', ')}.`); // prettier-ignore
  }

  /** Queues that services told of or contracts name, and that exist. */
  async knownQueues(): Promise<KnownQueue[]> {
    const queues = new Map((await this.control()).knownQueues.map((queue) => [queue.name, queue]));
    for (const { name, queue } of this.hasContracts ? await this.contracts() : []) {
      const before = queues.get(queue.name);
      const contracts = [...new Set([...(before?.contracts ?? []), name])];
      queues.set(queue.name, { ...queue, services: before?.services ?? [], contracts });
    }
    return [...queues.values()];
  }

  /** @throws Failure for a queue that nobody ever told of */
  async queue(name: string): Promise<KnownQueue> {
    const queues = await this.knownQueues();
    const found = queues.find((queue) => queue.name === name);
    if (found) return found;
    const broker = await this.broker();
    if (await broker.depth(deadQueue(this.prefix, { name }))) return untold(name);
    throw new Failure(exitCode.unknown, `There is no queue "${name}" under the prefix "${this.prefix}"; there ${queues.length === 0 ? 'are none' : `are ${queues.map((queue) => queue.name).join(', ')}`}.`); // prettier-ignore
  }

  /** Depths and consumers of all queues that exist. */
  async queueReports(): Promise<QueueReport[]> {
    const control = await this.control();
    const reports = await Promise.all(
      (await this.knownQueues()).map((queue) => this.#report(queue, control)),
    );
    return reports.flatMap((report) => report ?? []);
  }

  /** One queue, also one that no service told of; undefined where the broker has none. */
  async queueReport(name: string): Promise<QueueReport | undefined> {
    if (!queueNames.test(name)) return undefined; // events can name what no queue is called
    const known = (await this.knownQueues()).find((queue) => queue.name === name);
    return this.#report(known ?? untold(name), await this.control());
  }

  async close(): Promise<void> {
    await this.#control?.stop();
    await this.#broker?.close();
  }

  async #report(known: KnownQueue, control: Control): Promise<QueueReport | undefined> {
    const broker = await this.broker();
    const { prefix } = this;
    const queue = { ...known, ackTimeoutMs: undefined };
    const names = Array.from({ length: known.type === 'classic' ? 1 : known.priorities }, (_, priority) =>
      laneQueue(prefix, queue, priority),
    );
    const depths = await Promise.all(names.map((name) => broker.depth(name)));
    const lanes = names.flatMap((name, i) => (depths[i] ? [{ name, ...depths[i] }] : []));
    if (lanes.length === 0) return undefined;
    const paused = control.pauseOf(known.name);
    return {
      queue: known.name,
      services: known.services,
      contracts: known.contracts,
      waiting: lanes.reduce((sum, { messages }) => sum + messages, 0),
      lanes,
      consumers: Math.min(...lanes.map(({ consumers }) => consumers)),
      dead: (await broker.depth(deadQueue(prefix, known)))?.messages ?? 0,
      suspects: (await broker.depth(suspectsQueue(prefix, queue)))?.messages ?? 0,
      ...(paused && { paused: { at: paused.at, by: paused.by } }),
    };
  }
}

/** A queue of which nothing is known but its name: every lane that it could have is looked for. */
function untold(name: string): KnownQueue {
  return { name, type: 'quorum', priorities: mostPriorities, contracts: [], services: [] };
}

/** Runs a command with a session, which is closed whatever happens. */
export async function withSession(
  options: SessionOptions,
  work: (session: Session) => Promise<void>,
): Promise<void> {
  const session = new Session(options);
  try {
    await work(session);
  } finally {
    await session.close();
  }
}

function namedModules(): string[] {
  return (process.env['JOBRAIL_CONTRACTS'] ?? '').split(',').filter((file) => file.trim() !== '');
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return 'somebody'; // an account without a name, as in containers
  }
}
