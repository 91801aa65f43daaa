import { randomUUID } from 'node:crypto';
import type { Channel, ChannelModel } from 'amqplib';
import { toError, TopologyError } from '../../base/errors.js';
import type { QueuePlan, Topology } from '../../model/topology.js';

/**
 * Declares what a plan has, in order: exchanges, queues, bindings. The requests of each kind are sent together. When it
 * resolves, what is published to the queues survives a crash of the broker.
 * @throws TopologyError (`JR_TOPOLOGY_CONFLICT`) when something exists with other arguments; (`JR_TOPOLOGY_MISSING`)
 * when a binding names something that does not exist.
 */
export async function declareTopology(model: ChannelModel, topology: Topology): Promise<void> {
  await assertTopology(model, topology);
  await recordNewQueues(model, topology);
}

/** Declares a plan that is known to exist, to see whether it does so as planned. @throws as `declareTopology` */
export async function assertTopology(model: ChannelModel, topology: Topology): Promise<void> {
  const channel = await openChannel(model);
  try {
    await Promise.all(
      topology.exchanges.map(({ name, type, alternate }) =>
        channel.assertExchange(name, type, {
          durable: true,
          ...(alternate && { alternateExchange: alternate }),
        }),
      ),
    );
    await Promise.all(
      topology.queues.map((queue) =>
        channel.assertQueue(queue.name, { durable: true, arguments: queue.arguments }),
      ),
    );
    await Promise.all(
      topology.bindings.map(({ source, routingKey, queue, exchange }) =>
        queue === undefined
          ? channel.bindExchange(exchange!, source, routingKey)
          : channel.bindQueue(queue, source, routingKey),
      ),
    );
  } catch (error) {
    throw asConflict(error, topology);
  }
  await channel.close();
}

/** A queue that a crash kept from being deleted is gone after this. */
const leftBehindMs = 60_000;

/**
 * Makes RabbitMQ write down the names of queues that are new. A quorum queue is known to its own node by a table that is
 * written when nobody has touched it for half a second; a node that dies before that begins the queue anew, without the
 * messages that it has confirmed (3.10.8, 4.0.5 and 4.3.6). The next quorum queue that is declared has the table written,
 * so one is declared and deleted again.
 */
async function recordNewQueues(model: ChannelModel, { queues }: Topology): Promise<void> {
  const last = queues.findLast((queue) => queue.arguments['x-queue-type'] === 'quorum');
  if (!last) return;
  const channel = await openChannel(model);
  const name = `${last.name}.declaring.${randomUUID().slice(0, 8)}`;
  await channel.assertQueue(name, { arguments: { 'x-queue-type': 'quorum', 'x-expires': leftBehindMs } });
  await channel.deleteQueue(name);
  await channel.close();
}

/** Deletes the queues, then the exchanges, of a plan. */
export async function removeTopology(model: ChannelModel, topology: Topology): Promise<void> {
  const channel = await openChannel(model);
  await Promise.all(topology.queues.map(({ name }) => channel.deleteQueue(name)));
  await Promise.all(topology.exchanges.map(({ name }) => channel.deleteExchange(name)));
  await channel.close();
}

/** A channel whose errors reach the caller by the rejected request alone. */
export async function openChannel(model: ChannelModel): Promise<Channel> {
  const channel = await model.createChannel();
  channel.on('error', () => undefined);
  return channel;
}

/** An error of the broker that names a queue or exchange it has not, as a TopologyError; any other as it is. */
export function asMissing(error: unknown): Error {
  const seen = toError(error);
  const [, kind, name] = /NOT[_-]FOUND - no (queue|exchange) '([^']+)'/.exec(seen.message) ?? [];
  if (name === undefined) return seen;
  return new TopologyError('JR_TOPOLOGY_MISSING', `The broker has no ${kind} "${name}".`, {
    mend:
      kind === 'exchange'
        ? 'It belongs to another system: have it declared there first, or check its name in "bindings".'
        : 'Declare it first, or check the prefix.',
    cause: seen,
  });
}

/** `inequivalent arg 'x-message-ttl' for queue 'q' in vhost '/': received '2' but current is '1'` */
const inequivalent =
  /inequivalent arg '([^']+)' for (queue|exchange) '([^']+)' in vhost '[^']*': received (.+?) but current is (.+?)"?$/;

function asConflict(error: unknown, topology: Topology): Error {
  const { message } = toError(error);
  const missing = asMissing(error);
  if (missing !== error) return missing;
  const [, argument, kind, name, asked, current] = inequivalent.exec(message) ?? [];
  if (name === undefined) return toError(error);
  const plan = topology.queues.find((queue: QueuePlan) => queue.name === name);
  return new TopologyError(
    'JR_TOPOLOGY_CONFLICT',
    `${kind} "${name}" exists with another ${argument}: the code asks for ${asked}, the broker has ${current}.`,
    {
      mend: plan
        ? 'Run "jobrail topology migrate" with the contracts, which keeps its messages, or change defineQueue() to what exists.'
        : 'Delete the exchange, or use another prefix.',
      cause: error,
    },
  );
}
