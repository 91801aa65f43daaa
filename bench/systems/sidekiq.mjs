// Sidekiq in a Ruby process, where Debian's ruby-sidekiq is installed.
import { Redis } from 'ioredis';
import { firstThatRuns } from '../foreign.mjs';

export const settings =
  'Redis with append-only file, fsync at each write; bulk by `perform_bulk`, 1,000 at once; the free version, whose basic fetch loses the jobs of a process that dies';
export const server = 'redis';
export const missing = 'Sidekiq is left out: ruby-sidekiq is not installed';
export const program = 'sidekiq-jobs.rb';

export const find = () =>
  firstThatRuns(['ruby', '/usr/bin/ruby'], ['-e', 'require "sidekiq"; puts Sidekiq::VERSION']);

export async function clean({ url, queue }) {
  const redis = new Redis(url);
  await redis.del(`queue:${queue}`);
  await redis.srem('queues', queue);
  await redis.quit();
}
