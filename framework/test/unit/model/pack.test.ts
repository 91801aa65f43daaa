import { expect } from 'chai';
import fc from 'fast-check';
import { ContractError } from '../../../src/index.js';
import { header, readEnvelope } from '../../../src/model/envelope.js';
import {
  mostPackBytes,
  mostPackJobs,
  packEncoding,
  PackWriter,
  readPack,
  writePack,
} from '../../../src/model/pack.js';

const id = fc.string({ minLength: 1, maxLength: 128, unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)) }); // prettier-ignore

describe('a pack', () => {
  it('is read as it was written, whatever the ids and payloads', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(id, fc.jsonValue()), { minLength: 1, maxLength: 20 }), (jobs) => {
        const written = jobs.map(([id, payload]) => ({ id, body: Buffer.from(JSON.stringify(payload)) }));
        const pack = new PackWriter(mostPackJobs);
        for (const { id, body } of written) pack.add(id, body.toString(), body.length);
        const shown = (body: Buffer) => readPack(body).map(({ id, body }) => [id, body.toString()]);
        const expected = written.map(({ id, body }) => [id, body.toString()]);
        expect(shown(pack.close())).to.deep.equal(expected);
        expect(shown(writePack(written))).to.deep.equal(expected);
      }),
    );
  });

  it('is no longer than the limit, and has no more jobs than it may', () => {
    const pack = new PackWriter(3);
    for (let i = 0; pack.takes(2); i++) pack.add(String(i), '{}', 2);
    expect(pack.ids).to.deep.equal(['0', '1', '2']);
    const large = new PackWriter(mostPackJobs);
    while (large.takes(10_000)) large.add('x'.repeat(36), 'x'.repeat(10_000), 10_000);
    expect(large.close().length).to.be.within(mostPackBytes - 10_038, mostPackBytes);
  });

  for (const [what, body] of [
    ['nothing', ''],
    ['a line without an id', ' {}'],
    ['a line without a space', 'a'],
    ['an empty line', 'a {}\n\nb {}'],
    ['an id with a control character', 'a\u0001b {}'],
    ['an id that is too long', `${'x'.repeat(129)} {}`],
    ['too many jobs', 'a {}\n'.repeat(mostPackJobs + 1)],
  ] as const) {
    it(`is refused for ${what}`, () => {
      expect(() => readPack(Buffer.from(body)))
        .to.throw(ContractError)
        .with.property('code', 'JR_MESSAGE_UNREADABLE');
    });
  }

  it('of any bytes is read into the jobs that make these bytes, or refused', () => {
    const line = fc.oneof(
      fc.uint8Array({ maxLength: 20 }),
      id.map((text) => Buffer.from(`${text} {}`)),
    );
    fc.assert(
      fc.property(fc.array(line, { maxLength: 5 }), (lines) => {
        const body = Buffer.concat(lines.flatMap((bytes) => [bytes, Buffer.from('\n')]));
        try {
          expect(writePack(readPack(body)).equals(body)).to.equal(true);
        } catch (error) {
          expect(error).to.be.instanceOf(ContractError);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('is refused, not misread, by who takes it for a job', () => {
    const message = {
      queue: 'q',
      exchange: '',
      routingKey: 'q',
      redelivered: false,
      body: Buffer.from('a {}\n'),
      properties: { messageId: 'p', contentEncoding: packEncoding, headers: { [header.attempt]: 1 } },
    };
    expect(() => readEnvelope(message, 0, () => ''))
      .to.throw(ContractError, /content_encoding of the message is "jobrail-pack"/)
      .with.property('code', 'JR_MESSAGE_UNREADABLE');
  });
});
