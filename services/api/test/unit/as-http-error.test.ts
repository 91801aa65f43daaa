import { StorageError } from '@jobrail/storage';
import { expect } from 'chai';
import { BrokerError, ContractError, PublishError } from 'jobrail';
import { MulterError } from 'multer';
import { asHttpError } from '../../src/as-http-error.js';
import { HttpError } from '../../src/http-error.js';

const inside = 'amqp://10.1.2.3/secret-place';

describe('asHttpError', () => {
  const cases: [name: string, error: unknown, status: number, code: string][] = [
    ['an answer', new HttpError(404, 'NOT_FOUND', 'x'), 404, 'NOT_FOUND'],
    ['a payload', new ContractError('JR_PAYLOAD_INVALID', inside, { issues: [] }), 400, 'FIELDS_INVALID'],
    ['a large payload', new ContractError('JR_PAYLOAD_TOO_LARGE', inside), 413, 'BODY_TOO_LARGE'],
    ['a contract of ours', new ContractError('JR_CIRCLE', inside), 500, 'INTERNAL'],
    ['no broker', new BrokerError('JR_BROKER_UNREACHABLE', inside), 503, 'QUEUE_UNAVAILABLE'],
    [
      'a nack',
      new PublishError('JR_PUBLISH_RETURNED', inside, { maybeAccepted: false }),
      503,
      'QUEUE_UNAVAILABLE',
    ],
    [
      'no confirm',
      new PublishError('JR_PUBLISH_TIMEOUT', inside, { maybeAccepted: true }),
      503,
      'JOB_UNCONFIRMED',
    ],
    [
      'a full disk',
      new StorageError('STORAGE_UNAVAILABLE', inside, { mend: inside }),
      503,
      'STORAGE_UNAVAILABLE',
    ],
    ['a bad key of ours', new StorageError('STORAGE_KEY_INVALID', inside, { mend: inside }), 500, 'INTERNAL'],
    ['a large file', new MulterError('LIMIT_FILE_SIZE', 'avatar'), 413, 'UPLOAD_TOO_LARGE'],
    ['a stray file', new MulterError('LIMIT_UNEXPECTED_FILE', 'cv'), 400, 'FIELDS_INVALID'],
    ['a programming error', new TypeError(inside), 500, 'INTERNAL'],
    ['an odd status', Object.assign(new Error(inside), { status: 418 }), 500, 'INTERNAL'],
    ['what is no error', inside, 500, 'INTERNAL'],
    ['nothing', undefined, 500, 'INTERNAL'],
  ];
  for (const [name, error, status, code] of cases) {
    it(`answers ${name} with ${status} ${code}, and nothing of the inside`, () => {
      const answer = asHttpError(error);
      expect(answer).to.include({ status, code });
      expect(JSON.stringify(answer)).not.to.include('10.1.2.3');
      if (status === 503) expect(answer.headers).to.have.property('retry-after', '5');
    });
  }

  it('gives the fields of the contract', () => {
    const issues = [{ path: 'source.key', message: 'too long' }];
    const answer = asHttpError(new ContractError('JR_PAYLOAD_INVALID', 'x', { issues }));
    expect(JSON.parse(JSON.stringify(answer))).to.deep.equal({
      error: { code: 'FIELDS_INVALID', message: 'The request has fields that cannot be accepted.' },
      fields: issues,
    });
  });
});
