import type { Channel, ChannelModel } from 'amqplib';
import { toError, TopologyError } from '../../base/errors.js';
import type { ExchangePlan, QueuePlan, Topology } from '../../model/topology.js';
import { assertTopology, declareTopology, openChannel } from './topology.js';

/** How one exchange or queue of a plan stands on the broker. */
export interface Finding {
  kind: 'exchange' | 'queue';
  name: string;
  state: 'same' | 'missing' | 'different';
  /** What differs, with both values. The broker tells one difference at a time. */
  detail?: string;
  /** Of a queue that exists. */
  messages?: number;
  consumers?: number;
}

/**
 * Holds a plan against the broker without changing anything. AMQP shows exchanges and queues, not bindings; declaring
 * the plan again makes those exist that are missing.
 */
export async function verifyTopology(model: ChannelModel, topology: Topology): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const exchange of topology.exchanges) findings.push(await verifyExchange(model, exchange));
  for (const queue of topology.queues) findings.push(await verifyQueue(model, queue));
  return findings;
}

async function verifyExchange(model: ChannelModel, exchange: ExchangePlan): Promise<Finding> {
  const about = { kind: 'exchange', name: exchange.name } as const;
  const missing = await refusal(model, (channel) => channel.checkExchange(exchange.name));
  if (missing) return { ...about, state: 'missing' };
  return { ...about, ...(await compared(model, { exchanges: [exchange], queues: [], bindings: [] })) };
}

async function verifyQueue(model: ChannelModel, queue: QueuePlan): Promise<Finding> {
  const about = { kind: 'queue', name: queue.name } as const;
  let found = { messageCount: 0, consumerCount: 0 };
  const missing = await refusal(model, async (channel) => (found = await channel.checkQueue(queue.name)));
  if (missing) return { ...about, state: 'missing' };
  const { messageCount: messages, consumerCount: consumers } = found;
  const state = await compared(model, { exchanges: [], queues: [queue], bindings: [] });
  return { ...about, ...state, messages, consumers };
}

/** To declare what exists changes nothing, and the broker tells what is different. */
async function compared(model: ChannelModel, one: Topology): Promise<Pick<Finding, 'state' | 'detail'>> {
  try {
    await assertTopology(model, one);
    return { state: 'same' };
  } catch (error) {
    if (!(error instanceof TopologyError)) throw error;
    return { state: 'different', detail: error.message.replace(` ${error.mend}`, '') };
  }
}

/** The 404 that a request was answered with, or undefined. */
async function refusal(
  model: ChannelModel,
  request: (channel: Channel) => Promise<unknown>,
): Promise<Error | undefined> {
  const channel = await openChannel(model);
  try {
    await request(channel);
    await channel.close();
    return undefined;
  } catch (error) {
    if ((error as { code?: number }).code === 404) return toError(error);
    throw error;
  }
}

/** How many messages are under way while a queue is emptied. */
const movedAtOnce = 200;

/**
 * Gives a queue the arguments of the plan, keeping its messages: they wait in `<queue>.migrating` while it is deleted
 * and declared again. New messages go there too, so producers may go on. A crash in between loses nothing: run it again.
 * A message that is published in the moment in which the bindings change may come twice.
 * @throws TopologyError when the queue has consumers: the services that work on it must be stopped.
 */
export async function migrateQueue(
  model: ChannelModel,
  topology: Topology,
  name: string,
  onMoved: (messages: number) => void = () => undefined,
): Promise<void> {
  const plan = topology.queues.find((queue) => queue.name === name);
  if (!plan) {
    throw new TopologyError('JR_TOPOLOGY_MISSING', `The plan has no queue "${name}".`, {
      mend: `It has ${topology.queues.map((queue) => queue.name).join(', ')}.`,
    });
  }
  const holding = `${name}.migrating`;
  const bindings = topology.bindings.filter(({ queue }) => queue === name);
  const elsewhere = bindings.map((binding) => ({ ...binding, queue: holding }));
  const channel = await openChannel(model);
  await refuseConsumers(channel, name);
  const holdingPlan = { name: holding, arguments: { 'x-queue-type': 'quorum' } } as const;
  await declareTopology(model, { exchanges: [], queues: [holdingPlan], bindings: elsewhere });
  for (const { source, routingKey } of bindings) await channel.unbindQueue(name, source, routingKey);
  await moveMessages(model, name, holding, onMoved);
  await channel.deleteQueue(name);
  await declareTopology(model, { exchanges: [], queues: [plan], bindings });
  for (const { source, routingKey } of elsewhere) await channel.unbindQueue(holding, source, routingKey);
  await moveMessages(model, holding, name, onMoved);
  await channel.deleteQueue(holding);
  await channel.close();
}

async function refuseConsumers(channel: Channel, name: string): Promise<void> {
  const { consumerCount } = await channel.checkQueue(name);
  if (consumerCount === 0) return;
  throw new TopologyError('JR_TOPOLOGY_CONFLICT', `Queue "${name}" has ${consumerCount} consumers.`, {
    mend: 'Stop the services that work on it, then migrate; producers may go on.',
  });
}

/** Moves all messages of a queue; each is confirmed where it goes before it is acked where it was. */
async function moveMessages(
  model: ChannelModel,
  from: string,
  to: string,
  onMoved: (messages: number) => void,
): Promise<void> {
  const source = await openChannel(model);
  const target = await model.createConfirmChannel();
  await source.prefetch(movedAtOnce);
  let moved = 0;
  let failed: Error | undefined;
  const { consumerTag } = await source.consume(from, (message) => {
    if (!message) return;
    const { headers, ...properties } = message.properties;
    const options = {
      ...properties,
      // The broker would route the copy by CC again.
      headers: { ...headers, 'x-delivery-count': undefined, CC: undefined, BCC: undefined },
      persistent: true,
    };
    target.sendToQueue(to, message.content, options, (error: unknown) => {
      if (error) failed ??= toError(error);
      else source.ack(message);
      onMoved(++moved);
    });
  });
  for (let left = 1; left > 0 && !failed;) {
    await target.waitForConfirms();
    await new Promise((resolve) => setTimeout(resolve, 20));
    // Ready messages only: what is unacked is waited for by the confirms above.
    left = (await source.checkQueue(from)).messageCount;
  }
  await source.cancel(consumerTag);
  await target.waitForConfirms();
  await source.close();
  await target.close();
  if (failed) throw failed;
}
