import { expect } from 'chai';
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { defineJob, defineQueue, type Contract } from '../../src/index.js';
import { type IsolatedRail, isolatedRail } from '../../src/testing.js';
import * as asDefined from '../fixtures/doctor-contracts.js';

const run = promisify(execFile);
const main = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const contracts = fileURLToPath(new URL('../fixtures/doctor-contracts.js', import.meta.url));

interface Run {
  code: number;
  out: string;
  err: string;
}

describe('jobrail topology', function () {
  before(function () {
    if (!process.env['AMQP_URL'] && !process.env['CI']) this.skip();
  });

  let rail: IsolatedRail;
  /** The queue as it stood before: classic, with priorities. */
  let old: Contract;

  beforeEach(async () => {
    rail = await isolatedRail();
    old = defineJob('doctor.look', {
      queue: defineQueue('doctor', { type: 'classic', maxPriority: 2 }),
      payload: asDefined.Look.payload,
    });
  });

  afterEach(() => rail.cleanup(asDefined.Look));

  const topology = async (...args: string[]): Promise<Run> => {
    const where = ['--url', rail.url, '--prefix', rail.prefix];
    const done = await run(process.execPath, [main, 'topology', ...args, ...where]).catch(
      (error: unknown) => error,
    );
    const { code = 0, stdout, stderr } = done as { code?: number; stdout: string; stderr: string };
    return { code, out: stdout, err: stderr };
  };

  it('plans without changing the broker, verifies with exit code 1, and applies', async () => {
    const planned = await topology('plan', contracts);
    expect(planned.code).to.equal(0);
    expect(planned.out).to.include(`queue    ${rail.prefix}.doctor.p1`);
    expect(await rail.broker.depth(`${rail.prefix}.doctor`)).to.equal(undefined);

    const before = await topology('verify', contracts);
    expect(before.code).to.equal(1);
    expect(before.out).to.include(`+ queue    ${rail.prefix}.doctor  missing`);

    expect((await topology('apply', contracts)).code).to.equal(0);
    const after = await topology('verify', contracts);
    expect(after.code).to.equal(0);
    expect(after.out).to.match(/ 0 missing, 0 different/);
  });

  it('shows both values of what is different, and migrates classic to quorum with every message kept', async () => {
    const ids = Array.from({ length: 50 }, (_, n) => ({ n }));
    await rail.client.enqueueMany(old, ids, { priority: 1 });

    const seen = await topology('verify', contracts);
    expect(seen.code).to.equal(1);
    expect(seen.out).to.match(/! queue +\S+\.doctor +\(50 messages\).*x-max-priority.*none.*2/);

    const migrated = await topology('migrate', contracts);
    expect(migrated.err).to.equal('');
    expect(await rail.broker.depth(`${rail.prefix}.doctor`)).to.deep.include({ messages: 50 });
    expect((await topology('verify', contracts)).out).to.match(/ 0 different/);

    const kept = new Set<number>();
    for (let taken = await rail.broker.get(`${rail.prefix}.doctor`); taken;) {
      kept.add((JSON.parse(taken.body.toString()) as { n: number }).n);
      expect(taken.properties).to.include({ type: 'doctor.look', priority: 1, deliveryMode: 2 });
      taken.ack();
      taken = await rail.broker.get(`${rail.prefix}.doctor`);
    }
    expect(kept.size).to.equal(50);
  });

  it('refuses to migrate under a consumer, and says what to do', async () => {
    await rail.client.enqueue(old, { n: 1 });
    const queue = `${rail.prefix}.doctor`;
    const consumer = await rail.broker.consume({
      queues: [{ name: queue, prefetch: 1 }],
      onDelivery: () => undefined,
    });
    const refused = await topology('migrate', contracts);
    expect(refused.code).to.equal(1);
    expect(refused.err)
      .to.include('JR_TOPOLOGY_CONFLICT')
      .and.include('has 1 consumers')
      .and.include('Stop the services');
    await consumer.close();
  });

  it('exits with 2 for a wrong command line and 1 for a module that cannot be used', async () => {
    expect((await topology('mend', contracts)).code).to.equal(2);
    const missing = await topology('plan', 'no-such-file.js');
    expect(missing.code).to.equal(1);
    expect(missing.err).to.include('no-such-file.js').and.include('compiled module');
  });
});
