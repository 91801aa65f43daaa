import { expect } from 'chai';
import fc from 'fast-check';
import { AckLedger, type AckSender } from '../../../src/adapters/amqp/ack-ledger.js';
import { VirtualClock } from '../../../src/base/virtual-clock.js';

/** What is written to the channel, in order: `ack 3+` settles all up to 3. */
function ledger(...tags: number[]) {
  const sent: string[] = [];
  const sender: AckSender = {
    ack: (tag, multiple) => sent.push(`ack ${tag}${multiple ? '+' : ''}`),
    nack: (tag, requeue) => sent.push(`nack ${tag}${requeue ? ' requeue' : ''}`),
  };
  const clock = new VirtualClock(0);
  const made = new AckLedger(sender, clock);
  for (const tag of tags) made.delivered(tag);
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  return { ledger: made, sent, clock, turn };
}

describe('AckLedger', () => {
  it('acks what a tick has settled by one multiple ack', async () => {
    const { ledger: acks, sent, turn } = ledger(1, 2, 3, 4);
    for (const tag of [2, 1, 3]) acks.ack(tag);
    expect(sent).to.deep.equal([]);
    await turn();
    expect(sent).to.deep.equal(['ack 3+']);
    expect(acks.size).to.equal(1);
  });

  it('acks one alone without "multiple"', async () => {
    const { ledger: acks, sent, turn } = ledger(1, 2);
    acks.ack(1);
    await turn();
    expect(sent).to.deep.equal(['ack 1']);
  });

  it('never acks by "multiple" over an older delivery that is not settled: those wait a few ms, then go one by one', async () => {
    const { ledger: acks, sent, clock, turn } = ledger(1, 2, 3, 4);
    acks.ack(2);
    acks.ack(4);
    await turn();
    clock.advance(4);
    expect(sent).to.deep.equal([]);
    clock.advance(1);
    expect(sent).to.deep.equal(['ack 2', 'ack 4']);
    acks.ack(1);
    acks.ack(3);
    await turn();
    expect(sent).to.deep.equal(['ack 2', 'ack 4', 'ack 3+']);
    expect(acks.size).to.equal(0);
  });

  it('goes on over what was given back', async () => {
    const { ledger: acks, sent, turn } = ledger(1, 2, 3);
    acks.ack(2);
    acks.nack(1, true);
    acks.ack(3);
    await turn();
    expect(sent).to.deep.equal(['nack 1 requeue', 'ack 3+']);
  });

  it('rejects without requeue', () => {
    const { ledger: acks, sent } = ledger(1);
    acks.nack(1, false);
    expect(sent).to.deep.equal(['nack 1']);
  });

  it('settles each delivery once, and none it has not seen', async () => {
    const { ledger: acks, sent, turn } = ledger(1);
    acks.ack(1);
    acks.ack(1);
    acks.nack(1, true);
    acks.ack(7);
    acks.nack(8, true);
    await turn();
    acks.ack(1);
    await turn();
    expect(sent).to.deep.equal(['ack 1']);
  });

  it('sends nothing once its channel is gone', async () => {
    const { ledger: acks, sent, clock, turn } = ledger(1, 2, 3);
    acks.ack(1);
    acks.ack(3);
    acks.abandon();
    expect(acks.closed).to.equal(true);
    acks.ack(2);
    acks.nack(2, true);
    await turn();
    clock.advance(100);
    expect(sent).to.deep.equal([]);
  });

  it('sends all that is settled when it is closed', () => {
    const { ledger: acks, sent } = ledger(1, 2, 3, 4);
    for (const tag of [1, 2, 4]) acks.ack(tag);
    acks.close();
    expect(sent).to.deep.equal(['ack 2+', 'ack 4']);
    expect(acks.closed).to.equal(true);
  });

  it('keeps acks while it is held, counts them as unacked by consumer, and sends them when released', async () => {
    const { ledger: acks, sent, clock, turn } = ledger(1, 2, 3, 4);
    acks.delivered(5, 1);
    for (const tag of [1, 2, 4]) acks.ack(tag);
    acks.hold();
    await turn();
    clock.advance(100);
    expect(sent).to.deep.equal([]);
    expect([acks.unacked(0), acks.unacked(1)]).to.deep.equal([4, 1]);
    acks.release();
    clock.advance(5);
    expect(sent).to.deep.equal(['ack 2+', 'ack 4']);
    expect([acks.unacked(0), acks.unacked(1)]).to.deep.equal([1, 1]);
  });

  it('sends what it kept when it is closed while held', () => {
    const { ledger: acks, sent } = ledger(1, 2);
    acks.hold();
    acks.ack(1);
    acks.close();
    expect(sent).to.deep.equal(['ack 1']);
  });

  describe('over any order of endings', () => {
    type Step =
      | { kind: 'deliver'; count: number }
      | { kind: 'ack' | 'requeue' | 'reject'; which: number }
      | { kind: 'tick' | 'wait' | 'hold' | 'release' | 'lost' };

    const pick = fc.double({ min: 0, max: 0.999, noNaN: true });
    const step: fc.Arbitrary<Step> = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({
          kind: fc.constant('deliver' as const),
          count: fc.integer({ min: 1, max: 300 }),
        }),
      },
      {
        weight: 12,
        arbitrary: fc.record({
          kind: fc.constantFrom('ack' as const, 'ack' as const, 'requeue' as const, 'reject' as const),
          which: pick,
        }),
      },
      { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('tick' as const, 'wait' as const) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('hold' as const, 'release' as const) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('lost' as const) }) },
    );

    /** A broker as far as one channel of it goes. It fails on what a real one would close the channel for, or lose a job. */
    class Channel {
      readonly unacked = new Map<number, 'running' | 'done'>();
      readonly clock = new VirtualClock(0);
      gone = false;
      sent = 0;
      readonly ledger = new AckLedger(
        {
          ack: (tag, multiple) => {
            this.#settled(tag);
            const covered = multiple ? [...this.unacked.keys()].filter((one) => one <= tag) : [tag];
            for (const one of covered) {
              expect(this.unacked.get(one), `delivery ${one}`).to.equal('done');
              this.unacked.delete(one);
            }
          },
          nack: (tag) => {
            this.#settled(tag);
            expect(this.unacked.get(tag)).to.equal('running');
            this.unacked.delete(tag);
          },
        },
        this.clock,
      );

      #settled(tag: number): void {
        expect(this.gone, 'nothing on a channel that is gone').to.equal(false);
        expect(this.unacked.has(tag), `unknown delivery tag ${tag}`).to.equal(true);
      }

      deliver(): void {
        this.unacked.set(++this.sent, 'running');
        this.ledger.delivered(this.sent);
      }
    }

    it('acks what is done and nothing else, each once, on its own channel', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 80 }), async (steps) => {
          let channel = new Channel();
          /** Ledger and tag of what runs: some of channels that are gone. */
          const running: { on: Channel; tag: number }[] = [];
          for (const move of steps) {
            switch (move.kind) {
              case 'deliver':
                for (let i = 0; i < move.count; i++) {
                  channel.deliver();
                  running.push({ on: channel, tag: channel.sent });
                }
                break;
              case 'ack':
              case 'requeue':
              case 'reject': {
                const [job] = running.splice(Math.floor(move.which * running.length), 1);
                if (!job) break;
                if (move.kind !== 'ack') {
                  job.on.ledger.nack(job.tag, move.kind === 'requeue');
                } else {
                  if (!job.on.gone) job.on.unacked.set(job.tag, 'done');
                  job.on.ledger.ack(job.tag);
                }
                break;
              }
              case 'tick':
                await new Promise((resolve) => setImmediate(resolve));
                break;
              case 'wait':
                channel.clock.advance(5);
                break;
              case 'hold':
                channel.ledger.hold();
                break;
              case 'release':
                channel.ledger.release();
                break;
              case 'lost':
                channel.ledger.abandon();
                channel.gone = true;
                channel = new Channel();
            }
            expect(channel.ledger.size).to.equal(channel.unacked.size);
          }
          channel.ledger.release();
          channel.clock.advance(5);
          expect([...channel.unacked.values()]).to.not.include('done');
          channel.ledger.close();
        }),
        { numRuns: 150 },
      );
    });
  });
});
