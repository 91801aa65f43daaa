import { expect } from 'chai';
import { messageIdOf } from '../../src/message-id.js';

describe('messageIdOf', () => {
  it('takes a UUID as it is', () => {
    expect(messageIdOf('0192f3c4-7b1e-7c55-9d0a-1f2e3d4c5b6a', 'acme.example')).to.equal(
      '<0192f3c4-7b1e-7c55-9d0a-1f2e3d4c5b6a@acme.example>',
    );
  });

  it('encodes what RFC 5322 does not allow there, so that no id can break out of the header', () => {
    expect(messageIdOf('welcome:42>\r\nBcc: x@y.z', 'acme.example')).to.equal(
      '<welcome%3A42%3E%0D%0ABcc%3A%20x%40y%2Ez@acme.example>',
    );
    expect(messageIdOf('..é', 'acme.example')).to.equal('<%2E%2E%C3%A9@acme.example>');
  });

  it('keeps different ids different', () => {
    expect(messageIdOf('a.b', 'acme.example')).not.to.equal(messageIdOf('a%2Eb', 'acme.example'));
  });

  it('stays below the 998 characters of a header line for the longest id and domain', () => {
    expect(messageIdOf('.'.repeat(128), 'a'.repeat(253)).length).to.be.below(900);
  });
});
