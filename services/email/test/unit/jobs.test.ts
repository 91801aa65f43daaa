import { expect } from 'chai';
import { Attachment, EmailTemplate, emailQueue, priorityOf } from '../../src/jobs.js';

describe('the email contract', () => {
  it('puts a reset before a report before a welcome', () => {
    expect(EmailTemplate.options.map(priorityOf)).to.deep.equal([0, 2, 1, 2]);
  });

  it('has a lane for each of these priorities', () => {
    for (const template of EmailTemplate.options)
      expect(priorityOf(template)).to.be.within(0, emailQueue.priorities - 1);
  });

  for (const filename of ['../../etc/passwd', 'a\\b.txt', 'a\r\nX-Evil: 1', '', 'x'.repeat(201)]) {
    it(`refuses the attachment name ${JSON.stringify(filename.slice(0, 20))}`, () => {
      expect(Attachment.safeParse({ key: 'a', filename }).success).to.equal(false);
    });
  }

  it('takes any other attachment name', () => {
    expect(
      Attachment.safeParse({ key: 'reports/1.xlsx', filename: 'Übersicht – Q3 "final".xlsx' }).success,
    ).to.equal(true);
  });
});
