import { SendEmail } from '@jobrail/email/jobs';
import { expect } from 'chai';
import { type FinishedReport, readyMail } from '../../src/ready-mail.js';

const report: FinishedReport = {
  title: 'Sales: Q1/Q2 "final"',
  format: 'xlsx',
  rows: 1_234,
  file: { key: 'reports/2024/Q1 Ümsatz.xlsx', bytes: 1_000 },
};

describe('the mail that tells of a report', () => {
  it('has a small file attached, under a name that every system takes', async () => {
    const mail = readyMail('ada@example.com', report, { pdfMaxRows: 1, attachMaxBytes: 1_000 });
    expect(mail).to.deep.equal({
      to: 'ada@example.com',
      template: 'report-ready',
      data: { title: report.title, format: 'xlsx', rows: 1_234, key: report.file.key },
      attachments: [{ key: report.file.key, filename: 'Sales Q1 Q2 final.xlsx' }],
    });
    expect(await SendEmail.payload['~standard'].validate(mail)).not.to.have.property('issues');
  });

  it('has a link when links are configured, and no large file', () => {
    const mail = readyMail('ada@example.com', report, {
      pdfMaxRows: 1,
      attachMaxBytes: 999,
      linkBase: 'https://files.example.com/r/',
    });
    expect(mail.attachments).to.equal(undefined);
    expect(mail.data['reportUrl']).to.equal('https://files.example.com/r/reports/2024/Q1%20%C3%9Cmsatz.xlsx');
  });

  it('has an attachment of some name whatever the title', () => {
    const mail = readyMail(
      'ada@example.com',
      { ...report, title: '..//..' },
      { pdfMaxRows: 1, attachMaxBytes: 9_999 },
    );
    expect(mail.attachments?.[0]?.filename).to.equal('report.xlsx');
  });
});
