import { Command } from 'commander';
import { AmqpConnection } from '../adapters/amqp/connection.js';
import { declareTopology } from '../adapters/amqp/topology.js';
import { type Finding, migrateQueue, verifyTopology } from '../adapters/amqp/topology-doctor.js';
import { checkTls, tlsFromEnvironment } from '../adapters/amqp/tls.js';
import { brokerUrls } from '../adapters/amqp/url.js';
import { systemClock } from '../base/clock.js';
import { brokerFeatures } from '../model/broker-features.js';
import { defaultPrefix, jobsTopology, type Topology } from '../model/topology.js';
import { loadContracts } from './contracts.js';

interface Options {
  url?: string;
  prefix: string;
  json?: boolean;
}

/** `jobrail topology plan | verify | apply | migrate`. */
export function topologyCommand(): Command {
  const command = new Command('topology').description('What must exist on the broker for some contracts.');
  const sub = (name: string, description: string) =>
    command
      .command(name)
      .description(description)
      // No default here: the help would print it, and with it the password.
      .option('--url <url>', 'broker (default: AMQP_URL, which other users of the machine cannot see)')
      .option('--prefix <prefix>', 'prefix of the deployment', process.env['JOBRAIL_PREFIX'] ?? defaultPrefix)
      .option('--json', 'print JSON')
      .argument('<modules...>', 'compiled modules that export the contracts, such as dist/jobs.js')
      .addHelpText('after', `\nExample:\n  jobrail topology ${name} dist/src/jobs.js`);
  sub('plan', 'print what would be declared').action((files: string[], options: Options) =>
    plan(files, options),
  );
  sub('verify', 'compare with the broker; exit code 1 where they differ').action(verify);
  sub('apply', 'declare what is missing').action(apply);
  sub(
    'migrate',
    'give queues that exist with other arguments those of the code, keeping their messages',
  ).action(migrate);
  return command;
}

async function plan(files: string[], options: Options): Promise<void> {
  await onBroker(files, options, (topology) => {
    if (options.json) return printJson(topology);
    for (const { name, type, alternate } of topology.exchanges) {
      print(`exchange ${name}  ${type}${alternate ? `, alternate ${alternate}` : ''}`);
    }
    for (const queue of topology.queues) print(`queue    ${queue.name}  ${JSON.stringify(queue.arguments)}`);
    for (const { source, routingKey, queue, exchange } of topology.bindings) {
      print(`binding  ${source}  ${routingKey || '(any)'}  ->  ${queue ?? exchange}`);
    }
  });
}

async function verify(files: string[], options: Options): Promise<void> {
  await onBroker(files, options, async (topology, connection) => {
    const findings = await verifyTopology(connection.model!, topology);
    if (options.json) printJson(findings);
    else printFindings(findings);
    if (findings.some(({ state }) => state !== 'same')) process.exitCode = 1;
  });
}

async function apply(files: string[], options: Options): Promise<void> {
  await onBroker(files, options, async (topology, connection) => {
    await declareTopology(connection.model!, topology);
    if (options.json) printJson(topology);
    else
      print(
        `${topology.exchanges.length} exchanges, ${topology.queues.length} queues and their bindings exist.`,
      );
  });
}

async function migrate(files: string[], options: Options): Promise<void> {
  await onBroker(files, options, async (topology, connection) => {
    const findings = await verifyTopology(connection.model!, topology);
    const different = findings.filter(({ kind, state }) => kind === 'queue' && state === 'different');
    if (different.length === 0 && !options.json) print('No queue differs from the code.');
    for (const { name, messages = 0 } of different) {
      let moved = 0;
      await migrateQueue(connection.model!, topology, name, () => moved++);
      if (!options.json)
        print(`${name}: declared as the code asks; ${messages} messages were kept (${moved} moves).`);
    }
    if (options.json) printJson(different.map(({ name }) => name));
  });
}

async function onBroker(
  files: string[],
  options: Options,
  work: (topology: Topology, connection: AmqpConnection) => void | Promise<void>,
): Promise<void> {
  const contracts = await loadContracts(files);
  const tls = tlsFromEnvironment(process.env);
  if (tls) checkTls(tls);
  const connection = new AmqpConnection({
    urls: brokerUrls(options.url ?? process.env['AMQP_URL'] ?? 'amqp://127.0.0.1'),
    tls,
    name: 'jobrail cli',
    clock: systemClock,
    handshakeMs: 5_000,
    heartbeatS: 10,
  });
  try {
    await connection.open(5_000);
    const features = brokerFeatures(connection.info?.version);
    await work(jobsTopology(options.prefix, contracts, features), connection);
  } finally {
    await connection.close();
  }
}

const signs = { same: '  ', missing: '+ ', different: '! ' } as const;

function printFindings(findings: readonly Finding[]): void {
  for (const { kind, name, state, detail, messages } of findings) {
    const size = messages === undefined ? '' : `  (${messages} messages)`;
    print(`${signs[state]}${kind.padEnd(8)} ${name}${size}${state === 'same' ? '' : `  ${detail ?? state}`}`);
  }
  const count = (state: Finding['state']) => findings.filter((finding) => finding.state === state).length;
  print(`${count('same')} as the code asks, ${count('missing')} missing, ${count('different')} different.`);
  if (count('missing') > 0) print('+  "jobrail topology apply" declares what is missing.');
  if (count('different') > 0)
    print('!  "jobrail topology migrate" declares these anew and keeps their messages.');
}

function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2));
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
