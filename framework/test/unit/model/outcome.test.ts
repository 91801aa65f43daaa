import { expect } from 'chai';
import { OptionError } from '../../../src/base/errors.js';
import {
  AttemptTimeout,
  Discard,
  Fatal,
  outcomeOf,
  Retry,
  Shutdown,
  Snooze,
} from '../../../src/model/outcome.js';
import { backoff, fixed, noRetry } from '../../../src/model/retry.js';

const thrice = fixed({ attempts: 3, every: '10s' });
const dice = () => 0.5;
const failure = new TypeError('broken');

describe('outcomeOf', () => {
  it('retries an error as the policy says, until the attempts are used up', () => {
    expect(outcomeOf(failure, 1, thrice, dice)).to.deep.equal({
      kind: 'retry',
      inMs: 10_000,
      error: failure,
    });
    expect(outcomeOf(failure, 2, thrice, dice)).to.deep.equal({
      kind: 'retry',
      inMs: 10_000,
      error: failure,
    });
    expect(outcomeOf(failure, 3, thrice, dice)).to.deep.equal({
      kind: 'dead',
      reason: 'retries-exhausted',
      error: failure,
    });
    expect(outcomeOf(failure, 1, noRetry, dice)).to.include({ kind: 'dead', reason: 'retries-exhausted' });
    expect(outcomeOf(failure, 9, thrice, dice)).to.include({ kind: 'dead' });
  });

  it('retries an attempt that took too long like any other failure', () => {
    const timeout = new AttemptTimeout('email.send', 30_000);
    expect(timeout).to.include({ code: 'JR_ATTEMPT_TIMEOUT' });
    expect(timeout.message).to.include('email.send').and.include('30000 ms');
    expect(outcomeOf(timeout, 1, thrice, dice)).to.include({ kind: 'retry', error: timeout });
  });

  it('makes an error of whatever was thrown', () => {
    for (const thrown of ['text', 5, null, undefined, { a: 1 }]) {
      const outcome = outcomeOf(thrown, 1, thrice, dice);
      expect(outcome).to.have.property('error').that.is.instanceOf(Error);
    }
  });

  it('waits as Retry asks, and counts the attempt', () => {
    const cause = new Error('rate limited');
    expect(outcomeOf(new Retry({ in: '5s', cause }), 1, thrice, dice)).to.deep.equal({
      kind: 'retry',
      inMs: 5_000,
      error: cause,
    });
    expect(outcomeOf(new Retry({ in: '5s', cause }), 3, thrice, dice)).to.deep.equal({
      kind: 'dead',
      reason: 'retries-exhausted',
      error: cause,
    });
    expect(outcomeOf(new Retry({ in: 0 }), 1, thrice, dice)).to.include({ kind: 'retry', inMs: 0 });
  });

  it('snoozes whatever attempt it is', () => {
    expect(outcomeOf(new Snooze({ in: '1m' }), 3, thrice, dice)).to.deep.equal({
      kind: 'snooze',
      inMs: 60_000,
    });
  });

  it('discards with the reason', () => {
    expect(outcomeOf(new Discard('no longer wanted'), 1, thrice, dice)).to.deep.equal({
      kind: 'discard',
      reason: 'no longer wanted',
    });
  });

  it('gives up at once on Fatal, with the error that it was given', () => {
    expect(outcomeOf(new Fatal(failure), 1, thrice, dice)).to.deep.equal({
      kind: 'dead',
      reason: 'fatal',
      error: failure,
    });
    const outcome = outcomeOf(new Fatal('no such user'), 1, thrice, dice);
    expect(outcome).to.include({ kind: 'dead', reason: 'fatal' });
    expect(outcome).to.have.property('error').with.property('message', 'no such user');
  });

  it('counts nothing when the service stops', () => {
    expect(outcomeOf(new Shutdown(), 3, thrice, dice)).to.deep.equal({ kind: 'released' });
  });

  it('retries after a minute when the backoff function fails, telling both errors', () => {
    const policy = backoff({
      attempts: 3,
      delay: () => {
        throw new Error('bad backoff');
      },
    });
    const outcome = outcomeOf(failure, 1, policy, dice);
    expect(outcome).to.include({ kind: 'retry', inMs: 60_000 });
    expect(outcome).to.have.property('error').that.is.instanceOf(AggregateError);
    expect((outcome as { error: Error }).error.message)
      .to.include('broken')
      .and.include('bad backoff');
  });

  it('refuses a wait that is none where it is written', () => {
    expect(() => new Retry({ in: 'soon' as '1s' })).to.throw(OptionError, /in of Retry/);
    expect(() => new Snooze({ in: -1 })).to.throw(OptionError, /in of Snooze/);
  });
});
