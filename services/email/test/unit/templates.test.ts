import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { EmailTemplate } from '../../src/jobs.js';
import { TemplateError } from '../../src/template-error.js';
import { type TemplateData, Templates } from '../../src/templates.js';

const directory = new URL('../../../templates', import.meta.url).pathname;
const templates = new Templates({ directory, product: 'Rail & Co' });

const complete: Record<EmailTemplate, TemplateData> = {
  welcome: { name: 'Ada', loginUrl: 'https://rail.example/login' },
  reset: { name: 'Ada', resetUrl: 'https://rail.example/reset?token=a&b', expiresIn: '30 minutes' },
  'report-ready': {
    title: 'Airports',
    format: 'xlsx',
    name: 'Ada',
    rows: 1_000_000,
    reportUrl: 'https://rail.example/r/1',
  },
  alert: {
    headline: 'Jobrail: 3 jobs wait',
    firing: [{ text: '3 jobs wait in queue "a"' }],
    resolved: [{ text: 'the records are 2 minutes behind the events' }],
  },
};
const required: Record<EmailTemplate, string[]> = {
  welcome: ['name', 'loginUrl'],
  reset: ['name', 'resetUrl', 'expiresIn'],
  'report-ready': ['title', 'format'],
  alert: ['headline'],
};

function errorOf(work: () => unknown): TemplateError {
  try {
    work();
  } catch (error) {
    expect(error).to.be.instanceOf(TemplateError);
    return error as TemplateError;
  }
  throw new Error('Nothing was thrown.');
}

describe('Templates', () => {
  for (const name of EmailTemplate.options) {
    describe(name, () => {
      it('is written with subject, HTML and text, and no placeholder left', () => {
        const { subject, html, text } = templates.write(name, complete[name]);
        for (const part of [subject, html, text]) expect(part).not.to.match(/\{\{|\{%|undefined|\[object/);
        expect(html).to.match(/^<!doctype html>/);
        expect(html).to.include(`<title>${subject.replace('&', '&amp;')}</title>`);
        expect(text).not.to.include('<');
        expect(text.split('\n').every((line) => line.length <= 78)).to.equal(true);
      });

      it('has every style inline or in the head, no script and nothing loaded from elsewhere', () => {
        const { html } = templates.write(name, complete[name]);
        expect(html).not.to.match(/<script|<link|<img|<form|<iframe|@import|url\(/i);
      });

      for (const key of required[name]) {
        for (const [kind, value] of [
          ['missing', undefined],
          ['null', null],
          ['blank', ' \t'],
        ] as const) {
          it(`refuses a ${kind} ${key}, naming it`, () => {
            const error = errorOf(() => templates.write(name, { ...complete[name], [key]: value }));
            expect(error.code).to.equal('TEMPLATE_VALUE_MISSING');
            expect(error.permanent).to.equal(true);
            expect(error.message).to.include(`"${name}" needs data.${key}`);
          });
        }
      }

      it('is written without its optional values', () => {
        const least = Object.fromEntries(required[name].map((key) => [key, complete[name][key]]));
        expect(templates.write(name, least).text).not.to.include('undefined');
      });
    });
  }

  it('shows what it was given', () => {
    const { subject, html, text } = templates.write('report-ready', {
      ...complete['report-ready'],
      attached: true,
    });
    expect(subject).to.equal('Your report is ready: Airports');
    for (const part of [html, text]) {
      expect(part).to.include('Hi Ada').and.to.include('1,000,000 rows').and.to.include('XLSX');
      expect(part)
        .to.include('https://rail.example/r/1')
        .and.to.match(/attached to this\s+mail/);
    }
  });

  it('shows a report without rows as having 0', () => {
    expect(templates.write('report-ready', { title: 'None', format: 'csv', rows: 0 }).text).to.include(
      'CSV, 0 rows',
    );
  });

  describe('hostile data', () => {
    const hostile = `<script>alert("1")</script>'&\r\nBcc: victim@x.example\u2028{{ product }}\u202e`;

    it('is escaped in HTML', () => {
      const { html } = templates.write('welcome', { ...complete.welcome, name: hostile });
      expect(html).to.include('&lt;script&gt;alert(&#34;1&#34;)&lt;/script&gt;&#39;&amp;');
      expect(html).not.to.include('<script>');
    });

    it('is escaped in the title, which carries the subject', () => {
      const { html } = templates.write('report-ready', { ...complete['report-ready'], title: '</title><b>' });
      expect(html).to.include('&lt;/title&gt;&lt;b&gt;</title>');
    });

    it('stays on one line in subject and text', () => {
      const { subject, text } = templates.write('welcome', { ...complete.welcome, name: hostile });
      expect(subject).to.equal(
        `Welcome to Rail & Co, <script>alert("1")</script>'& Bcc: victim@x.example {{ product }}`,
      );
      expect(text).not.to.match(/^Bcc/m);
    });

    it('is not read as a template', () => {
      const { text } = templates.write('welcome', { ...complete.welcome, name: '{{ product }}' });
      expect(text).to.include('Welcome, {{ product }}');
    });

    it('cannot replace the name of the product', () => {
      const { text } = templates.write('reset', { ...complete.reset, product: 'Another Bank' });
      expect(text).to.include('Nobody at Rail & Co').and.not.to.include('Another Bank');
    });

    for (const url of ['javascript:alert(1)', 'data:text/html,x', '/relative', 'no url', 17]) {
      it(`cannot make a link of ${JSON.stringify(url)}`, () => {
        const error = errorOf(() => templates.write('reset', { ...complete.reset, resetUrl: url }));
        expect(error.code).to.equal('TEMPLATE_VALUE_REFUSED');
        expect(error.message).to.include('is no absolute http or https URL');
      });
    }

    it('cannot leave the attribute that holds a link', () => {
      const { html } = templates.write('reset', {
        ...complete.reset,
        resetUrl: 'https://x.example/"onclick="x',
      });
      expect(html).to.include('href="https://x.example/%22onclick=%22x"');
    });

    it('is refused when it is no text', () => {
      const error = errorOf(() => templates.write('welcome', { ...complete.welcome, name: ['Ada'] }));
      expect(error.message).to.include('cannot show {{ name }}: it is a list, not text or a number');
    });

    it('is cut in a subject', () => {
      const { subject } = templates.write('report-ready', {
        ...complete['report-ready'],
        title: '🚂'.repeat(500),
      });
      expect([...subject]).to.have.length(200);
      expect(subject.endsWith('🚂…')).to.equal(true);
    });
  });

  describe('at start', () => {
    let copy: string;

    beforeEach(async () => {
      copy = await mkdtemp(join(tmpdir(), 'jobrail-templates-'));
      await cp(directory, copy, { recursive: true });
    });
    afterEach(() => rm(copy, { recursive: true, force: true }));

    for (const file of ['layout.html.liquid', 'reset/text.liquid']) {
      it(`names the missing file ${file}`, async () => {
        await rm(join(copy, file));
        const error = errorOf(() => new Templates({ directory: copy, product: 'Rail' }));
        expect(error.code).to.equal('TEMPLATE_UNUSABLE');
        expect(error.message).to.include(`"${file}"`).and.to.include(copy).and.to.include('TEMPLATES_DIR');
      });
    }

    it('names a file that is not valid Liquid, and the line', async () => {
      await writeFile(join(copy, 'welcome/html.liquid'), 'Hi\n{% if name %}');
      const error = errorOf(() => new Templates({ directory: copy, product: 'Rail' }));
      expect(error.message).to.include('"welcome/html.liquid"').and.to.include('line:2');
    });

    it('refuses a filter that does not exist', async () => {
      await writeFile(join(copy, 'welcome/text.liquid'), '{{ name | shout }}');
      const error = errorOf(() => new Templates({ directory: copy, product: 'Rail' }));
      expect(error.message).to.include('undefined filter: shout');
    });

    it('names a folder that is not there', () => {
      const error = errorOf(() => new Templates({ directory: `${copy}/none`, product: 'Rail' }));
      expect(error.message).to.include(`${copy}/none cannot be read`).and.to.include('TEMPLATES_DIR');
    });

    it('reads all files, and none after that', async () => {
      const read = new Templates({ directory: copy, product: 'Rail' });
      await rm(copy, { recursive: true });
      for (const name of EmailTemplate.options) {
        expect(read.write(name, complete[name])).to.deep.equal(
          new Templates({ directory, product: 'Rail' }).write(name, complete[name]),
        );
      }
    });
  });
});
