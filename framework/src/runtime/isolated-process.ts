import { Worker as Thread } from 'node:worker_threads';
import type { FromIsolate, Order, ToIsolate } from '../model/border.js';
import type { IsolatedContext } from './isolated-context.js';
import { runIsolated } from './isolated-handler.js';

/* What runs in a process of the pool; see process-isolate.ts. */

let context: IsolatedContext | undefined;
let early: ToIsolate[] = [];

process.on('message', (message: { order: Order } | ToIsolate) => {
  if (!('order' in message)) {
    if (context) context.take(message);
    else early.push(message);
    return;
  }
  const post = (from: FromIsolate) => void process.send!(from);
  void runIsolated(message.order, { post }, (made) => {
    context = made;
    for (const one of early) made.take(one);
    early = [];
  }).then((report) => {
    context = undefined;
    process.send!({ kind: 'report', report });
  });
});

// The service is gone: nobody wants what runs here. One that computes does not hear of it; the thread sees to that.
process.on('disconnect', () => process.exit(0));
new Thread(new URL('./orphan-thread.js', import.meta.url), { workerData: process.ppid }).unref();
