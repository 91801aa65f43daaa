import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import type { Order, ToIsolate } from '../model/border.js';
import type { IsolatedContext } from './isolated-context.js';
import { runIsolated } from './isolated-handler.js';

/** What runs in a thread of the pool; see thread-isolate.ts. */
export default async function attempt({ order, port }: { order: Order; port: MessagePort }): Promise<void> {
  let context: IsolatedContext | undefined;
  const take = (message: unknown) => context?.take(message as ToIsolate);
  const look = () => {
    for (let next = receiveMessageOnPort(port); next; next = receiveMessageOnPort(port)) take(next.message);
  };
  port.on('message', take);
  const report = await runIsolated(order, { post: (message) => port.postMessage(message), look }, (made) => {
    context = made;
    look();
  });
  // By the same way as what it told before, so that nothing of that comes too late.
  port.postMessage({ kind: 'report', report });
}
